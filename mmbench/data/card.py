"""The dataset card: what a reader of a board should know of a log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.data.log import Log
from mmbench.data.scripts import scripts, unspaced
from mmbench.hookspecs import DatasetInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Group

    from mmbench.views import Int64

    Bool = NDArray[np.bool_]

WORTH_SAYING = 0.2  # share of titles
QUANTILES = {"min": 0.0, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}


def describe(
    log: Log,
    info: DatasetInfo,
    *,
    steps: Sequence[Mapping[str, Any]] = (),
    ceilings: Mapping[str, float] | None = None,
    clock: bool = True,
    unknown_items: int = 0,
    left_out: Mapping[str, str] | None = None,
    unusable_pictures: int = 0,
) -> dict[str, Any]:
    """The card of a prepared log, JSON-able.

    Args:
        log: the log, its own card is not read.
        info: what the dataset says of itself.
        steps: counts after each preparing step, ``{"step", "users", "items", "events"}``.
        ceilings: best possible figures, where known.
        clock: whether times are timestamps; otherwise they are positions.
        unknown_items: how many items of the log have no row in the items table.
        left_out: columns of the items table that no model may read, and why.
        unusable_pictures: how many items have a picture that is damaged, too large or unreadable.

    Returns:
        Counts, ``length`` (events a user: quantiles and mean), shares in 0..1 (``time_ties``: of
        neighbouring events of a user, those in the same second; ``tied_targets``: of users, those
        whose last event shares its second with the one before; ``without_title`` and
        ``without_image``: of items; ``repeating_users``: of users, those with an item twice;
        ``repeated_events``: of events, those with an item that the user has had;
        ``repeated_targets``: of users, those whose last event is one; ``cold_targets``: of users,
        those whose last item is in no event but last and next to last ones, so that training never
        sees it; ``scripts``: of titles, those mostly in each script),
        ``ties`` (what orders events at the same time, ``hash`` or ``source``), and the given facts.
        ``tied_targets`` and ``ties`` are None where times are positions: no moment is known.
    """
    lengths = np.bincount(log.user, minlength=log.n_users)
    same_user = log.user[1:] == log.user[:-1]
    ties = same_user & (log.time[1:] == log.time[:-1])
    last = np.flatnonzero(np.diff(log.user, append=-1))
    tied_last = np.append(False, ties)[last]
    pairs = np.unique(log.user.astype(np.int64) * (log.n_items + 1) + log.item)
    distinct = np.bincount(pairs // (log.n_items + 1), minlength=log.n_users)
    again = _seen_before(log)
    fields = dict(log.items.fields)
    titles = next(iter(fields.values()), ("",) * (log.n_items + 1))
    images = log.items.images
    drawn = 0 if images is None else len(images.items())
    return {
        "id": log.id,
        "name": info.name or log.id,
        "fingerprints": asdict(log.fingerprints),
        "users": log.n_users,
        "items": log.n_items,
        "events": len(log.item),
        "density": len(log.item) / (log.n_users * log.n_items),
        "length": {name: float(np.quantile(lengths, q)) for name, q in QUANTILES.items()}
        | {"mean": float(lengths.mean())},
        "time": "timestamps" if clock else "positions",
        "time_ties": float(ties.sum() / max(1, same_user.sum())),
        "tied_targets": float(tied_last.mean()) if clock else None,
        "ties": info.recipe.ties if clock else None,
        "repeating_users": float((distinct < lengths).mean()),
        "repeated_events": float(again.mean()),
        "repeated_targets": float(again[last].mean()),
        "cold_targets": _cold_targets(log, last),
        "scripts": scripts(titles[1:]),
        "text": list(fields),
        "left_out": dict(left_out or {}),
        "without_title": sum(not title.strip() for title in titles[1:]) / log.n_items,
        "without_image": 1 - drawn / log.n_items,
        "unusable_pictures": unusable_pictures,
        "pictures": {"named": drawn + unusable_pictures, "decoded": drawn},
        "unknown_items": unknown_items,
        "licence": info.licence,
        "origin": info.origin,
        "lineage": info.lineage or info.id.partition("[")[0],
        "remarks": list(info.remarks),
        "recipe": json.loads(json.dumps(asdict(info.recipe))),
        "steps": [dict(step) for step in steps],
        "ceilings": dict(ceilings or {}),
    }


def _seen_before(log: Log) -> Bool:
    """bool[n]: whether the user has had the item before."""
    order = np.lexsort((np.arange(len(log.item)), log.item, log.user))
    user, item = log.user[order], log.item[order]
    again = np.zeros(len(order), dtype=bool)
    again[order[1:]] = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    return again


def _cold_targets(log: Log, last: Int64) -> float:
    """The share of last events whose item no event trains, where the last two of a user do not."""
    trains = np.ones(len(log.item), dtype=bool)
    trains[last] = False
    before = last[last > 0] - 1
    trains[before[log.user[before] == log.user[before + 1]]] = False
    known = np.zeros(log.n_items + 1, dtype=bool)
    known[log.item[trains]] = True
    return float((~known[log.item[last]]).mean())


def render(card: Mapping[str, Any]) -> Group:
    """The card as rich tables, for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    for name, value in _facts(card):
        facts.add_row(name, Text(value))
    steps = Table("step", title="preparing", title_justify="left")
    for column in ("users", "items", "events"):
        steps.add_column(column, justify="right")
    for step in card["steps"]:
        steps.add_row(str(step["step"]), *(f"{step[c]:,}" for c in ("users", "items", "events")))
    return Group(facts, steps) if card["steps"] else Group(facts)


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The card's plain lines, name and value; lines without a value are left out."""
    length, prints = card["length"], card["fingerprints"].items()
    lines = [
        ("dataset", f"{card['id']} ({card['name']})"),
        ("fingerprints", ", ".join(f"{part} {one}" for part, one in prints if one)),
        ("users", f"{card['users']:,}"),
        ("items", f"{card['items']:,}"),
        ("events", f"{card['events']:,} (density {card['density']:.3%})"),
        ("sampled", "{users:,} of {of:,} users".format(**card["sampled"]))
        if "sampled" in card
        else ("sampled", ""),
        (
            "events a user",
            f"mean {length['mean']:.2f}, " + ", ".join(f"{q} {length[q]:g}" for q in QUANTILES),
        ),
        ("time", _times(card)),
        ("repeats", _repeats(card)),
        (
            "cold targets",
            f"{card['cold_targets']:.2%} of users' last items are in no training event",
        ),
        ("text", ", ".join(card["text"]) or "none"),
        ("scripts", _scripts(card)),
        ("left out", "\n".join(f"{column}: {why}" for column, why in card["left_out"].items())),
        ("without title", f"{card['without_title']:.2%} of items"),
        ("without image", f"{card['without_image']:.2%} of items{_unusable(card)}"),
        ("pictures", _pictures(card)),
        ("addresses", _addresses(card)),
        ("unknown items", f"{card['unknown_items']:,}" if card["unknown_items"] else ""),
        ("licence", card["licence"] or "not stated"),
        ("origin", card["origin"]),
        ("fetched", card.get("untried", "")),
        ("lineage", "" if card["lineage"] == card["id"] else card["lineage"]),
        ("remarks", "\n".join(card["remarks"])),
        ("ceilings", "\n".join(f"{k}: {v:.4f}" for k, v in card["ceilings"].items())),
    ]
    return [(name, value) for name, value in lines if value]


