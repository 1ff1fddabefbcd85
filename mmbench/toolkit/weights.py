"""Pretrained weights from anywhere: which are meant, how they get there, where and what they are.

Weights are named by a text, their *source*:

- ``org/name@revision`` of the Hugging Face hub. The revision is a commit (40 hex digits), or a
  branch or tag, whose commit is looked up when it is fetched and stays from then on; without one,
  ``main`` is meant.
- a folder that ``save_pretrained`` or ``Backbone.save`` wrote.
- a ``.gguf`` file of a language model.
- ``package:<distribution>``, an installed Python package that ships weights, see ``shipped``.

``fetch`` downloads or converts, and is the only one that uses the network or writes; it is for the
hook of that name. ``require`` returns what a loader reads, ``identity`` the commit or digest that
stands in a cell for what was loaded. Nothing is unpickled here and no downloaded code is run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmbench.toolkit import hub
from mmbench.toolkit.disk import WeightsError, sha256
from mmbench.toolkit.shipped import PACKAGES, Shipped

__all__ = [
    "Source",
    "WeightsError",
    "fetch",
    "identity",
    "is_read",
    "join",
    "lasting",
    "missing",
    "parse",
    "require",
]

PACKAGE, GGUF = "package:", ".gguf"
CONVERTED = "gguf-1"  # the folder in the cache; another number, other contents
NAMED = re.compile(r"(?P<name>[\w.\-]+(/[\w.\-]+)?)(@(?P<revision>[\w.\-/]+))?")

Contents = Callable[[Path, Callable[[str], bool]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Which weights are meant: ``name`` is an id of the hub, a path or a distribution."""

    kind: Literal["hub", "folder", "gguf", "package"]
    name: str
    revision: str = ""

    @property
    def shipped(self) -> Shipped:
        """The package of a ``package:`` source."""
        return PACKAGES[self.name]


def parse(text: str) -> Source:
    """What a source's text means. Raises WeightsError: no such package, folder or file."""
    if text.startswith(PACKAGE):
        name = re.sub(r"[-_.]+", "-", text.removeprefix(PACKAGE)).lower()
        if name not in PACKAGES:
            known = ", ".join(PACKAGE + one for one in PACKAGES)
            raise WeightsError(f"{text}: no such package is known to ship weights; known: {known}")
        return Source("package", name)
    path = Path(text).expanduser()
    if text and path.is_dir():
        if not any((path / name).is_file() for name in ("config.json", "backbone.json")):
            raise WeightsError(f"the folder {path} holds no weights: there is no config.json in it")
        return Source("folder", str(path))
    if text.lower().endswith(GGUF):
        if not path.is_file():
            raise WeightsError(f"there is no file {path}")
        return Source("gguf", str(path))
    match = NAMED.fullmatch(text)
    if match is None or text.startswith((".", "/", "~")):
        raise WeightsError(
            f"{text!r} names no weights: there is no such folder; write a folder, a {GGUF} file, "
            f"{PACKAGE}<distribution>, or org/name@commit of the Hugging Face hub"
        )
    return Source("hub", match["name"], match["revision"] or "")


def join(name: str, revision: str) -> str:
    """A source from a name and, if it is one of the hub, its revision in a field of its own."""
    if not revision or "@" in name or parse(name).kind != "hub":
        return name
    return f"{name}@{revision}"


def fetch(text: str, cache: Path) -> Path:
    """Download or convert weights unless they are there; returns what ``require`` does.

    Args:
        text: the source.
        cache: the hook's model cache.

    Raises WeightsError: they cannot be had, are not what they should be, or the disk is too full.
    """
    source = parse(text)
    found = _find(source, cache)
    if found is None:
        if lack := missing(text, cache):
            if source.kind != "hub":
                raise WeightsError(lack)
            hub.download(source.name, source.revision, cache)
        else:
            from mmbench.toolkit.gguf import convert

            convert(_gguf_file(source), cache / CONVERTED / _gguf_digest(source))
        found = require(text, cache)
    return found


