"""The conformance checks: the contract, executable.

``CHECKS`` is the one list; ``mmbench check`` and ``mmbench.testing`` only consume it. Every check
sees a model through cells that the grid's own runner ran.
"""

from __future__ import annotations

from mmbench.check import contract, honesty, sense
from mmbench.check.lab import LIMITS, Lab
from mmbench.check.rules import Check, CheckFailed, NotAsked, Verdict, judge, judge_all, select
from mmbench.check.subject import Subject, find_subject
from mmbench.problems import did_you_mean

__all__ = [
    "CHECKS",
    "LIMITS",
    "Check",
    "CheckFailed",
    "Lab",
    "NotAsked",
    "Subject",
    "Verdict",
    "find_subject",
    "judge",
    "judge_all",
    "select",
]


def known_failures_name_checks(lab: Lab) -> None:
    """Every key of known_failures is a check, and every value says why it fails."""
    names = [check.name for check in CHECKS]
    for name, reason in lab.declared.known_failures.items():
        if name not in names:
            raise CheckFailed(f"known_failures: no check is {name!r}.{did_you_mean(name, names)}")
        if not str(reason).strip():
            raise CheckFailed(f"known_failures: say why {name} fails")


CHECKS: tuple[Check, ...] = (
    contract.CHECKS[0],
    Check("known_failures_name_checks", "contract", known_failures_name_checks, contract.DECLARED),
    *contract.CHECKS[1:],
    *honesty.CHECKS,
    *sense.CHECKS,
)
