"""Texts that a plugin made, kept beside its result for a reader to look at; no figure is theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmbench.results.record import ResultError

EXAMPLES = ".examples.jsonl"


@dataclass(frozen=True, slots=True)
class Example:
    """A title, and texts by name."""

    title: str
    texts: dict[str, str]


def as_lines(examples: Sequence[Example]) -> bytes:
    """A line of JSON for each."""
    lines = (json.dumps(asdict(example), ensure_ascii=False) for example in examples)
    return "".join(f"{line}\n" for line in lines).encode()


def read_examples(path: Path) -> tuple[Example, ...]:
    """Those that are beside the record at ``path``; none where it was stored without.

    Raises OSError, and ResultError for a file that is not as it was written.
    """
    beside = path.with_suffix(EXAMPLES)
    try:
        lines = beside.read_bytes().splitlines()
        told = [json.loads(line) for line in lines]
        if not all(isinstance(one["title"], str) and _texts(one["texts"]) for one in told):
            raise ValueError("a line is no example")
        return tuple(Example(one["title"], one["texts"]) for one in told)
    except FileNotFoundError:
        return ()
    except (ValueError, LookupError, TypeError) as error:
        raise ResultError(
            f"{beside} holds no examples ({error}): remove it, or run the cell again"
        ) from error


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
