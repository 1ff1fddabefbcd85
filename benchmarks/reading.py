"""Reading a catalogue and histories with a vision-language backbone: what two habits are worth.

    python benchmarks/reading.py                            # made-up titles and pictures
    MMBENCH_DATA=... python benchmarks/reading.py --data ml-latest-small

*Pictures that are kept.* A catalogue of titles and pictures is embedded twice by a backbone whose
vision tower is not trained: once with an empty cache, once with the pictures' features in it.

*Batches of like lengths.* Histories of 1 to 10 titles go through the language model in batches, as
they come or sorted by length as ``mmbench.vlm`` sorts them: read once each, and trained (forward
and backward) in the order of an epoch. The vectors must be equal to 1e-5.

The backbone is a tiny model; its tower and its language model are equally small, as they are
equally deep in the models it stands for. Times are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from data import describe_machine  # sets one thread; before torch is loaded

# isort: split
import torch
from PIL import Image

from mmbench import Items, vlm
from mmbench.data import load
from mmbench.testing import make_images, make_run
from mmbench.vlm.batches import shuffled_by_length
from mmbench.vlm.embedding import last_token

Order = Iterable[np.ndarray]


def made_up(items: int, side: int, folder: Path) -> Items:
    """Titles of 3 to 30 words out of 2,000, and pictures of coloured blocks."""
    rng = np.random.default_rng(0)
    titles, pictures = [""], []
    for _ in range(items):
        words = rng.integers(2000, size=rng.integers(3, 31))
        titles.append(" ".join(f"w{word}" for word in words))
        blocks = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)
        pictures.append(picture)
    return Items(items, {"title": tuple(titles)}, make_images(folder / "pictures", pictures))


def histories(items: int, count: int) -> list[list[int]]:
    """Most of them short, as in a shop: lengths are geometric with mean 3, at most 10."""
    rng = np.random.default_rng(1)
    lengths = np.minimum(rng.geometric(1 / 3, count), 10)
    return [rng.integers(1, items + 1, length).tolist() for length in lengths]


def measure_pictures(items: Items, config: vlm.BackboneConfig, folder: Path) -> dict[str, float]:
    """Processor seconds to embed the catalogue, with the cache cold and warm."""
    run = make_run(folder)
    titles = items.fields["title"]
    seconds, vectors = {}, []
    for state in ("cold", "warm"):
        backbone = vlm.load_backbone(config, run, texts=titles)
        begun = time.process_time()
        pictures = vlm.Pictures(backbone, items.images, folder / "encodings")
        prompts = [
            vlm.Prompt([titles[item], vlm.Image(item)] if item in pictures else [titles[item]])
            for item in range(1, items.n_items + 1)
        ]
        vectors.append(vlm.embed(backbone, prompts, pictures))
        seconds[state] = time.process_time() - begun
    np.testing.assert_allclose(*vectors, atol=1e-5)
    return seconds


def measure_lengths(
    items: Items, config: vlm.BackboneConfig, count: int, batch_size: int, folder: Path
) -> dict[str, tuple[float, float]]:
    """(processor seconds, share of padding) to read and to train, by the order of the batches."""
    backbone = vlm.load_backbone(config, make_run(folder), texts=items.fields["title"])
    titles = items.fields["title"]
    encoded = [
        backbone.encode(vlm.Prompt([f"{place}) {titles[item]} " for place, item in enumerate(row)]))
        for row in histories(items.n_items, count)
    ]
    lengths = [len(prompt) for prompt in encoded]
    rng = np.random.default_rng(2)
    as_they_come = cut(np.arange(count), batch_size)
    epoch = cut(rng.permutation(count), batch_size)
    sorted_epoch = cut(shuffled_by_length(lengths, batch_size, rng), batch_size)
    by_length = cut(np.argsort(-np.asarray(lengths), kind="stable"), batch_size)
    found = {}
    vectors = []
    for name, order in (("read, as they come", as_they_come), ("read, by length", by_length)):
        seconds, rows = read(backbone, encoded, order)
        found[name] = (seconds, padding(lengths, order))
        vectors.append(rows)
    np.testing.assert_allclose(*vectors, atol=1e-5)
    for name, order in (("train, shuffled", epoch), ("train, by length", sorted_epoch)):
        found[name] = (train(backbone, encoded, order), padding(lengths, order))
    return found


def cut(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches of an order."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def padding(lengths: Sequence[int], order: Order) -> float:
    """The share of a batch's places that hold no token."""
    widths = np.asarray(lengths)
    held = sum(len(part) * int(widths[part].max()) for part in order)
    return 1 - int(widths.sum()) / held


def read(
    backbone: vlm.Backbone, encoded: Sequence[vlm.Encoded], order: Order
) -> tuple[float, np.ndarray]:
    """Processor seconds, and the vectors in the order of ``encoded``."""
    vectors = np.zeros((len(encoded), backbone.dim), np.float32)
    backbone.eval()
    begun = time.process_time()
    with torch.inference_mode():
        for part in order:
            batch = backbone.batch([encoded[row] for row in part], None)
            vectors[part] = last_token(backbone(batch), batch.attended).numpy()
    return time.process_time() - begun, vectors


def train(backbone: vlm.Backbone, encoded: Sequence[vlm.Encoded], order: Order) -> float:
    """Processor seconds of an epoch, forward and backward."""
    backbone.train()
    begun = time.process_time()
    for part in order:
        batch = backbone.batch([encoded[row] for row in part], None)
        last_token(backbone(batch), batch.attended).square().mean().backward()
        backbone.zero_grad()
    return time.process_time() - begun


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbone", default="tiny:qwen2.5-vl")
    parser.add_argument("--data", help="a dataset's titles and pictures instead of made-up ones")
    parser.add_argument("--items", type=int, default=1000, help="of the made-up catalogue")
    parser.add_argument("--side", type=int, default=224, help="of a picture, in pixels")
    parser.add_argument("--histories", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = vlm.BackboneConfig(given.backbone, image_size=given.side, chat=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = load(given.data).items if given.data else made_up(given.items, given.side, folder)
        seconds = measure_pictures(items, config, folder)
        times = measure_lengths(items, config, given.histories, given.batch, folder)
    print(describe_machine())
    print(f"\n| catalogue of {items.n_items:,}, {given.side} px | seconds | x |\n|:--|--:|--:|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.1f} | {seconds['cold'] / value:.1f} |")
    print(f"\n| {given.histories:,} histories | seconds | padding | x |\n|:--|--:|--:|--:|")
    for way in ("read", "train"):
        rows = [(name, *found) for name, found in times.items() if name.startswith(way)]
        for name, value, empty in rows:
            print(f"| {name} | {value:.1f} | {empty:.0%} | {rows[0][1] / value:.2f} |")


if __name__ == "__main__":
    main()
