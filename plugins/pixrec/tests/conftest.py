"""A shop of twelve items on a ring, two of which have one text, and a tiny model to run on it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_pixrec.configs import PRESETS
from mmbench_pixrec.generator import Generator
from PIL import Image

from mmbench import Items, Queries, testing
from mmbench.testing import make_images

TITLES = [
    *("amber birch", "cedar denim", "ebony fern", "hazel indigo", "jade khaki", "linen maple"),
    *("navy olive", "pearl quartz", "rose sage", "teal umber", "velvet walnut", "amber birch"),
]
N_ITEMS = len(TITLES)
SMALL = {"dim": 32, "heads": 2, "epochs": 2, "batch_size": 4, "new_tokens": 12, "drafts": 6}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny tensors gain nothing from threads, and lose much where cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    """The last item has no picture."""
    colours = np.random.default_rng(1).integers(0, 256, (N_ITEMS, 3), dtype=np.uint8)
    pictures = [Image.fromarray(np.tile(colour, (16, 16, 1))) for colour in colours[:-1]]
    store = make_images(tmp_path_factory.mktemp("shop") / "pictures", [*pictures, None])
    return Items(N_ITEMS, {"title": ("", *TITLES)}, store)


@pytest.fixture(scope="session")
def train():
    rng = np.random.default_rng(2)
    starts, lengths = rng.integers(0, N_ITEMS, 21), rng.integers(2, 8, 21)
    sequences = [
        (start + np.arange(n)) % N_ITEMS + 1 for start, n in zip(starts, lengths, strict=True)
    ]
    return testing.make_interactions(sequences, N_ITEMS)


@pytest.fixture
def make_run(tmp_path):
    """``make_run(**changes)``: a run whose ``log`` is kept in ``make_run.curve``."""

    def make(**changes):
        log = {"log": lambda step, **values: make.curve.append((step, values))}
        return testing.make_run(tmp_path, **log | changes)

    make.curve = []
    return make


@pytest.fixture
def small():
    """``small(preset, **changes)``: a config that is smaller still."""

    def make(preset="tiny", **changes):
        return replace(PRESETS[preset], **{**SMALL, **changes})

    return make


@pytest.fixture
def generator(items, train, make_run, small):
    """``generator(preset, **changes)``: an untrained one."""

    def make(preset="tiny", **changes):
        torch.manual_seed(0)  # as seeded does for a fit
        return Generator(small(preset, **changes), train, items, make_run())

    return make


@pytest.fixture
def queries():
    """Three histories, the first of an unknown user, the last one empty."""
    history = np.array([[0, 0, 3, 4], [5, 6, 7, 8], [0, 0, 0, 0]], np.int32)
    user = np.array([-1, 1, 2], np.int32)
    return Queries(user, history, np.zeros((3, 4), np.int64))
