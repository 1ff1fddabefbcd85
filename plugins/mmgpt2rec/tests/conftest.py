"""A shop of sixteen items that titles and pictures tell apart, and small configs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_mmgpt2rec.backbone import load_gpt2
from mmbench_mmgpt2rec.configs import PRESETS
from mmbench_mmgpt2rec.network import Catalogue, GPT2Rec
from PIL import Image

from mmbench import Items, testing
from mmbench.testing import make_images

THINGS = ("hat", "boot", "scarf", "glove")
COLOURS = ((220, 20, 20), (20, 200, 30), (20, 30, 220), (210, 200, 10))
N_ITEMS = len(THINGS) * len(COLOURS)
N_USERS = 40
SMALL = {
    **{"dim": 16, "layers": 1, "heads": 2, "epochs": 2, "batch_size": 16, "max_history": 6},
    **{"precision": "float32", "dropout": 0.0, "warmup": 2},
}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny tensors gain nothing from threads, and lose much where cores are shared."""
    torch.set_num_threads(1)


def make_items(folder, n_items=N_ITEMS, things=THINGS):
    """Item ``i`` is thing ``(i - 1) % 4`` in colour ``(i - 1) // 4``; the last two lack a part."""
    rng = np.random.default_rng(1)
    pictures = []
    for number in range(n_items):
        noise = rng.integers(-20, 20, (20, 20, 3))
        colour = np.array(COLOURS[number // len(things) % len(COLOURS)])
        pictures.append(Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)))
    store = make_images(folder / "pictures", [*pictures[:-1], None])
    titles = [f"{things[number % len(things)]} of wool" for number in range(n_items)]
    titles[-2] = ""
    return Items(n_items, {"title": ("", *titles)}, store)


@pytest.fixture(scope="session")
def items(tmp_path_factory):
    return make_items(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def other_items(tmp_path_factory):
    """Another catalogue of the same words and colours: seven items."""
    return make_items(tmp_path_factory.mktemp("other"), 7, ("glove", "hat"))


@pytest.fixture(scope="session")
def train():
    """Users go on to the next item, round the shop."""
    rng = np.random.default_rng(2)
    starts, lengths = rng.integers(0, N_ITEMS, N_USERS), rng.integers(2, 9, N_USERS)
    walks = [(start + np.arange(n)) % N_ITEMS + 1 for start, n in zip(starts, lengths, strict=True)]
    return testing.make_interactions(walks, N_ITEMS)


def make_queries(histories, width=8):
    return testing.make_queries(histories, width)


@pytest.fixture
def queries_of():
    return make_queries


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
def catalogue():
    """Twelve items in 12 and 4 columns; row 3 has no picture, rows 2 and 7 are equal."""
    rng = np.random.default_rng(0)
    shown = np.arange(12) != 3
    text = rng.normal(size=(12, 12))
    image = rng.normal(size=(12, 4)) * shown[:, None]
    text[7], image[7] = text[2], image[2]
    return Catalogue((0.02 * text).astype(np.float32), (0.02 * image).astype(np.float32), shown)


@pytest.fixture
def network_of(small, tmp_path, catalogue):
    """``network_of(**changes)``: the untrained network, its settings as ``config``."""

    def make(**changes):
        torch.manual_seed(0)
        config = small(**changes)
        network = GPT2Rec(load_gpt2(config, tmp_path)[0], catalogue, config).eval()
        network.config = config
        return network

    return make


@pytest.fixture
def histories():
    """``histories([1, 2], [3])``: int64[b, w], left-padded."""

    def make(*rows, width=6):
        return torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])

    return make


@pytest.fixture
def nudge():
    """Gives a network weights that are nowhere special."""

    def move(network):
        made = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.1 * torch.randn(weight.shape, generator=made))

    return move
