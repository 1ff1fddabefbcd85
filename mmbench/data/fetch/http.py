"""One file over HTTP: resumed, tried again, from whichever of its addresses answers, and proven.

``requests`` carries it (proxies and certificates as its environment says). Of libraries that fetch
data, pooch checks digests but begins again after each break and knows one address a file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mmbench import __version__
from mmbench.data.fetch.recipe import Proof
from mmbench.data.log import DataError
from mmbench.files import locked, put_in_place, sync, write_atomically

AGENT = f"mmbench/{__version__} (a benchmark for recommendation research)"
MIRROR = "MMBENCH_MIRROR"
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before the next try, while nothing more comes
TRIES = 100  # of one address, however much each brings
LONGEST_PAUSE = 120.0  # seconds, whatever a host asks for
TIMEOUT = (10.0, 30.0)  # seconds: to connect, and of silence
CHUNK = 1 << 18  # bytes
AGAIN = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int, int, str], None]


class FetchError(DataError):
    """A file cannot be had; the message says from where, why, and what to do."""


class Refused(Exception):
    """An address will not give the file."""


class Broken(Exception):
    """A try failed, and the next may not; ``wait``: the least pause before it, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def readdress(address: str) -> str:
    """The address that is asked: below ``MMBENCH_MIRROR``, where that is set.

    ``https://host/path`` is then ``<mirror>/host/path``.
    """
    mirror = os.environ.get(MIRROR, "").strip().rstrip("/")
    if not mirror:
        return address
    parts = urlsplit(address)
    query = f"?{parts.query}" if parts.query else ""
    return f"{mirror}/{parts.netloc}{parts.path}{query}"


