"""comics: made-up readers of comics, who mostly go on to the next volume of what they read."""

import random
from pathlib import Path

import pandas as pd

from mmbench import DatasetInfo, RawDataset, Recipe, hookimpl

SERIES = (
    *("Lamplighters", "Salt and Rust", "The Quiet Orbit", "Moth Parade", "Harbour Nine"),
    *("Paper Kings", "Undertow", "Glass Weather", "Nightjar", "The Cartographers"),
)
VOLUMES, READERS = 24, 300
DAY = 86_400


class Comics:
    """Titles tell the series and the volume; nothing else tells what comes next."""

    info = DatasetInfo(
        id="comics",
        name="Comics, made up",
        licence="CC0-1.0",
        origin="made up, as an example",
        remarks=("made-up data",),
        text=("title",),
        recipe=Recipe(core=0, min_length=3),
    )

    @hookimpl
    def read(self, cache: Path) -> RawDataset:
        """The same every time: the chance that made it is part of it."""
        chance = random.Random(1)
        volumes = [(name, volume) for name in SERIES for volume in range(1, VOLUMES + 1)]
        chance.shuffle(volumes)
        ids = {volume: f"c{number}" for number, volume in enumerate(volumes)}
        items = [(ids[name, volume], f"{name}, vol. {volume}") for name, volume in volumes]
        events = [
            (f"reader{reader}", ids[volume], 1_700_000_000 + DAY * day + reader)
            for reader in range(READERS)
            for day, volume in enumerate(read_on(volumes, chance))
        ]
        return RawDataset(
            pd.DataFrame(events, columns=["user", "item", "time"]),
            pd.DataFrame(items, columns=["item", "title"]),
        )


def read_on(volumes: list[tuple[str, int]], chance: random.Random) -> list[tuple[str, int]]:
    """What one reader reads, in order, nothing twice."""
    name, volume = chance.choice(volumes)
    found: dict[tuple[str, int], None] = {}
    for _ in range(chance.randint(5, 9)):
        goes_on = chance.random() < 0.6 and volume < VOLUMES
        name, volume = (name, volume + 1) if goes_on else chance.choice(volumes)
        found[name, volume] = None
    return list(found)
