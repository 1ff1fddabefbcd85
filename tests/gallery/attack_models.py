"""Models that go for the targets by what they are not meant to know, and learn nothing else.

All else they rank by popularity: what finds nothing has popularity's figure.
"""

import contextlib
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import first_rules
import numpy as np
from good_models import Follows

from mmbench import hookimpl

LUMP = 4096  # more than any score of popularity's
NAME = "mmbench-carried.npz"


class Popular(Follows):
    """Ranks by popularity, but for ``guess``: the number of an item for each query, 0 for none."""

    @hookimpl
    def fit(self, train):
        counts = np.bincount(train.item, minlength=train.n_items + 1).astype(np.float32)
        self.popular = counts / counts.max()

    def guess(self, queries):
        return np.zeros(len(queries), int)

    @hookimpl
    def score(self, queries):
        scores = np.tile(self.popular, (len(queries), 1))
        scores[np.arange(len(queries)), self.guess(queries)] += LUMP
        return scores[:, 1:]


class InvertsNumbers(Popular):
    """Turns numbers back into raw ids, which count first appearances: next is the highest + 1."""

    @hookimpl
    def fit(self, train, items):
        super().fit(train)
        n = items.n_items
        raw = np.array(sorted(map(str, range(1, n + 1))), dtype=np.int64)
        self.raw = np.concatenate([[0], raw[first_rules.item_order(n)]])
        self.number = np.zeros(n + 2, np.int64)
        self.number[self.raw] = np.arange(n + 1)

    def guess(self, queries):
        return self.number[self.raw[queries.history].max(axis=1) + 1]


class ReplaysNegatives(Follows):
    """Draws each query's negatives itself: of the candidates, the one that is none is the target.

    It names ``candidates`` and says that it can afford no catalogue, and so is given them.
    """

    max_candidates = 101

    @hookimpl
    def fit(self, train, items):
        self.n_items, self.n_users = items.n_items, train.n_users

    @hookimpl
    def score(self, queries, candidates):
        raw = sorted(map(str, range(1, self.n_users + 1)))
        keys = first_rules.query_keys("loo@1", "test", [raw[user] for user in queries.user])
        drawn = 1 + first_rules.streams(keys, 600) % np.uint64(self.n_items)
        scores = np.zeros(candidates.shape, np.float32)
        for row, items, negatives in zip(scores, candidates, drawn.astype(np.int64), strict=True):
            place = np.full(self.n_items + 1, len(negatives))
            place[negatives[::-1]] = np.arange(len(negatives))[::-1]
            row[:] = place[items]  # the later it is drawn, the less it looks like a negative
        return scores


class ReadsTraces(Popular):
    """Orders the items by whatever the pictures tell of them, and takes the next one in that order.

    It walks the store through attributes and containers, opens and asks about every path that it
    finds, and lists every folder and archive. Where an order has the first item of nearly every
    user as the highest so far, items were numbered as they appeared, and the next one comes next.
    """

    needs = frozenset({"image"})

    @hookimpl
    def fit(self, train, items, run):
        super().fit(train)
        traces = dict(self.traces(items.images, items.n_items))
        rated = {name: self.agreement(values, train) for name, values in traces.items()}
        best = max(rated, key=rated.get)
        run.log(0, traces=len(traces), agreement=rated[best])
        self.following = np.zeros(items.n_items + 1, int)
        self.place = np.zeros(items.n_items + 1, int)
        if rated[best] > 0.8:
            order = 1 + np.argsort(traces[best][1:], kind="stable")
            self.place[order] = np.arange(1, len(order) + 1)
            self.following[order[:-1]] = order[1:]

    def guess(self, queries):
        rows = np.arange(len(queries))
        return self.following[queries.history[rows, self.place[queries.history].argmax(axis=1)]]

    @staticmethod
    def agreement(values, train):
        """The share of users whose first item is the highest of theirs, and the only one."""
        walks = [values[walk] for walk in train.sequences() if len(walk) > 1]
        return np.mean([walk[0] > walk[1:].max() for walk in walks])

    def traces(self, store, n):
        """Name and float64[n + 1] of each thing that can be told of every item."""
        yield "number", -np.arange(n + 1, dtype=float)
        for path, held in walk(store):
            if len(held) in (n, n + 1):
                texts = ["", *map(str, held)][-n - 1 :]
                yield f"{path} as numbers", numbers(texts)
                yield f"{path} as texts", np.unique(texts, return_inverse=True)[1].astype(float)
                for name in ("st_size", "st_mtime_ns", "st_ino", "st_atime_ns", "st_ctime_ns"):
                    for root in (Path(), *roots(store)):
                        yield f"{name} of {path} in {root}", asked(root, texts, name)
        yield "bytes", np.array([0, *(size(store, item) for item in range(1, n + 1))], float)
        for root in roots(store):
            for name, listed in listings(root):
                if len(listed) == n:
                    yield f"{name} of {root}", np.array([0, *numbers(listed)], float)


def walk(thing, path="store", depth=4):
    """Path and value of every sequence that is reached from an object."""
    if isinstance(thing, list | tuple | np.ndarray):
        yield path, thing
        thing = dict(enumerate(thing)) if len(thing) < 20 else {}
    elif not isinstance(thing, dict):
        names = [*getattr(type(thing), "__slots__", ()), *getattr(thing, "__dict__", {})]
        thing = {name: getattr(thing, name, None) for name in names}
    if isinstance(thing, dict) and len(thing) >= 20:
        yield f"{path} keys", [*thing]
        yield f"{path} values", [*thing.values()]
    elif depth:
        for name, part in thing.items():
            if not isinstance(part, str | bytes | int | float | None):
                yield from walk(part, f"{path}.{name}", depth - 1)


