"""Pretrained encoders: names, folders, downloads."""

import huggingface_hub
import pytest
from mmbench_content import weights
from mmbench_content.configs import CLIP, MINILM

NAME = "someone/encoder@" + "0123456789" * 4


def test_the_presets_are_pinned():
    assert weights.split_name(MINILM)[0] == "sentence-transformers/all-MiniLM-L6-v2"
    assert weights.split_name(CLIP)[0] == "openai/clip-vit-large-patch14"


@pytest.mark.parametrize("name", ["someone/encoder", "someone/encoder@main", "a/b/c@" + "0" * 40])
def test_a_name_without_a_revision_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="write name@<40 hex digits>"):
        weights.home(name, tmp_path)


def test_a_download_is_pinned_and_whole_or_absent(tmp_path, monkeypatch):
    asked = []

    def snapshot(name, *, revision, local_dir, allow_patterns, ignore_patterns):
        asked.append((name, revision))
        assert "*.bin" not in allow_patterns
        assert "*.safetensors" in allow_patterns
        local_dir.mkdir(exist_ok=True)
        (local_dir / "config.json").write_text("{}")
        if len(asked) == 1:
            raise ConnectionError("the line went dead")
        (local_dir / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    place = weights.home(NAME, tmp_path)
    with pytest.raises(FileNotFoundError, match="the line went dead") as caught:
        weights.download(NAME, tmp_path)
    for hint in (NAME, str(place), "--preset tiny", "*.safetensors"):
        assert hint in str(caught.value)
    assert not place.exists()
    weights.download(NAME, tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["config.json", "model.safetensors"]
    weights.download(NAME, tmp_path)
    assert asked == [("someone/encoder", "0123456789" * 4)] * 2


def test_folders_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    weights.download(str(tmp_path), tmp_path / "cache")
    assert weights.home(str(tmp_path), tmp_path / "cache") == tmp_path


def test_identity_is_the_name_or_the_content(tmp_path):
    expected = {"id": "someone/encoder", "revision": "0123456789" * 4}
    assert weights.identity(NAME, tmp_path) == expected
    folder, other = tmp_path / "a", tmp_path / "b"
    for place in (folder, other):
        place.mkdir()
        (place / "config.json").write_text("{}")
        (place / "model.safetensors").write_bytes(b"x")
    (other / "README.md").write_text("of no matter")
    first = weights.identity(str(folder), tmp_path)
    assert weights.identity(str(other), tmp_path) == first
    (other / "model.safetensors").write_bytes(b"y")
    assert weights.identity(str(other), tmp_path) != first
