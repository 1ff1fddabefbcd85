"""Ids on the disk: whole or not there, checked when they are read, and made once."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mmbench.toolkit import semantic_ids
from mmbench.toolkit.semantic_ids import (
    DamagedError,
    SemanticIdConfig,
    cached,
    keeping,
    load,
    make_semantic_ids,
    save,
)

CONFIG = SemanticIdConfig(method="rkmeans", sizes=(8, 8, 8))


def catalogue(n=60, seed=0):
    return np.random.default_rng(seed).standard_normal((n + 1, 5)).astype(np.float32)


@pytest.fixture
def ids():
    return make_semantic_ids(catalogue(), CONFIG, 0)


@pytest.fixture
def path(tmp_path, ids):
    save(ids, tmp_path / "ids.safetensors")
    return tmp_path / "ids.safetensors"


def same(one, other):
    return (
        np.array_equal(one.codes, other.codes)
        and one.codes.dtype == other.codes.dtype
        and one.sizes == other.sizes
        and one.card == other.card
    )


def test_what_is_saved_comes_back(path, ids):
    assert same(load(path), ids)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with pytest.raises(ValueError, match="read-only"):
        load(path).codes[0] = 0


def test_the_same_ids_are_the_same_bytes(path, ids, tmp_path):
    save(ids, tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_damaged(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DamagedError, match=path.name):
        load(path)


def test_a_changed_byte_anywhere_is_noticed(path):
    data = path.read_bytes()
    for place in [*range(8, len(data), 97), len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DamagedError, match=path.name):
            load(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04N.", b"\xff" * 64])
def test_what_is_no_file_of_ids_is_never_unpickled(path, content):
    path.write_bytes(content)
    with pytest.raises(DamagedError):
        load(path)


def test_another_safetensors_file_is_none_of_ids(path):
    save_file({"weights": np.zeros(3, np.float32)}, path)
    with pytest.raises(DamagedError, match="no whole file of semantic ids"):
        load(path)
    save_file({"codes": np.zeros((3, 2), np.int32)}, path)
    with pytest.raises(DamagedError, match="no whole file of semantic ids"):
        load(path)


def test_another_version_is_not_read(path, ids, monkeypatch):
    monkeypatch.setattr(keeping, "VERSION", 0)
    save(ids, path)
    monkeypatch.undo()
    with pytest.raises(DamagedError, match="version 0, 1 is read"):
        load(path)


def test_a_write_that_fails_names_the_file_and_leaves_what_was_there(path, ids, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=path.name):
        save(make_semantic_ids(catalogue(), CONFIG, 1), path)
    monkeypatch.undo()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert same(load(path), ids)


@pytest.fixture
def made(monkeypatch):
    """How often ids were made."""
    calls = []

    def counting(*given, **hooks):
        calls.append(given)
        return make_semantic_ids(*given, **hooks)

    monkeypatch.setattr(keeping, "make_semantic_ids", counting)
    return calls


def test_ids_are_made_once(tmp_path, made, ids):
    for _ in range(2):
        assert same(cached(tmp_path, catalogue(), CONFIG, 0), ids)
    assert len(made) == 1


def test_all_that_ids_depend_on_tells_them_apart(tmp_path, made):
    changed = catalogue()
    changed[3, 2] += 1e-3
    cached(tmp_path, catalogue(), CONFIG, 0)
    cached(tmp_path, catalogue(), CONFIG, 1)
    cached(tmp_path, catalogue(), replace(CONFIG, unique="none"), 0)
    cached(tmp_path, changed, CONFIG, 0)
    assert len(made) == 4
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4


def test_damaged_ids_are_made_again(tmp_path, made, ids, caplog):
    cached(tmp_path, catalogue(), CONFIG, 0)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING, "mmbench"):
        assert same(cached(tmp_path, catalogue(), CONFIG, 0), ids)
    assert file.name in caplog.text
    assert len(made) == 2
    assert same(load(file), ids)


def test_every_public_name_is_there():
    for name in semantic_ids.__all__:
        assert getattr(semantic_ids, name).__doc__


def test_the_file_holds_codes_and_nothing_else(path, ids):
    held = load_file(path)
    assert list(held) == ["codes"]
    np.testing.assert_array_equal(held["codes"], ids.codes)
