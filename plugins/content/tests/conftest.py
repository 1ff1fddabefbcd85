"""A small shop with titles and pictures, and runs to fit models in."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmbench import Items, testing
from mmbench.testing import make_images

WIDTH = 8
COLOURS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 220)}
THINGS = ("hat", "boot", "scarf", "glove")


def make_queries(histories, user=None, width=WIDTH):
    return testing.make_queries(histories, width, user)


@pytest.fixture
def interactions_of():
    return testing.make_interactions


@pytest.fixture
def queries_of():
    return make_queries


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny tensors gain nothing from threads, and lose much where cores are shared."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def shop(tmp_path):
    """Twelve items, each colour with each thing; the last has neither title nor picture.

    A user stays with a colour, another with a thing.
    """
    kinds = [(colour, thing) for colour in COLOURS for thing in THINGS]
    rng = np.random.default_rng(0)
    pictures = []
    for colour, _ in kinds[:-1]:
        noise = rng.integers(-15, 15, (24, 24, 3))
        pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
        pictures.append(Image.fromarray(pixels))
    store = make_images(tmp_path / "pictures", [*pictures, None])
    titles = ["", *(f"{colour} {thing}" for colour, thing in kinds[:-1]), ""]
    brands = ["", *(f"{thing}ers of York" for _, thing in kinds[:-1]), ""]
    items = Items(len(kinds), {"title": titles, "brand": brands}, store)
    sequences = [[4 * k + j for j in (1, 2, 3)] for k in (0, 1)] + [[j, j + 4] for j in (1, 2, 3)]
    return SimpleNamespace(
        items=items,
        titles=titles,
        sequences=sequences,
        train=testing.make_interactions(sequences, len(kinds)),
        n_items=len(kinds),
        pictures=[None, *pictures, None],
    )


@pytest.fixture
def run_in(tmp_path):
    """``run_in(validate=..., seed=0)``: a Run that records what it is told."""

    def make(validate=lambda limit=None: 0.0, seed=0):
        record = SimpleNamespace(curve=[], progress=[])
        run = testing.make_run(
            tmp_path,
            seed=seed,
            validate=validate,
            log=lambda step, **values: record.curve.append((step, values)),
            progress=lambda done, total, unit: record.progress.append((done, total, unit)),
        )
        run.cache.mkdir(exist_ok=True)
        return run, record

    return make
