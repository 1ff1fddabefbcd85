"""Which GPUs are seen by whom, on made-up machines."""

import os
from collections import Counter

import pytest

from mmbench.grid.devices import deal, make_slots, say_slots, seen_gpus, using_device
from mmbench.grid.environment import VISIBLE, cuda_gpus
from mmbench.grid.registry import UsageError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Call it with the names of GPUs: the driver's tool then lists them as 0, 1 and so on."""
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def build(*names):
        lines = "".join(f"{n}, GPU-{n}abc, {name}\n" for n, name in enumerate(names))
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
        tool.chmod(0o755)
        monkeypatch.setattr("mmbench.grid.environment.shutil.which", lambda name: str(tool))
        cuda_gpus.cache_clear()

    build()
    yield build
    cuda_gpus.cache_clear()


@pytest.mark.parametrize(
    ("word", "keys", "names"),
    [
        ("auto", None, ["A", "B", "C"]),
        ("cuda", None, ["A", "B", "C"]),
        ("cpu", "", []),
        ("cuda:1", "1", ["B"]),
        ("cuda:2,0,2", "2,0", ["C", "A"]),
    ],
)
def test_a_word_hides_the_other_gpus_as_long_as_it_holds(machine, word, keys, names):
    machine("A", "B", "C")
    with using_device(word):
        assert os.environ.get(VISIBLE) == keys
        assert [gpu.name for gpu in cuda_gpus()] == names
    assert VISIBLE not in os.environ
    assert len(cuda_gpus()) == 3


def test_numbers_are_those_of_what_is_visible_already(machine, monkeypatch):
    machine("A", "B", "C")
    monkeypatch.setenv(VISIBLE, "GPU-2,0")
    cuda_gpus.cache_clear()
    with using_device("cuda:0"):
        assert [gpu.name for gpu in cuda_gpus()] == ["C"]
    assert os.environ[VISIBLE] == "GPU-2,0"
    assert [gpu.name for gpu in cuda_gpus()] == ["C", "A"]


@pytest.mark.parametrize(
    ("names", "word", "said"),
    [
        ([], "cuda", r"--device cuda: no CUDA GPU is visible here; nvidia-smi shows"),
        ([], "cuda:0", r"--device cuda:0: no CUDA GPU is visible here"),
        (["A"], "cuda:1", r"there is no cuda:1 here\. There is cuda:0 \(A\)"),
        (["A"], "cuba", r"not 'cuba'\. Did you mean cuda or cpu\?"),
        (["A"], "cuda:x", r"a GPU such as cuda:1 or cuda:0,2, not 'cuda:x'"),
        (["A"], "", r"not ''"),
    ],
)
def test_what_is_not_here_is_said(machine, names, word, said):
    machine(*names)
    with pytest.raises(UsageError, match=said), using_device(word):
        pass


def test_a_variable_that_hides_gpus_is_named(machine, monkeypatch):
    machine("A")
    monkeypatch.setenv(VISIBLE, "-1")
    cuda_gpus.cache_clear()
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES='-1' is set"), using_device("cuda"):
        pass


@pytest.mark.parametrize(
    ("count", "each", "places"),
    [
        (0, 1, []),
        (2, 1, [("0",), ("1",)]),
        (2, 0.5, [("0",), ("1",), ("0",), ("1",)]),
        (1, 0.33, [("0",)] * 3),
        (5, 2, [("0", "1"), ("2", "3")]),
        (0, 0.5, []),
    ],
)
def test_gpus_are_dealt(machine, count, each, places):
    machine(*"ABCDE"[:count])
    assert deal(cuda_gpus(), each) == places


@pytest.mark.parametrize("each", [0.7, 1.5, 0, -1, 3])
def test_gpus_that_cannot_be_dealt_are_refused(machine, each):
    machine("A", "B")
    with pytest.raises(UsageError, match="--gpus-per-cell"):
        deal(cuda_gpus(), each)


@pytest.mark.parametrize(
    ("count", "jobs", "each", "seen"),
    [
        (0, 3, 1, [None] * 3),  # no GPU bounds nothing
        (1, 3, 1, [None]),
        (1, 3, 0.5, [None, None]),
        (2, 1, 1, [None]),  # a lone job sees all
        (2, 3, 1, ["0", "1"]),
        (2, 3, 0.5, ["0", "1", "0"]),
        (4, 8, 2, ["0,1", "2,3"]),
        (4, 1, 2, ["0,1"]),
    ],
)
def test_a_gpu_is_leased_to_one_cell_unless_it_is_told_otherwise(machine, count, jobs, each, seen):
    machine(*"ABCD"[:count])
    slots = make_slots(jobs, each)
    assert [slot.get(VISIBLE) for slot in slots] == seen
    assert most_on_a_gpu(slots) <= max(1, round(1 / each))
    threads = {slot.get("OMP_NUM_THREADS") for slot in slots}
    cores = str(max(1, (os.cpu_count() or 1) // len(slots)))
    assert threads == ({cores} if len(slots) > 1 else {None})


def most_on_a_gpu(slots):
    keys = Counter(key for slot in slots for key in slot.get(VISIBLE, "").split(",") if key)
    return max(keys.values(), default=0)


def test_threads_that_the_user_told_stand(machine, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert make_slots(2) == [{"OMP_NUM_THREADS": "3"}] * 2


def test_fewer_cells_at_once_are_said_with_what_would_share(machine):
    machine("A", "B")
    assert say_slots(2, 2, 1) == ""
    said = say_slots(5, 2, 1)
    assert said.startswith(
        "2 at once instead of 5: a cell leases 1 of 2 GPUs (--gpus-per-cell 0.333"
    )
    assert len(make_slots(5, 0.333)) == 5


def test_a_record_names_the_gpus_of_its_cell(machine):
    machine("A", "B", "A")
    assert seen_gpus({}) == "A, B, A"
    assert seen_gpus({VISIBLE: "1"}) == "B"
    assert seen_gpus({VISIBLE: "2,1"}) == "B, A"
    machine()
    assert seen_gpus({}) is None
