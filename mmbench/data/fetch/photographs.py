"""Photographs by address: a few at a time, politely, resumed, and each failure written down.

They lie in a folder of their own, named by what is in them, beside a journal with a line a try:
item, address, outcome, sha256. Nothing of them is passed on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mmbench.data.fetch.http import AGAIN, AGENT, LONGEST_PAUSE, TIMEOUT, readdress
from mmbench.data.fetch.tables import read_tsv
from mmbench.data.pixels import LONGEST, decode, encode
from mmbench.data.places import data_home
from mmbench.data.spec import ADDRESSES
from mmbench.files import slug, write_atomically
from mmbench.views import ImageError

AT_ONCE = 4  # connections to a host
MAX_BYTES = 16 * 1024**2
LEAST_SIDE = 16  # pixels: smaller ones stand for "there is none"
REFUSALS = 25  # in a row, after which a host is left alone
PAUSE = 2.0  # seconds, doubled at each answer that asks for patience
TRIES = 4
USED = "used"
LASTING = ("HTTP 404", "HTTP 410", "no picture", "not asked")  # what another try will not mend
ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}

logger = logging.getLogger("mmbench.data")


@dataclass(frozen=True, slots=True)
class Try:
    """What came of an address.

    Attributes:
        item, address: of whom.
        outcome: ``used``, or why not, such as ``HTTP 404`` or ``no picture: is damaged``.
        sha256: of the file that is kept.
        file: its name.
    """

    item: str
    address: str
    outcome: str
    sha256: str = ""
    file: str = ""

    @property
    def lasts(self) -> bool:
        """Whether another try is idle."""
        return self.outcome == USED or self.outcome.startswith(LASTING)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The photographs of a dataset.

    Attributes:
        folder: where they lie.
        addresses: ``{item: address}`` of the dataset, if it tells: another dataset of the same id
            may have been here, and photographs of other addresses are none of this one.
    """

    folder: Path
    addresses: Mapping[str, str] | None = None

    @staticmethod
    def of(identity: str, place: Path | None = None) -> Shelf:
        """The shelf of a dataset, whichever its recipe: ``name[core=10]`` has that of ``name``.

        ``place`` is the dataset's folder, which may tell the addresses.
        """
        folder = data_home().parent / "photographs" / slug(identity.partition("[")[0])
        table = place / ADDRESSES if place is not None else None
        return Shelf(folder, read_addresses(table) if table and table.is_file() else None)

    @property
    def journal(self) -> Path:
        """A JSON object a line, the last of an item counts."""
        return self.folder / "journal.jsonl"

    def tries(self) -> dict[str, Try]:
        """The last try of each item; a line that a break cut off is left out."""
        found: dict[str, Try] = {}
        try:
            lines = self.journal.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                one = Try(**json.loads(line))
            except (ValueError, TypeError):
                logger.warning("%s: a line is damaged, its picture is fetched again", self.journal)
                continue
            if self.addresses is None or self.addresses.get(one.item) == one.address:
                found[one.item] = one
        return found

    def files(self) -> dict[str, str]:
        """``{item: file}`` of those that are here."""
        return {
            one.item: one.file
            for one in self.tries().values()
            if one.outcome == USED and (self.folder / one.file).is_file()
        }

    def identity(self) -> str:
        """What tells these photographs from others: 16 hex digits."""
        told = sorted((one.item, one.sha256) for one in self.tries().values())
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def told(self) -> dict[str, Any]:
        """For the card: how many items were asked for, and what came of their addresses.

        ``asked`` and ``used`` are counts, ``dead`` the share of addresses that gave no photograph,
        ``why`` the count of each reason; what lies behind a colon is left out of it.
        """
        outcomes = Counter(one.outcome.partition(":")[0] for one in self.tries().values())
        asked, used = outcomes.total(), outcomes.pop(USED, 0)
        dead = (asked - used) / max(1, asked)
        return {"asked": asked, "used": used, "dead": dead, "why": dict(outcomes.most_common())}

    def remark(self) -> str:
        """What a reader of a board is told: how many addresses are dead."""
        told = self.told()
        return (
            f"photographs were fetched by address: {told['used']:,} of {told['asked']:,} items, "
            f"{told['dead']:.1%} of the addresses gave none; they may differ from those of another "
            "day"
        )


def read_addresses(path: Path) -> dict[str, str]:
    """``{item: address}`` of an ``addresses.tsv``; the first of an item counts."""
    found: dict[str, str] = {}
    for row in read_tsv(path):
        found.setdefault(row["item_id"], row["address"])
    return found


@dataclass(slots=True)
class _Host:
    """How a host is treated: so many at once, not before a time, not at all after refusals."""

    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    not_before: float = 0.0
    refusals: int = 0


