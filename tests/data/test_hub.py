"""``hf:owner/name@commit``: addresses, and a local dataset through the library, offline."""

import json
import sys

import pytest

from mmbench.data import hub, importer, load
from mmbench.data.log import DataError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_addresses():
    assert hub.parse_address(f"hf:a/b@{COMMIT}") == hub.Address("a/b", "", COMMIT)
    assert hub.parse_address(f"hf:a/b:5core@{COMMIT}") == hub.Address("a/b", "5core", COMMIT)
    assert hub.default_id(hub.Address("a/b", "5core", COMMIT)) == "b-5core"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hf:a/b", "name the commit, 40 hex digits"),
        ("hf:a/b@main", "name the commit, 40 hex digits"),
        ("hf:ab@" + COMMIT, "write hf:owner/name@commit"),
        ("hf:a/b/c@" + COMMIT, "write hf:owner/name@commit"),
    ],
)
def test_a_branch_is_no_address(text, said):
    with pytest.raises(DataError, match=said):
        hub.parse_address(text)


def test_without_the_library_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'mmbench\[hf\]'"):
        hub.fetch(hub.Address("a/b", "", COMMIT), tmp_path / "to", tmp_path / "cache")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [
        {"user_id": f"u{n % 5}", "item_id": n % 4, "timestamp": 1_400_000_000 + n}
        for n in range(20)
    ]
    for name, part in (("train", rows[:15]), ("test", rows[15:])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)) + "\n")
    return folder


def test_a_local_dataset_becomes_a_folder_of_tables(repository, tmp_path):
    folder, known, notes = importer.from_hub(f"hf:{repository}", tmp_path / "to")
    assert sorted(path.name for path in folder.iterdir()) == ["test.parquet", "train.parquet"]
    assert known == {
        "id": "shop",
        "licence": None,
        "origin": f"Hugging Face datasets: {repository}",
    }
    assert notes == ()
    with pytest.raises(DataError, match=r"--join train\.parquet,test\.parquet"):
        importer.import_folder(folder, **known)
    done = importer.import_folder(folder, **known, join=["*.parquet"])
    log = load(str(done.path))
    assert (log.id, len(log.item), log.n_users) == ("shop", 20, 5)
    assert done.spec.interactions.join == ("test.parquet",)


def test_what_cannot_be_read_is_told(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="`datasets` cannot read it"):
        hub.fetch(hub.Address(str(tmp_path / "empty")), tmp_path / "to", tmp_path / "cache")
