"""``demo``: a made-up shop whose best possible figures are known.

Titles tell category and brand and nothing else, pictures tell style and colour and nothing else,
and the next item depends on all four, so a model that reads only one of the two stays measurably
short. See ``world`` for the rule, ``ceilings`` for what it allows.
"""

from __future__ import annotations

from pathlib import Path

from mmbench.hookspecs import DatasetInfo, RawDataset, hookimpl


class Demo:
    """The dataset plugin ``demo``."""

    info = DatasetInfo(
        id="demo",
        name="A made-up shop",
        licence="CC0-1.0 (made by this program)",
        origin="made on the spot by mmbench from a fixed seed",
        remarks=(
            "a made-up world: users, texts and pictures are drawn from a known rule",
            "times are positions",
        ),
        text=("title",),
    )

    @hookimpl
    def read(self, cache: Path) -> RawDataset:
        """The shop's events, titles and pictures (a zip below ``cache``, written once)."""
        import pandas as pd

        from mmbench.data.demo.ceilings import ceilings
        from mmbench.data.demo.pictures import write_pictures
        from mmbench.data.demo.world import make_world

        world = make_world()
        user, position = world.events()
        ids = [f"item-{i:03d}" for i in range(world.n_items)]
        events = pd.DataFrame(
            {
                "user": [f"user-{u:04d}" for u in user],
                "item": [ids[i] for i in world.history[user, position]],
                "time": position,
            }
        )
        items = pd.DataFrame({"item": ids, "title": world.titles()})
        images = {name: f"{name}.png" for name in ids}
        root = write_pictures(cache / "pictures.zip", world, images.values())
        return RawDataset(events, items, root, images, ceilings(world))