def _repeats(card: Mapping[str, Any]) -> str:
    """How often a user has an item again."""
    return (
        f"{card['repeating_users']:.2%} of users have an item twice; {card['repeated_events']:.2%} "
        f"of events, and {card['repeated_targets']:.2%} of last ones, are of an item that the user "
        "has had"
    )


def _scripts(card: Mapping[str, Any]) -> str:
    """What titles are written in, and a warning where that has no spaces."""
    shares = {name: share for name, share in card["scripts"].items() if share >= 0.0005}
    said = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    without = sum(unspaced(card["scripts"]).values())
    if without < WORTH_SAYING:
        return said
    return (
        f"{said}; {without:.0%} have no spaces between words, where models that count words, such "
        "as bm25-text and tfidf, take a title for a word or two"
    )


def _pictures(card: Mapping[str, Any]) -> str:
    """How many of the pictures that are named can be decoded."""
    named, decoded = card["pictures"]["named"], card["pictures"]["decoded"]
    return f"{decoded:,} of {named:,} decode ({decoded / named:.2%})" if named else ""


def _addresses(card: Mapping[str, Any]) -> str:
    """What came of the addresses that photographs were asked for at."""
    told = card.get("addresses")
    if not told:
        return ""
    why = ", ".join(f"{reason} {count:,}" for reason, count in told["why"].items())
    return (
        f"{told['used']:,} of {told['asked']:,} gave a photograph, {told['dead']:.2%} none"
        f"{f' ({why})' if why else ''}"
    )


def _unusable(card: Mapping[str, Any]) -> str:
    """How many of the items without a picture have one that cannot be used."""
    count = card["unusable_pictures"]
    return f", {count:,} of them as theirs is damaged, too large or unreadable" if count else ""


def _times(card: Mapping[str, Any]) -> str:
    """How well the source tells the order of events, and what was done where it does not."""
    if card["time"] == "positions":
        return "positions: the source tells no moments, only an order, which is kept"
    orders = {
        "hash": "in an order that a hash draws, the same for everybody",
        "source": "in the order of the source's rows, an artefact that a model may live on",
    }
    return (
        f"timestamps; {card['tied_targets']:.1%} of users have their last event at the same time "
        f"as the one before, as have {card['time_ties']:.1%} of all neighbouring events; events "
        f"at the same time stand {orders[card['ties']]}"
    )
