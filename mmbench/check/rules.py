"""What a check is, and what comes of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmbench.grid.host import PluginFailure
from mmbench.grid.registry import UsageError
from mmbench.problems import did_you_mean

if TYPE_CHECKING:
    from mmbench.check.lab import Lab

Group = Literal["contract", "honesty", "sense"]
Status = Literal["passed", "failed", "known failure", "unexpected pass", "skipped"]
BAD: tuple[Status, ...] = ("failed", "unexpected pass")


class CheckFailed(AssertionError):
    """The model does not do what the check asks; the message says what was seen."""


class NotAsked(Exception):
    """The check does not apply to the model; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check.

    Attributes:
        name: the function's name, as ``known_failures`` and ``--only`` take it.
        group: contract, honesty or sense.
        run: returns, or raises CheckFailed or NotAsked.
        cells: the lab's cells that it looks at, beyond those of ``after``.
        after: checks without which this one has nothing to say; it is skipped if one fails.
    """

    name: str
    group: Group
    run: Callable[[Lab], None]
    after: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is checked, in a line."""
        return (self.run.__doc__ or "").strip().split("\n")[0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check. ``reason`` says why, for all but ``passed``."""

    check: str
    group: Group
    status: Status
    reason: str = ""
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        """Whether the model is at fault."""
        return self.status in BAD


def judge(lab: Lab, check: Check, every: Sequence[Check]) -> Verdict:
    """The verdict on a check, after those that it needs; each is run once in a lab."""
    if check.name in lab.verdicts:
        return lab.verdicts[check.name]
    needed = [judge(lab, other, every) for other in every if other.name in check.after]
    started = time.perf_counter()
    status, reason = _run(lab, check, needed)
    known = lab.known_failures
    if check.name in known and status == "failed":
        status, reason = "known failure", f"{known[check.name]} ({reason})"
    elif check.name in known and status == "passed":
        status = "unexpected pass"
        reason = f"known_failures names it ({known[check.name]}): take it out there"
    seconds = time.perf_counter() - started
    verdict = Verdict(check.name, check.group, status, reason, round(seconds, 3))
    lab.verdicts[check.name] = verdict
    return verdict


def judge_all(lab: Lab, chosen: Iterable[Check], every: Sequence[Check]) -> Iterator[Verdict]:
    """The verdicts on the chosen checks and on those that they need, as they come."""
    names = {check.name for check in chosen}
    while more := {a for check in every if check.name in names for a in check.after} - names:
        names |= more
    wanted = [check for check in every if check.name in names]
    try:
        for check in wanted:
            verdict = judge(lab, check, every)
            yield verdict
            if verdict.status == "passed" and check.cells:  # then those of the others are due
                lab.start(cell for other in wanted for cell in other.cells)
    finally:
        lab.leave()


def select(every: Sequence[Check], only: str | None) -> list[Check]:
    """The checks of a group, or one by name, or all. Raises UsageError."""
    found = [check for check in every if only in (None, check.name, check.group)]
    if not found:
        known = sorted({name for check in every for name in (check.name, check.group)})
        raise UsageError(f"no check or group is called {only!r}.{did_you_mean(only or '', known)}")
    return found


def _run(lab: Lab, check: Check, needed: Sequence[Verdict]) -> tuple[Status, str]:
    for verdict in needed:
        if verdict.status != "passed":
            root = verdict.reason if verdict.status == "skipped" else f"{verdict.check} failed"
            return "skipped", root
    try:
        check.run(lab)
    except NotAsked as why:
        return "skipped", str(why)
    except (CheckFailed, PluginFailure) as failure:
        return "failed", str(failure)
    return "passed", ""