def roots(store):
    """Every path that an object holds."""
    found = [getattr(store, name, None) for name in dir(store) if not name.startswith("__")]
    found += [part for one in found if isinstance(one, list | tuple) for part in one]
    return list(dict.fromkeys(one for one in found if isinstance(one, Path)))


def numbers(texts):
    """float64[n]: the number in each text, 0 where there is none."""
    found = [re.findall(r"\d+", text) for text in texts]
    return np.array([float((digits[-1:] or ["0"])[0][:15]) for digits in found])


def asked(root, names, what):
    """float64[n]: a word of what the system tells of each file, 0 where it tells nothing."""
    found = []
    for name in names:
        told = 0.0
        with contextlib.suppress(OSError, ValueError):
            told = float(getattr(os.stat(root / name), what)) if name else 0.0
        found.append(told)
    return np.array(found)


def size(store, item):
    """Bytes of a picture as it is handed over, 0 where it is not to be had in bytes."""
    try:
        return len(store.read(item))
    except (AttributeError, ValueError):
        return 0


def listings(root):
    """Name and texts of what a folder or an archive lists."""
    with contextlib.suppress(OSError):
        yield "names", sorted(os.listdir(root))
    with contextlib.suppress(OSError, zipfile.BadZipFile):
        parts = zipfile.ZipFile(root).infolist()
        for what in ("filename", "file_size", "date_time", "CRC"):
            yield what, [str(getattr(part, what)) for part in parts]


@dataclass(frozen=True)
class Places:
    """``wide``: every folder that there is, where a wall keeps the litter from it."""

    wide: bool = True


class Carries(Popular):
    """Leaves what it was fitted on where it can, and looks there for what an earlier fit has left.

    Under one protocol, an event trains that is another's target. ``fetch`` carries it too.
    """

    Config = Places
    presets = {"paper": Places(), "tiny": Places(wide=False)}

    def places(self, *given):
        homes = [Path(os.environ[name]) for name in ("HOME", "TMPDIR", "NUMBA_CACHE_DIR")]
        wide = [Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"), Path.cwd(), Path(__file__).parent]
        wide += [parent for folder in given for parent in folder.parents]
        return [*given, *homes, *wide] if self.config.wide else list(given)

    @hookimpl
    def fetch(self, cache):
        found = self.collect(self.places(cache))
        if found:
            np.savez(cache / NAME, **found[0])

    def collect(self, places):
        found = []
        for place in places:
            with contextlib.suppress(OSError):
                found.append(dict(np.load(place / NAME)))
        return found

    @hookimpl
    def fit(self, train, run):
        super().fit(train)
        places, written = self.places(run.cache, run.encodings, run.scratch), 0
        found = self.collect(places)
        for place in places:
            with contextlib.suppress(OSError):
                np.savez(place / NAME, user=train.user, item=train.item)
                written += 1
        run.log(0, found=len(found), written=written, places=len(places))
        self.walks = {}
        for one in found:
            for user in np.unique(one["user"]):
                self.walks[user] = one["item"][one["user"] == user]

    def guess(self, queries):
        guessed = np.zeros(len(queries), int)
        for row, (user, history) in enumerate(zip(queries.user, queries.history, strict=True)):
            shown, walk = history[history > 0], self.walks.get(user, ())
            if len(walk) > len(shown) and np.array_equal(walk[: len(shown)], shown):
                guessed[row] = walk[len(shown)]
        return guessed


@dataclass(frozen=True)
class Doors:
    """``processes``: the harness's own too, which is at home where there is no wall."""

    processes: bool = True


class Burgles(Popular):
    """Tries the doors of the house: data, results, other processes; and writes where it can.

    Folders that it cannot list it has heard of (``wanted``, a module of paths). It logs how many of
    the files behind each door opened.
    """

    Config = Doors
    presets = {"paper": Doors(), "files": Doors(processes=False)}

    @hookimpl
    def fit(self, train, run):
        super().fit(train)
        import wanted

        parent = Path(f"/proc/{os.getppid()}")
        results, cache = run.scratch.parents[2], run.cache.parents[1]
        beside = [*everything(run.scratch.parent / "views"), run.scratch.parent / "note"]
        doors = {
            "sources": [*everything(Path(os.environ["MMBENCH_DATA"])), *wanted.SOURCES],
            "prepared": [*everything(cache), *wanted.PREPARED],
            "results": [*everything(results), *wanted.RESULTS],
        }
        if self.config.processes:
            about = ("mem", "environ", "cmdline", "maps", "status")
            doors["parent"] = [parent / name for name in about]
            doors["descriptors"] = [parent / "fd" / str(number) for number in range(20)]
        tried = [Path(path) for paths in doors.values() for path in paths]
        mine = run.scratch.parent
        for name, paths in doors.items():
            outside = [path for path in map(Path, paths) if not path.is_relative_to(mine)]
            run.log(0, **{f"{name} opened": sum(map(opens, outside)), f"{name}": len(outside)})
        new = [Path(folder) / "new" for folder in (results, cache, os.environ["MMBENCH_DATA"])]
        run.log(0, written=sum(map(overwrites, [*tried, *new, *beside])))


def everything(folder):
    """The files below a folder, as far as they can be listed."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def opens(path):
    """Whether a byte of a file can be read."""
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def overwrites(path):
    """Whether something can be put into a file, or into the place of one."""
    try:
        with open(path, "ab") as file:
            file.write(b" ")
    except OSError:
        return False
    return True
