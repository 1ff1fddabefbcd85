"""A tiny world whose next item depends on the title and the picture of the last one."""

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch
from mmbench_vlm2rec.configs import PRESETS
from mmbench_vlm2rec.models import VLM2Rec
from PIL import Image

from mmbench import Items, testing
from mmbench.testing import make_images

THINGS = ("tent", "lamp", "stove", "kettle")
COLOURS = ((200, 30, 30), (30, 160, 40), (30, 60, 210), (230, 200, 30))
N_ITEMS = len(THINGS) * len(COLOURS)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny tensors gain nothing from threads, and lose much where cores are shared."""
    torch.set_num_threads(1)


def make_queries(histories, width=12):
    return testing.make_queries(histories, width)


@pytest.fixture
def interactions_of():
    return testing.make_interactions


@pytest.fixture
def queries_of():
    return make_queries


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    """Item ``1 + 4 thing + colour``; the title tells the thing, the picture the colour."""
    titles = ["", *(f"one {thing}" for thing in THINGS for _ in COLOURS)]
    pictures = [Image.new("RGB", (32, 32), colour) for _ in THINGS for colour in COLOURS]
    store = make_images(tmp_path_factory.mktemp("shop") / "pictures", pictures)
    return Items(N_ITEMS, {"title": titles}, store)


@pytest.fixture(scope="session")
def sequences():
    """The next thing is one on from the last, and so is the next colour."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(48):
        thing, colour = int(rng.integers(4)), int(rng.integers(4))
        row = []
        for _ in range(int(rng.integers(3, 6))):
            row.append(1 + 4 * thing + colour)
            thing = (thing + 1) % 4
            colour = (colour + int(rng.choice([1, 2]))) % 4
        rows.append(row)
    return rows


@pytest.fixture
def run(tmp_path):
    record = SimpleNamespace(curve=[])
    log = lambda step, **values: record.curve.append((step, values))  # noqa: E731
    made = testing.make_run(tmp_path, log=log)
    return made, record


SMALL = {
    "image_size": 28,
    "dim": 32,
    "heads": 4,
    "layers": 1,
    "epochs": 1,
    "batch_size": 16,
    "probe_every": 0,
    "all_prefixes": False,
    "max_history": 3,
    "temperature": 0.1,
}


@pytest.fixture(scope="session")
def train(sequences):
    """All of them as training events."""
    return testing.make_interactions(sequences, N_ITEMS)


@pytest.fixture(scope="session")
def unfitted():
    """``unfitted(preset, **changes)``: a small model before ``fit``."""
    return lambda preset, **changes: VLM2Rec(replace(PRESETS[preset], **{**SMALL, **changes}))


@pytest.fixture
def fitted(run, items, train, unfitted):
    """``fitted(preset, **changes)``: a small model after ``fit``, with its curves."""

    def fit(preset="tiny", **changes):
        model = unfitted(preset, **changes)
        made, record = run
        model.fit(train=train, items=items, run=made)
        model.curve = record.curve
        return model

    return fit
