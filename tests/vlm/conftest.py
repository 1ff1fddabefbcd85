import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from mmbench import ImageStore, Run, testing, vlm
from mmbench.testing import make_images

TITLES = ["", "Red Lipstick Matte", "Blue Nail Polish", "Soft Brush Set", "Night Face Cream"]
TITLES += ["Gold Hair Spray", "Clear Eye Gel", "Red Lipstick Matte"]
SEEING = ["qwen2.5-vl", "qwen2-vl", "smolvlm", "idefics3", "paligemma2", "llava", "internvl3"]
SEEING += ["effnet-smollm2"]
READING = ["qwen2.5", "smollm2"]
FAMILIES = SEEING + READING


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> ImageStore:
    """Pictures of items 1 to 6; 7 has the same as 1."""
    pixels = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one) for one in pixels]
    return make_images(tmp_path_factory.mktemp("shop") / "pictures", [*pictures, pictures[0]])


def make_run(folder: Path, **changes) -> Run:
    return testing.make_run(folder, **{"seed": 3} | changes)


@pytest.fixture
def run(tmp_path) -> Run:
    return make_run(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Backbones that no test changes: family and settings to one of them."""

    @cache
    def make(family: str, **settings) -> vlm.Backbone:
        folder = tmp_path_factory.mktemp("shared")
        config = vlm.BackboneConfig(backbone=f"tiny:{family}", **{"trained": "none", **settings})
        return vlm.load_backbone(config, make_run(folder), TITLES)

    return make


@pytest.fixture
def fresh(run):
    """A backbone of the test's own."""

    def make(family: str, **settings) -> vlm.Backbone:
        settings = {"lora_rank": 4, **settings}
        return vlm.load_backbone(
            vlm.BackboneConfig(backbone=f"tiny:{family}", **settings), run, TITLES
        )

    return make


def shown(pictures, *items: int) -> list:
    """Titles, and pictures where the model sees them."""
    parts: list = []
    for item in items:
        parts += [f"{TITLES[item]} ", *([vlm.Image(item)] if item in pictures else [])]
    return parts
