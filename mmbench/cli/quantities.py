"""Amounts as people write them."""

from __future__ import annotations

import re

import typer


def seconds(text: str | None, flag: str = "--timeout") -> float | None:
    """``90``, ``90s``, ``30m``, ``2h`` as seconds."""
    return _quantity(text, {"": 1, "s": 1, "m": 60, "h": 3600}, flag, "90s, 30m or 2h")


def days(text: str | None) -> float | None:
    """``30d``, ``12h`` as seconds."""
    return _quantity(text, {"": 86400, "d": 86400, "h": 3600}, "--older", "30d or 12h")


def bytes_of(text: str | None, flag: str = "--memory") -> int | None:
    """``800M``, ``8G`` as bytes."""
    units = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
    found = _quantity(text, units, flag, "800M or 8G")
    return None if found is None else int(found)


def _quantity(text: str | None, units: dict[str, int], flag: str, form: str) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]?)b?", text.strip().lower())
    if match is None or match[2] not in units or float(match[1]) <= 0:
        raise typer.BadParameter(f"{flag} takes {form}, not {text!r}")
    return float(match[1]) * units[match[2]]
