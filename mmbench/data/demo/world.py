"""The shop's rule and one draw of it.

An item has a category and a brand (told by its title), a style and a colour (shown by its
picture). From the last item ``l`` a user goes to an item ``i`` that they have not had with a
probability proportional to ``exp`` of ::

    CATEGORY_CATEGORY [category_i = sigma(category_l)] + STYLE_CATEGORY [category_i = tau(style_l)]
    + COLOUR_COLOUR   [colour_i = rho(colour_l)]       + BRAND_COLOUR   [colour_i = kappa(brand_l)]
    + BRAND_BRAND     [brand_i = brand_l]              + STYLE_STYLE    [style_i = style_l]

so the title and the picture of the last item each tell part of the title and part of the picture
of the next. sigma, rho are permutations, tau, kappa are injections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.views import Int64

Float64 = NDArray[np.float64]

CATEGORIES = ("tent", "stove", "lamp", "rucksack", "kettle", "hammock", "jacket", "bottle")
BRANDS = ("Nordlight", "Halden", "Brekka", "Marben", "Tindra", "Ulvik")
STYLES = ("disc", "square", "triangle", "diamond", "cross", "ring")
COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "brown")

SEED = 20250423
USERS = 2500
COPIES = 10  # items of each title, and of each picture
SHORTEST, LONGEST = 6, 12

CATEGORY_CATEGORY = COLOUR_COLOUR = 3.0
STYLE_CATEGORY = BRAND_COLOUR = 2.5
BRAND_BRAND = STYLE_STYLE = 2.0


@dataclass(frozen=True, slots=True)
class World:
    """The shop.

    Attributes:
        title: int64[n_items], ``category * len(BRANDS) + brand``.
        picture: int64[n_items], ``style * len(COLOURS) + colour``.
        weight: float64[n_items, n_items], how likely ``l`` (row) is followed by ``i`` (column),
            unnormalised and before the items that the user had are taken out.
        history: int64[users, LONGEST], items in order; what is past ``length`` is no event.
        length: int64[users].
    """

    title: Int64
    picture: Int64
    weight: Float64
    history: Int64
    length: Int64

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.title)

    def titles(self) -> list[str]:
        """The text of each item: brand and category."""
        return [f"{BRANDS[t % len(BRANDS)]} {CATEGORIES[t // len(BRANDS)]}" for t in self.title]

    def events(self) -> tuple[Int64, Int64]:
        """(user, position) of each event, in user order."""
        user = np.repeat(np.arange(len(self.length)), self.length)
        starts = np.repeat(np.cumsum(self.length) - self.length, self.length)
        return user.astype(np.int64), (np.arange(len(user)) - starts).astype(np.int64)

    def seen(self, without: int) -> NDArray[np.bool_]:
        """bool[users, n_items]: what each user had before their last ``without`` events."""
        had = np.zeros((len(self.length), self.n_items), dtype=bool)
        user, position = self.events()
        early = position < self.length[user] - without
        had[user[early], self.history[user[early], position[early]]] = True
        return had

    def next_item(self, without: int = 1) -> Float64:
        """float64[users, n_items]: the true probability of the event after the shown ones."""
        last = self.history[np.arange(len(self.length)), self.length - 1 - without]
        chance = self.weight[last] * ~self.seen(without)
        probability: Float64 = chance / chance.sum(axis=1, keepdims=True)
        return probability


def make_world(seed: int = SEED) -> World:
    """The shop of a seed; ``demo`` is that of ``SEED``, the same on every machine."""
    rng = np.random.Generator(np.random.Philox(seed))
    groups = len(CATEGORIES) * len(BRANDS)
    title = _shuffle(rng, np.tile(np.arange(groups), COPIES))
    picture = _shuffle(rng, np.tile(np.arange(len(STYLES) * len(COLOURS)), COPIES))
    weight = np.exp(_logits(rng, title, picture))
    length = SHORTEST + (rng.random(USERS) * (LONGEST - SHORTEST + 1)).astype(np.int64)
    return World(title, picture, weight, _walk(rng, weight), length)


def _shuffle(rng: np.random.Generator, values: Int64) -> Int64:
    """Only ``rng.random`` is used: its stream is the same in every release of numpy."""
    return values[np.argsort(rng.random(len(values)), kind="stable")]


def _logits(rng: np.random.Generator, title: Int64, picture: Int64) -> Float64:
    category, brand = np.divmod(title, len(BRANDS))
    style, colour = np.divmod(picture, len(COLOURS))
    sigma = _shuffle(rng, np.arange(len(CATEGORIES)))
    tau = _shuffle(rng, np.arange(len(CATEGORIES)))
    rho = _shuffle(rng, np.arange(len(COLOURS)))
    kappa = _shuffle(rng, np.arange(len(COLOURS)))

    def match(wanted: Int64, found: Int64) -> Float64:
        return np.equal.outer(wanted, found).astype(np.float64)

    logits: Float64 = (
        CATEGORY_CATEGORY * match(sigma[category], category)
        + STYLE_CATEGORY * match(tau[style], category)
        + COLOUR_COLOUR * match(rho[colour], colour)
        + BRAND_COLOUR * match(kappa[brand], colour)
        + BRAND_BRAND * match(brand, brand)
        + STYLE_STYLE * match(style, style)
    )
    return logits


def _walk(rng: np.random.Generator, weight: Float64) -> Int64:
    """int64[USERS, LONGEST]: each user's way through the shop, no item twice."""
    everyone = np.arange(USERS)
    history = np.zeros((USERS, LONGEST), dtype=np.int64)
    free = np.ones((USERS, len(weight)), dtype=bool)
    history[:, 0] = (rng.random(USERS) * len(weight)).astype(np.int64)
    for step in range(1, LONGEST):
        last = history[:, step - 1]
        free[everyone, last] = False
        history[:, step] = draw(rng, weight[last] * free)
    return history


def draw(rng: np.random.Generator, weight: Float64) -> Int64:
    """int64[rows]: one column of each row, with a chance in proportion to its weight."""
    cumulated = weight.cumsum(axis=1)
    at = rng.random(len(weight)) * cumulated[:, -1]
    below: Int64 = (cumulated <= at[:, None]).sum(axis=1).astype(np.int64)
    return below
