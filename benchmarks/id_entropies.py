"""What codes of TriAlignGR's ids leave open of an item of ``demo``, by the way ids are made.

    python benchmarks/id_entropies.py
    python benchmarks/id_entropies.py --seeds 5 --starts 1 10 20

Vectors are those of ``trialigngr/tiny``. A row has, for the first code alone and for the second
alone, the entropy that is left of category, brand, style and colour beside the whole: 1 where the
code tells nothing of it, 0 where it tells all; then the share of items that had to move to be
unique, and the error of the vectors beside their variance. With several seeds these are means, of
the error the least and the most.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from data import describe_machine, load  # sets one thread; before torch is loaded
from mmbench_trialigngr.catalogue import make_assets, make_ids, make_vectors
from mmbench_trialigngr.configs import PRESETS

from mmbench.data.demo.world import BRANDS, COLOURS, make_world
from mmbench.protocol import get_protocol, split
from mmbench.testing import make_run
from mmbench.toolkit.semantic_ids import SemanticIds

PARTS = ("category", "brand", "style", "colour")


def attributes(item_ids: tuple[str, ...]) -> dict[str, np.ndarray]:
    """int64[n_items] of each attribute, of items in the log's order."""
    world = make_world()
    place = np.array([int(name.removeprefix("item-")) for name in item_ids[1:]])
    title, picture = world.title[place], world.picture[place]
    return dict(
        zip(PARTS, (*np.divmod(title, len(BRANDS)), *np.divmod(picture, len(COLOURS))), strict=True)
    )


def entropy(*columns: np.ndarray) -> float:
    """Of how often each combination occurs."""
    _, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def left(codes: np.ndarray, told: dict[str, np.ndarray]) -> Iterator[float]:
    """What is left of each attribute when the first code is known, and when the second is."""
    for level, name in product((0, 1), PARTS):
        known = codes[:, level]
        yield max(0.0, (entropy(told[name], known) - entropy(known)) / entropy(told[name]))


def row(name: str, made: list[SemanticIds], told: dict[str, np.ndarray]) -> str:
    """A row of the table."""
    shares = np.mean([list(left(ids.codes[1:], told)) for ids in made], axis=0)
    errors = [ids.card.reconstruction_error or 0.0 for ids in made]
    moved = np.mean([ids.card.moved for ids in made])
    one, two = (" ".join(f"{value:.2f}" for value in part) for part in (shares[:4], shares[4:]))
    spread = " to ".join(f"{value:.3f}" for value in sorted({min(errors), max(errors)}))
    return f"| {name} | {one} | {two} | {moved:.0%} | {spread} |"


def main() -> None:
    """Print a row for each way to make ids."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=["rqvae", "rkmeans"])
    parser.add_argument("--sizes", nargs="+", default=["10x10x10x10", "32x32x32"])
    parser.add_argument("--starts", nargs="+", type=int, default=[20], help="of k-means")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=PRESETS["tiny"].id_epochs, help="of RQ-VAE")
    given = parser.parse_args()
    print(describe_machine())
    log = load("demo")
    told = attributes(log.item_ids)
    print(f"\n| ids | code 1: {', '.join(PARTS)} | code 2 | moved | error |\n|:--|:--|:--|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder))
        run.scratch.mkdir()
        config = PRESETS["tiny"]
        train = split(log, get_protocol("loo@2")).train
        vectors = make_vectors(config, log.items, make_assets(config, log.items, train, run), run)
        for method, sizes, starts in product(given.methods, given.sizes, given.starts):
            changed = replace(
                config,
                id_method=method,
                id_sizes=tuple(map(int, sizes.split("x"))),
                id_starts=starts,
                id_epochs=given.epochs,
            )
            made = [make_ids(changed, vectors, replace(run, seed=n)) for n in range(given.seeds)]
            print(row(f"{method}, {sizes}, begun {starts}x", made, told), flush=True)


if __name__ == "__main__":
    main()
