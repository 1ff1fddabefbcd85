"""Records of an earlier schema, told as those of today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def from_schema_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1 as one of schema 2; its cells keep the ids that they are stored under.

    There, a log had one ``fingerprint`` for all that it holds, and a record said whether its cell
    ran ``isolated``, in a process of its own. What is misshapen stays as it is; what is of a later
    schema, and only says that it is of this one, has no fingerprints then.
    """
    told = {name: value for name, value in record.items() if name != "isolated"}
    told["cell"] = _cell(record["cell"])
    told["wall"] = "process" if record.get("isolated", True) else "none"
    return told


def _cell(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell
    told = _source(cell)
    told["upstream"] = _cell(cell.get("upstream"))
    told["fit_on"] = _source(cell.get("fit_on"))
    together = cell.get("together")
    told["together"] = [_source(one) for one in together] if isinstance(together, list) else None
    return told


def _source(named: Any) -> Any:
    """A dataset with its fingerprint, or a cell, which holds one."""
    if not isinstance(named, Mapping):
        return named
    told = {name: value for name, value in named.items() if not name.startswith("fingerprint")}
    if "fingerprint" in named:
        told["fingerprints"] = {"events": named["fingerprint"]}
    return told