def require(text: str, cache: Path) -> Path:
    """The folder that holds weights, tokenizer and configs, or the file of a ``.pth``.

    Never uses the network. The files of a package are held against their digests.

    Raises WeightsError: they are not there, says how to get them; or not what they should be.
    """
    found = _find(parse(text), cache)
    if found is None:
        raise WeightsError(
            missing(text, cache) or f"{text} is not converted yet, which `fetch` does"
        )
    return found


def missing(text: str, cache: Path) -> str:
    """What stands between this machine and these weights, with the cure; empty for nothing.

    Weights that only wait for their conversion are not missing. Raises WeightsError as ``parse``.
    """
    source = parse(text)
    if source.kind == "hub":
        return "" if _find(source, cache) else hub.say_absent(source.name, source.revision, cache)
    if source.kind == "package" and source.shipped.home() is None:
        one = source.shipped
        return f"{one.distribution} is not installed, which ships {one.model}: {one.command}"
    if _is_gguf(source) and _find(source, cache) is None:
        from importlib.util import find_spec

        if find_spec("gguf") is None:
            return f"{text} is a GGUF file, and gguf, which reads it, is not installed: " + (
                "pip install 'mmbench[small]'"
            )
    return ""


def identity(text: str, cache: Path, contents: Contents | None = None) -> str:
    """What is loaded: ``commit:<40 hex digits>`` of the hub, ``sha256:<64 hex digits>`` elsewhere.

    The digest is that of the file, of a package's file of weights, or of all files of a folder that
    may be read (``is_read``). Empty for a branch that was not fetched yet.

    Args:
        text: the source.
        cache: the model cache.
        contents: (file or folder, which names count) to ``{name: sha256}``; default: reads all.

    Raises WeightsError as ``parse``; OSError where a file cannot be read.
    """
    source = parse(text)
    if source.kind == "hub":
        commit = hub.commit_of(source.name, source.revision, cache)
        return f"commit:{commit}" if commit else ""
    if source.kind == "package":
        return f"sha256:{source.shipped.sha256}"
    found = (contents or read_contents)(Path(source.name), is_read)
    if source.kind == "gguf":
        return f"sha256:{found['.']}"
    return f"sha256:{hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()}"


def lasting(text: str, cache: Path) -> str:
    """A source that means the same weights for ever, a branch's being its commit's; else empty."""
    source = parse(text)
    if source.kind == "hub":
        return f"{source.name}@{hub.commit_of(source.name, source.revision, cache)}"
    return f"{PACKAGE}{source.name}" if source.kind == "package" else ""


def is_read(name: str) -> bool:
    """Whether a file of a folder of weights, by its path in it, may be read in loading it."""
    path = Path(name)
    return not any(part[0] == "." for part in path.parts) and any(map(path.match, hub.FILES))


def read_contents(path: Path, wanted: Callable[[str], bool]) -> Mapping[str, str]:
    """``{name: sha256}`` of a file (its name is ``.``), or of the wanted files below a folder."""
    if not path.is_dir():
        return {".": sha256(path)}
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return {name: sha256(path / name) for name in names if wanted(name)}


def _find(source: Source, cache: Path) -> Path | None:
    """What a loader reads, if it is there."""
    if source.kind == "hub":
        return next(hub.snapshots(source.name, source.revision, cache), None)
    if source.kind == "folder":
        return Path(source.name)
    if _is_gguf(source):
        if source.kind == "package" and source.shipped.home() is None:
            return None
        place = cache / CONVERTED / _gguf_digest(source)
        return place if place.is_dir() else None
    return source.shipped.find()


def _is_gguf(source: Source) -> bool:
    return source.kind == "gguf" or (
        source.kind == "package" and source.shipped.weights.endswith(GGUF)
    )


def _gguf_file(source: Source) -> Path:
    """The file to convert, held against its digest where that is known."""
    if source.kind == "gguf":
        return Path(source.name)
    path = source.shipped.find()
    assert path is not None  # missing() has looked
    return path


def _gguf_digest(source: Source) -> str:
    return source.shipped.sha256 if source.kind == "package" else sha256(Path(source.name))
