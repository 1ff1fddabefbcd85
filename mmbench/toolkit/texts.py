"""Texts by content: what a model wrote about a title or a picture is written once.

``mmbench.toolkit.encodings`` does the same for vectors::

    contents = [encodings.digest(images.read(item)) for item in items]
    about = {"kind": "captions", "weights": "org/model@1a2b...", "prompt": PROMPT}
    captions = texts.kept(run.encodings, about, contents, write)

On disk there is a folder for each description, which stands in ``about.json`` for people, with any
number of JSON files in ``texts``. No file is ever changed, so processes that work on one folder do
not disturb each other: at worst both write about the same content, and the first file in the order
of names counts. A file that is not as it was written is removed, and its texts are made again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.files import write_atomically
from mmbench.toolkit.encodings import NAME, digest

CHUNK = 64

logger = logging.getLogger("mmbench.toolkit.texts")


def kept(
    folder: Path,
    about: Mapping[str, Any],
    contents: Sequence[str],
    write: Callable[[Sequence[int]], Sequence[str]],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    chunk: int = CHUNK,
) -> list[str]:
    """A text for each content, from the folder where it is there.

    Args:
        folder: ``run.encodings``.
        about: all that a text depends on beside the content (weights, prompt, settings), JSON-able.
        contents: the ``encodings.digest`` of each; equal ones are written about once.
        write: takes at most ``chunk`` positions in ``contents``, and returns as many texts.
        progress: told how many of the distinct contents are there; it may raise.
        chunk: texts that are made and stored at a time.

    Raises:
        ValueError: ``write`` returned another number of texts.
        OSError: the disk does not take a file.
    """
    described = json.dumps(about, sort_keys=True, allow_nan=False, ensure_ascii=False)
    home = folder / digest("texts", described)[:NAME]
    (home / "texts").mkdir(parents=True, exist_ok=True)
    if not (home / "about.json").exists():
        write_atomically(home / "about.json", described.encode())
    first: dict[str, int] = {}
    for place, content in enumerate(contents):
        first.setdefault(content, place)
    found = {content: text for content, text in _read(home / "texts") if content in first}
    missing = [content for content in first if content not in found]
    progress(len(found), len(first))
    for start in range(0, len(missing), chunk):
        part = missing[start : start + chunk]
        made = list(write([first[content] for content in part]))
        if len(made) != len(part):
            raise ValueError(f"{len(made)} texts came for {len(part)} contents; one each is due")
        _write(home / "texts", dict(zip(part, made, strict=True)))
        found.update(zip(part, made, strict=True))
        progress(len(found), len(first))
    return [found[content] for content in contents]


def _write(home: Path, made: Mapping[str, str]) -> None:
    told = json.dumps(made, ensure_ascii=False)
    whole = json.dumps({"sha256": digest(told), "texts": told}, ensure_ascii=False)
    write_atomically(home / f"{digest(told)[:NAME]}.json", whole.encode())


def _read(home: Path) -> Iterator[tuple[str, str]]:
    """Content and text of all whole files; of equal contents the first file's comes last."""
    for path in sorted(home.glob("*.json"), reverse=True):
        try:
            whole = json.loads(path.read_bytes())
            if digest(whole["texts"]) != whole["sha256"]:
                raise ValueError("it differs from its checksum")
            texts = json.loads(whole["texts"])
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("%s is damaged (%s); its texts are made again", path, error)
            path.unlink(missing_ok=True)
            continue
        yield from texts.items()