def download(
    addresses: Sequence[str],
    path: Path,
    proof: Proof,
    *,
    at_most: int,
    progress: Progress = lambda done, total, unit: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Bring a file to ``path``, whole and proven or not at all.

    What has come of it lies beside as ``<name>.part``, and the next call goes on from there. A file
    that is there and fits its proof is left alone; of several processes one brings it.

    Args:
        addresses: asked one after the other.
        path: its folder is made if need be.
        proof: what is known of it.
        at_most: more bytes are refused.
        progress: ``progress(done, total, "bytes")``; the total is 0 where nobody tells it.
        sleep: waits between tries.

    Raises FetchError where no address gives it, and OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        if path.is_file() and not differs(path, proof):
            return
        told = []
        for address in map(readdress, addresses):
            try:
                _from_one(address, path, proof, at_most, progress, sleep)
                return
            except Refused as error:
                told.append(f"{address}: {error}")
    kept = _part(path)
    rest = f" {kept.stat().st_size:,} bytes of it are kept." if kept.exists() else ""
    raise FetchError(
        f"{path.name} cannot be fetched. {'; '.join(told)}.{rest} Give the same command again: it "
        "goes on from here. Behind a proxy set HTTPS_PROXY; "
        f"{MIRROR} names a copy of the hosts, <mirror>/<host>/<path>, to be asked instead"
    )


def differs(path: Path, proof: Proof) -> str:
    """How a file differs from its proof; empty where it fits, or nothing is known."""
    size = path.stat().st_size
    if proof.size is not None and size != proof.size:
        return f"it has {size:,} bytes instead of {proof.size:,}"
    found = digest(path, proof.algorithm) if proof.digest else ""
    if found != proof.digest:
        return f"its {proof.algorithm} is {found} instead of {proof.digest}"
    return ""


def digest(path: Path, algorithm: str = "sha256") -> str:
    """A file's digest, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _from_one(
    address: str,
    path: Path,
    proof: Proof,
    at_most: int,
    progress: Progress,
    sleep: Callable[[float], None],
) -> None:
    """Bring a file from one address. Raises Refused."""
    part, begun_anew = _part(path), False
    idle = tries = 0
    while True:
        tries += 1
        before = _size(part)
        try:
            _stream(address, part, proof, at_most, progress)
            wrong = differs(part, proof)
            if not wrong:
                break
            resumed = before > 0 and not begun_anew
            _forget(part)
            if not resumed:
                raise Refused(f"what it gives is another file: {wrong}")
            begun_anew = True  # a part of another file may have been in front
        except Broken as error:
            idle = 0 if _size(part) > before else idle + 1
            if idle > len(PAUSES) or tries >= TRIES:
                raise Refused(f"{error} ({tries} tries)") from error
            pause = max(PAUSES[max(0, idle - 1)] if PAUSES else 0.0, error.wait)
            sleep(min(pause, LONGEST_PAUSE))
    sync(part)
    put_in_place(part, path)
    _mark(part).unlink(missing_ok=True)


def _stream(address: str, part: Path, proof: Proof, at_most: int, progress: Progress) -> None:
    """One try: append to ``part`` what comes. Raises Broken, Refused, OSError."""
    import requests
    import urllib3

    have = _size(part)
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have and (known := _validator(part, address, proof)) is not None:
        headers["Range"] = f"bytes={have}-"
        if known:
            headers["If-Range"] = known
    try:
        with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            have = _judge(answer, part, have)
            total = have + int(answer.headers.get("Content-Length") or 0)
            told = "Content-Length" in answer.headers
            most = proof.size if proof.size is not None else at_most
            if told and (total > most or (proof.size is not None and total != proof.size)):
                _forget(part)
                raise Refused(f"it gives {total:,} bytes instead of {_bound(proof, at_most)}")
            _demand_room(part, total - have)
            _remember(part, address, answer.headers)
            with part.open("ab" if have else "wb") as file:
                while chunk := answer.raw.read1(CHUNK, decode_content=False):  # what there is now
                    have += len(chunk)
                    if have > most:
                        break
                    file.write(chunk)
                    progress(have, total if told else 0, "bytes")
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ) as error:
        raise Refused(f"no address: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Broken(f"the connection broke ({_short(error)})") from error
    if have > most:
        _forget(part)
        raise Refused(f"it gives more than {_bound(proof, at_most)} bytes")
    if have < (total if told else proof.size or 0):
        raise Broken(f"the connection broke after {have:,} of {total or proof.size:,} bytes")


def _judge(answer: object, part: Path, have: int) -> int:
    """How many bytes of ``part`` count; raises Broken and Refused for answers without the file."""
    import requests

    assert isinstance(answer, requests.Response)
    status = answer.status_code
    if status == 206:
        told = answer.headers.get("Content-Range", "")
        if have and told.replace(" ", "").startswith(f"bytes{have}-"):
            return have
        _forget(part)
        raise Broken(f"it gave another range than was asked for ({told or 'none told'})")
    if status == 200:
        return 0
    if status == 416:
        _forget(part)
        raise Broken("it has fewer bytes than have come")
    reason = f"HTTP {status} {answer.reason or ''}".strip()
    if status in AGAIN:
        raise Broken(reason, _seconds(answer.headers.get("Retry-After", "")))
    raise Refused(reason)


def _bound(proof: Proof, at_most: int) -> str:
    return f"{proof.size:,}" if proof.size is not None else f"{at_most:,} at most"


def _seconds(text: str) -> float:
    """A ``Retry-After`` in seconds; dates count as none."""
    return float(text) if text.strip().isdigit() else 0.0


def _demand_room(part: Path, more: int) -> None:
    if shutil.disk_usage(part.parent).free < more:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _mark(part: Path) -> Path:
    """Where it stands of which version of the file a part is."""
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _remember(part: Path, address: str, headers: object) -> None:
    assert hasattr(headers, "get")
    tag = headers.get("ETag", "")
    validator = headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    write_atomically(_mark(part), json.dumps([address, validator]).encode())


def _validator(part: Path, address: str, proof: Proof) -> str | None:
    """What a range is asked with, or None where nothing would tell another version of the file.

    Where a digest proves the whole, a part may come from anywhere.
    """
    if proof.digest:
        return ""
    try:
        told, validator = json.loads(_mark(part).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return validator if told == address and validator else None


def _short(error: BaseException) -> str:
    """The innermost reason of requests' nested ones."""
    text = str(error).rsplit(": ", 1)[-1].strip("'\"")
    while text.count(")") > text.count("("):  # those that close what is cut off
        text = text.removesuffix(")").strip("'\"")
    return text or type(error).__name__
