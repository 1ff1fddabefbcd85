"""A contrast in plain words: what was compared, on whom, how sure it is, and what may be said."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len

from mmbench.protocol.candidate_sets import CANDIDATE_SETS
from mmbench.report.contrast import Contrast, Side
from mmbench.report.statistics import ALPHA, Interval
from mmbench.report.words import decimals, plain, plural


def contrast_lines(found: Contrast) -> list[str]:
    """The contrast as lines of text: the question, who was asked, figures, evidence, verdict."""
    blocks = [
        _question(found),
        _who(found),
        _figures(found),
        _evidence(found),
        [verdict(found)],
        _remarks(found),
    ]
    return [line for block in blocks for line in [*block, ""]][:-1]


def verdict(found: Contrast) -> str:
    """One sentence: what may be concluded."""
    told, (a, b) = found.difference, names(found)
    known = all(told.noise_known)
    whom = "other users and other seeds" if known else "other users, with these trained models"
    span = f"{signed(told.absolute.low)} and {signed(told.absolute.high)}"
    margin = share(told.margin)
    if not told.absolute.value and not told.error:
        return f"{a} and {b} have the same figure for every user: there is nothing to choose."
    if told.p < ALPHA:
        first, second = (a, b) if told.absolute.value > 0 else (b, a)
        how = "has a higher figure than" if found.across else "is better than"
        but = f", if by less than {margin}" if told.equivalent else ""
        return f"{first} {how} {second}{but}: for {whom}, {a} minus {b} is between {span} (95%)."
    if told.equivalent:
        return f"{a} and {b} are equivalent: for {whom}, they differ by less than {margin}."
    return (
        f"These data do not tell {a} from {b}: for {whom}, {a} minus {b} may be anything between "
        f"{span} (95%)."
    )


def names(found: Contrast) -> tuple[str, str]:
    """What the two rows are called, and, where that is the same, what else tells them apart."""
    a, b = (plain(side.row.name) for side in (found.a, found.b))
    if a != b:
        return a, b
    places = [
        (side.board.protocol, side.board.dataset, side.board.fingerprint, side.row.first.cell.id)
        for side in (found.a, found.b)
    ]
    other = [k for k in range(4) if places[0][k] != places[1][k]]
    telling = [k for k in other if k < 2] or other[:1]
    a, b = (f"{a} ({', '.join(plain(place[k]) for k in telling)})" for place in places)
    return a, b


def _question(found: Contrast) -> list[str]:
    known = CANDIDATE_SETS.get(found.candidates)
    a, b = names(found)
    title = f"{a} against {b}: {found.metric}, {found.candidates}"
    if known:
        title += f" ({known.title})"
    if not found.across:
        return [title, f"on {_where(found.a)}"]
    return [
        title,
        f"{a}: on {_where(found.a)}; {b}: on {_where(found.b)}",
        "They answer different questions: a difference is one of the questions as well.",
    ]


def _where(side: Side) -> str:
    return f"{plain(side.board.dataset)}, {plain(side.board.protocol)}"


def _who(found: Contrast) -> list[str]:
    told = found.difference
    if told.paired:
        by = {"user": "their ids", "query": "their place in the test fold"}[found.pairs]
        users = f"{plural(told.users[0], 'user')}, each held against themselves (told by {by})"
        if found.dropped:
            users += f"; {found.dropped:,} whom only one of the two was asked about are left out"
    else:
        users = (
            f"{told.users[0]:,} and {plural(told.users[1], 'user')}, not paired, as "
            f"{found.unpaired}: the interval is wider than with pairs (Welch)"
        )
    sides = zip(names(found), told.seeds, told.noise_known, strict=True)
    return [users, *(_seeds(*side) for side in sides)]


def _seeds(name: str, count: int, known: bool) -> str:
    if count > 1:
        return f"{name}: the mean of {count} seeds"
    if known:
        return f"{name}: one seed, and every seed of its model gives equal ranks"
    return f"{name}: one seed, so that its seed noise is unknown, and not in the interval"


def _figures(found: Contrast) -> list[str]:
    told, (a, b) = found.difference, names(found)
    lines = [
        (a, decimals(told.a), ""),
        (b, decimals(told.b), ""),
        ("difference", signed(told.absolute.value), _between(told.absolute, signed)),
    ]
    if told.relative is not None:
        value = percent(told.relative.value)
        lines.append(("in percent of the second", value, _between(told.relative, percent)))
    width = max(cell_len(name) for name, _, _ in lines)
    return [
        f"{name}{' ' * (width - cell_len(name))}  {value:>8}  {rest}".rstrip()
        for name, value, rest in lines
    ]


def _between(interval: Interval, show: Callable[[float], str]) -> str:
    return f"95% interval {show(interval.low)} to {show(interval.high)}"


def _evidence(found: Contrast) -> list[str]:
    told = found.difference
    parts = f"users {told.user_error:.5f}, seeds {told.seed_error:.5f}"
    lines = [
        f"p {chance(told.p)}, t with {told.df:,.1f} degrees of freedom; "
        f"standard error {told.error:.5f} ({parts})"
    ]
    if told.won is not None and told.level is not None and told.lost is not None:
        size = "" if told.d_z is None else f"; effect size d_z {told.d_z:+.3f}"
        lines.append(f"users won {told.won:.1%}, tied {told.level:.1%}, lost {told.lost:.1%}{size}")
    yes = "yes" if told.equivalent else "not shown"
    lines.append(f"equivalent within {share(told.margin)}: {yes}, p {chance(told.equivalence_p)}")
    part = f", {told.detectable / told.b:.1%} of {names(found)[1]}" if told.b > 0 else ""
    lines.append(
        f"smallest difference that such data show four times in five: {told.detectable:.5f}{part}"
    )
    return lines


def _remarks(found: Contrast) -> list[str]:
    """What must be known of the rows, and of looking often."""
    whose: dict[str, list[str]] = {}
    for name, side in zip(names(found), (found.a, found.b), strict=True):
        for note in side.row.notes:
            whose.setdefault(note, []).append(name)
    texts = [f"{' and '.join(rows)}: {plain(note)}" for note, rows in whose.items()]
    known = CANDIDATE_SETS.get(found.candidates)
    if known and known.sampled:
        texts.append("Sampled candidates change the order of models: look at full and unseen too.")
    return [*texts, "One pair was looked at; of many pairs, some differ like this by chance."]


def signed(value: float) -> str:
    """``+0.00156``; never ``-0.00000``."""
    return f"{value:+.5f}".replace("-0.00000", "+0.00000")


def percent(value: float) -> str:
    """``+2.8%``; never ``-0.0%``."""
    text = f"{value:+.1%}"
    return "+0.0%" if text == "-0.0%" else text


def share(value: float) -> str:
    """``1%``, ``0.5%``."""
    return f"{100 * value:g}%"


def chance(p: float) -> str:
    """``= 0.0543``, ``= 0.31``, ``< 0.0001``."""
    if p < 0.0001:
        return "< 0.0001"
    return f"= {p:.2f}" if p >= 0.0995 else f"= {p:.4f}"
