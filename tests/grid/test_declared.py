"""Which size ``auto`` takes: what the machine has decides, and the plan says why."""

import pytest

from mmbench.grid import declared
from mmbench.grid.declaration import Declaration
from mmbench.grid.declared import choose

HERE, ABSENT = "package:here", "package:absent"


def option(preset, *pretrained):
    return Declaration(preset, {}, pretrained=pretrained)


@pytest.fixture
def machine(monkeypatch):
    """``machine(gpu=...)``: with a GPU or none, with the weights ``HERE`` alone."""

    def make(gpu):
        monkeypatch.setattr(declared, "cuda_gpus", lambda: ("a card",) if gpu else ())

    def missing(source, models):
        if source == "package:broken":
            raise declared.WeightsError("not the one that is known")
        return "" if source == HERE else f"{source} is not installed"

    monkeypatch.setattr(declared, "missing", missing)
    return make


@pytest.mark.parametrize(
    ("gpu", "large", "small", "preset", "why"),
    [
        (True, HERE, HERE, "paper", ""),
        (True, ABSENT, HERE, "small", "package:absent is not installed"),
        (False, HERE, HERE, "small", "no CUDA GPU"),
        (False, HERE, ABSENT, "tiny", "no CUDA GPU; package:absent is not installed"),
        (False, HERE, "package:broken", "tiny", "no CUDA GPU; not the one that is known"),
    ],
)
def test_the_first_that_can_run_is_taken(gpu, large, small, preset, why, machine, tmp_path):
    machine(gpu)
    options = [option("paper", large), option("small", small), option("tiny")]
    found = choose(options, tmp_path)
    assert (found.preset, found.why) == (preset, why)


def test_all_of_a_preset_s_weights_are_wanted(machine, tmp_path):
    machine(True)
    found = choose([option("paper", HERE, ABSENT), option("tiny")], tmp_path)
    assert found.preset == "tiny"


def test_the_only_preset_is_taken_whatever_it_wants(machine, tmp_path):
    machine(False)
    found = choose([option("paper", ABSENT)], tmp_path)
    assert (found.preset, found.why) == ("paper", "")
