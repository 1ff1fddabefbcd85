"""How well the next title of ``demo`` can be told by who knows the shop's rule and the last item.

    python benchmarks/demo_titles.py

Ten items share each title. Who writes a title cannot choose among them, so that they are tied. A
row has, over the targets of a fold, the log loss of the title in nats and the ndcg@10 on ``full``
where titles stand in the order of their chance: for who reads the last item's title, its picture,
or both. What came before the last item, and what the user had, is not looked at.
``mmbench data describe demo`` has what a reader of whole histories could do.
"""

from __future__ import annotations

import numpy as np
from data import describe_machine  # sets one thread

from mmbench.data.demo.ceilings import expected_ndcg
from mmbench.data.demo.world import Float64, World, make_world
from mmbench.views import Int64

READERS = ("its title", "its picture", "its title and picture")


def told(world: World, reader: str) -> Float64:
    """float64[n_items, titles]: the chance of the next title, by what is read of the last item."""
    step = world.weight / world.weight.sum(axis=1, keepdims=True)
    titles = step @ (world.title[:, None] == np.arange(world.title.max() + 1)).astype(np.float64)
    if reader == "its title and picture":
        return titles
    shown = world.title if reader == "its title" else world.picture
    alike = (shown[:, None] == shown).astype(np.float64)
    mean: Float64 = alike @ titles / alike.sum(axis=1, keepdims=True)
    return mean


def events(world: World, before_last: int) -> tuple[Int64, Int64]:
    """(last, target) of each user; 0 for the test fold, 1 for validation."""
    user, place = np.arange(len(world.length)), world.length - 1 - before_last
    return world.history[user, place - 1], world.history[user, place]


def main() -> None:
    """Print a row for each fold and reader."""
    world = make_world()
    print(describe_machine())
    print("\n| fold | who reads of the last item | nats a title | ndcg@10 |\n|:--|:--|--:|--:|")
    for fold, before_last in (("test", 0), ("validation", 1)):
        last, target = events(world, before_last)
        hit = np.zeros((len(last), world.n_items))
        hit[np.arange(len(last)), target] = 1
        for reader in READERS:
            chance = told(world, reader)[last]
            nats = -np.log(chance[np.arange(len(last)), world.title[target]]).mean()
            ndcg = expected_ndcg(hit, chance, world.title)
            print(f"| {fold} | {reader} | {nats:.3f} | {ndcg:.4f} |")


if __name__ == "__main__":
    main()
