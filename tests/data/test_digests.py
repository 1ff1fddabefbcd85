"""What files hold, remembered, and never an old answer."""

import hashlib
import logging
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.data import digests
from mmbench.data.digests import contents, digest_of


@pytest.fixture
def at_once(monkeypatch):
    """Files count as settled however young they are."""
    monkeypatch.setattr(digests, "SETTLED", -(10**12))


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read, in order."""
    found = []
    digest = digests._digest
    monkeypatch.setattr(digests, "_digest", lambda file: found.append(file.name) or digest(file))
    return found


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_a_file_and_a_folder(tmp_path):
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"one")
    (folder / "deep" / "b").write_bytes(b"two")
    assert contents(folder / "a", tmp_path / "m") == {".": sha(b"one")}
    found = contents(folder, tmp_path / "m")
    assert found == {"a": sha(b"one"), "deep/b": sha(b"two")}
    assert digest_of(found) != digest_of({"a": sha(b"two"), "deep/b": sha(b"one")})
    assert digest_of(found) == digest_of(dict(reversed(found.items())))


def test_what_settled_is_read_once(tmp_path, at_once, read):
    for name in "abc":
        (tmp_path / name).write_text(name)
    folder, memory = tmp_path, tmp_path.with_name("memory")
    first = contents(folder, memory)
    assert read == ["a", "b", "c"]
    assert contents(folder, memory) == first and len(read) == 3
    (folder / "b").write_text("B")
    assert contents(folder, memory)["b"] == sha(b"B")
    assert read[3:] == ["b"]
    (folder / "b").unlink()
    assert set(contents(folder, memory)) == {"a", "c"} and len(read) == 4


def test_what_may_still_change_is_not_remembered(tmp_path, read):
    path, memory = tmp_path / "a", tmp_path / "m"
    path.write_text("x")
    contents(path, memory)
    contents(path, memory)
    assert read == ["a", "a"]


@pytest.mark.parametrize("way", ["in place", "renamed over", "truncated and grown"])
def test_a_time_stamp_that_is_put_back_does_not_help(tmp_path, at_once, way):
    path, memory = tmp_path / "a", tmp_path / "m"
    path.write_bytes(b"x" * 100)
    os.utime(path, ns=(5, 10**18))
    assert contents(path, memory) == {".": sha(b"x" * 100)}
    if way == "renamed over":
        other = tmp_path / "b"
        other.write_bytes(b"y" * 100)
        os.replace(other, path)
    else:
        with path.open("r+b") as file:
            if way != "in place":
                file.truncate(0)
            file.write(b"y" * 100)
    os.utime(path, ns=(5, 10**18))
    assert contents(path, memory) == {".": sha(b"y" * 100)}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{".": 3}', b'{".": [1]}', b"\xff"])
def test_a_damaged_memory_is_made_again(tmp_path, at_once, read, damage):
    path, memory = tmp_path / "a", tmp_path / "m"
    path.write_text("x")
    contents(path, memory)
    (store,) = memory.iterdir()
    store.write_bytes(damage)
    assert contents(path, memory) == {".": sha(b"x")}
    assert contents(path, memory) == {".": sha(b"x")}
    assert read == ["a", "a"]


def test_a_memory_that_cannot_be_written_is_said(tmp_path, at_once, caplog):
    path = tmp_path / "a"
    path.write_text("x")
    with caplog.at_level(logging.WARNING, "mmbench.data"):
        assert contents(path, tmp_path / "a" / "m") == {".": sha(b"x")}
    assert "cannot be written" in caplog.text


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=3)), min_size=1, max_size=8))
def test_the_answer_is_always_that_of_reading_all(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("files")
    held = {}
    for name, data in changes:
        (folder / name).write_bytes(data)
        held[name] = sha(data)
        assert contents(folder, folder.with_name(f"{folder.name}-memory")) == held