class Fetcher:
    """Fetches photographs onto a shelf; several threads, one journal.

    Args:
        shelf: where they go.
        hosts: names (and what ends in ``.name``) that may be asked.
        pause: seconds of the first back-off.
    """

    def __init__(self, shelf: Shelf, hosts: Collection[str], pause: float = PAUSE) -> None:
        self._shelf, self._allowed, self._pause = shelf, tuple(hosts), pause
        self._hosts: dict[str, _Host] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._local = threading.local()

    def run(
        self,
        addresses: Mapping[str, str],
        progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
    ) -> Counter[str]:
        """Fetch what is not here yet, and count the outcomes of all that were asked for.

        What an earlier run found dead is not asked again; what it only failed to get is. Equal
        addresses are asked once. Raises OSError where the disk refuses.
        """
        self._shelf.folder.mkdir(parents=True, exist_ok=True)
        before, here = self._shelf.tries(), self._shelf.files()
        wanted: dict[str, list[str]] = {}
        for item, address in addresses.items():
            known = before.get(item)
            kept = known is not None and known.lasts and known.address == address
            if not kept or (known.outcome == USED and item not in here):  # type: ignore[union-attr]
                wanted.setdefault(address, []).append(item)
        done, total = 0, sum(map(len, wanted.values()))
        _end_last_line(self._shelf.journal)
        with self._shelf.journal.open("a", encoding="utf-8") as journal:
            for found in self._answers(wanted):
                _note(journal, found)
                done += len(found)
                progress(done, total, "photographs")
        last = self._shelf.tries()
        return Counter(last[item].outcome for item in addresses if item in last)

    def _answers(self, wanted: Mapping[str, list[str]]) -> Iterator[list[Try]]:
        """The tries of each address, as they end."""
        waiting, pending = iter(wanted), set[Future[tuple[str, Try]]]()
        pool = ThreadPoolExecutor(2 * AT_ONCE, thread_name_prefix="photographs")
        try:
            while True:
                for address in waiting:
                    pending.add(pool.submit(self._one, address))
                    if len(pending) >= 8 * AT_ONCE:
                        break
                if not pending:
                    return
                complete, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in complete:
                    address, told = future.result()
                    yield [
                        Try(item, address, told.outcome, told.sha256, told.file)
                        for item in wanted[address]
                    ]
        finally:
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, address: str) -> tuple[str, Try]:
        name = (urlsplit(address).hostname or "").lower()
        if urlsplit(address).scheme not in ("https", "http") or not self._may(name):
            return address, Try("", address, f"not asked: {name or 'no address'} is no known host")
        with self._lock:
            host = self._hosts.setdefault(name, _Host())
        with host.gate:
            if host.refusals >= REFUSALS:
                return address, Try("", address, "left: the host refused too often")
            return address, self._ask(address, host)

    def _may(self, name: str) -> bool:
        return any(name == one or name.endswith(f".{one}") for one in self._allowed)

    def _ask(self, address: str, host: _Host) -> Try:
        """Ask until there is an answer that counts."""
        outcome = ""
        for turn in range(TRIES):
            if self._stopped.wait(max(0.0, host.not_before - time.monotonic())):
                return Try("", address, "stopped")
            outcome, data, patience = self._get(address)
            if outcome == USED:
                host.refusals = 0
                return self._keep(address, data)
            if patience is None:
                break
            least = self._pause * 2**turn
            host.not_before = time.monotonic() + min(max(least, patience), LONGEST_PAUSE)
        host.refusals = 0 if outcome.startswith(LASTING) else host.refusals + 1
        return Try("", address, outcome)

    def _get(self, address: str) -> tuple[str, bytes, float | None]:
        """Outcome, bytes, and the pause that is asked for before another try, if one is due."""
        import requests
        import urllib3

        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers["User-Agent"] = AGENT
        try:
            with session.get(
                readdress(address), stream=True, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                if answer.status_code != 200:
                    after = answer.headers.get("Retry-After", "")
                    asked = float(after) if after.isdigit() else 0.0
                    again = asked if answer.status_code in AGAIN else None
                    return f"HTTP {answer.status_code}", b"", again
                data = answer.raw.read(MAX_BYTES + 1, decode_content=True)
                told = answer.headers.get("Content-Length", "")
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return f"broken: {type(error).__name__}", b"", 0.0
        if len(data) > MAX_BYTES:
            return f"no picture: more than {MAX_BYTES:,} bytes", b"", None
        if told.isdigit() and "Content-Encoding" not in answer.headers and len(data) < int(told):
            return "broken: cut off", b"", 0.0
        return USED, data, None

    def _keep(self, address: str, data: bytes) -> Try:
        """Look at what came, and put it on the shelf; large ones are made smaller first."""
        try:
            picture, form, size = _look(data)
        except ImageError as error:
            return Try("", address, f"no picture: {error}")
        if min(size) < LEAST_SIDE:
            return Try("", address, f"no picture: {size[0]} x {size[1]} pixels")
        if max(size) > LONGEST or form not in ENDINGS:
            data, form = encode(picture), "WEBP"
        told = hashlib.sha256(data).hexdigest()
        file = f"{told[:32]}.{ENDINGS[form]}"
        if not (self._shelf.folder / file).exists():
            write_atomically(self._shelf.folder / file, data)
        return Try("", address, USED, told, file)


def _look(data: bytes) -> tuple[Any, str, tuple[int, int]]:
    """The picture, the format and the size of what came. Raises ImageError."""
    import io

    from PIL import Image

    picture = decode(data)
    with Image.open(io.BytesIO(data)) as image:
        return picture, image.format or "", image.size


def _end_last_line(path: Path) -> None:
    """Where a run was cut off within a line, what comes next is a line of its own."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def _note(journal: IO[str], found: list[Try]) -> None:
    for one in found:
        told = {name: getattr(one, name) for name in Try.__slots__}  # type: ignore[attr-defined]
        journal.write(json.dumps(told, ensure_ascii=False) + "\n")
    journal.flush()
