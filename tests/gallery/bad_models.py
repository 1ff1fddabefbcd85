"""A gallery of bad models: each is ``Follows`` with one fault."""

import gc
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from good_models import Follows, Looks, Multiplies, Plain, Retrieves

from mmbench import EmbeddingModel, TopK, Vectors, hookimpl


class Constant(Follows):
    @hookimpl
    def score(self, queries):
        return np.zeros((len(queries), self.table.shape[1] - 1), np.float32)


class NotANumber(Follows):
    @hookimpl
    def score(self, queries):
        scores = self.rate(queries)
        scores[1, 2] = np.nan
        return scores


class Infinite(Follows):
    @hookimpl
    def score(self, queries):
        scores = self.rate(queries)
        scores[3, 0] = np.inf
        return scores


class ItemNotANumber(Multiplies):
    @hookimpl
    def embed_items(self):
        vectors = self.items.copy()
        vectors[7, 2] = np.nan
        return {"fused": vectors}


class QueryInfinite(Multiplies):
    @hookimpl
    def embed_queries(self, queries):
        vectors = Multiplies.embed_queries(self, queries)["fused"]
        vectors[5, 1] = np.inf
        return {"fused": vectors}


class ForgetsThePadding(Multiplies):
    @hookimpl
    def embed_items(self):
        return {"fused": self.items[1:]}


class OnlyQueries(Follows):
    @hookimpl
    def score(self, queries):
        return Vectors(np.ones((len(queries), 3), np.float32))


class NoItems(Multiplies):
    embed_items = EmbeddingModel.embed_items


class WrongShape(Follows):
    @hookimpl
    def score(self, queries):
        return self.table[queries.history[:, -1]]


class Padding(Follows):
    @hookimpl
    def score(self, queries):
        items = np.tile(np.arange(5, dtype=np.int32), (len(queries), 1))
        return TopK(items, np.ones(items.shape, np.float32))


class Unseeded(Follows):
    @hookimpl
    def fit(self, train):
        Follows.fit(self, train)
        self.table += np.random.default_rng().random(self.table.shape, np.float32) / 100


REMEMBERED = []


class DrawsAfterAll(Follows):
    draws = False

    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        self.table += 0.01 * np.random.default_rng(run.seed).random(self.table.shape)


class KeepsHalf(Retrieves):
    @hookimpl
    def restore(self, arrays):
        self.table = arrays["table"].round()


class Remembers(Follows):
    """Adds to what an earlier fit in the same process has counted."""

    @hookimpl
    def fit(self, train):
        Follows.fit(self, train)
        REMEMBERED.append(self.table)
        self.table = sum(REMEMBERED)


class RemembersOnDisk(Follows):
    """Finds the table of an earlier fit in the cache and asks no further."""

    @hookimpl
    def fit(self, train, run):
        path = run.cache / "table.npy"
        if not path.exists():
            Follows.fit(self, train)
            np.save(path, self.table)
        self.table = np.load(path)


class CountsQueries(Follows):
    """Learns from the histories that it is asked about."""

    @hookimpl
    def score(self, queries):
        np.add.at(self.table, (queries.history[:, :-1], queries.history[:, 1:]), 1)
        return self.rate(queries)


class ScoresInCompany(Follows):
    """Ranks each query against the mean of those that came with it."""

    @hookimpl
    def score(self, queries):
        scores = self.rate(queries)
        return scores - scores.mean(axis=0)


class Scavenges(Follows):
    """Knows what is popular, and asks the garbage collector for what was the target."""

    @hookimpl
    def fit(self, train, run):
        self.popular = np.bincount(train.item, minlength=train.n_items + 1).astype(np.float32)
        run.log(0, found=len(self.folds()))

    def folds(self):
        held = [thing for thing in gc.get_objects() if type(thing).__name__ in ("Fold", "Split")]
        return [fold for fold in held if hasattr(fold, "target")]

    @hookimpl
    def score(self, queries):
        scores = np.tile(self.popular[1:], (len(queries), 1))
        for fold in self.folds():
            known = zip(fold.queries.history, fold.target, strict=True)
            targets = {history.tobytes(): target for history, target in known}
            for row, history in zip(scores, queries.history, strict=True):
                if history.tobytes() in targets:
                    row[targets[history.tobytes()] - 1] += 1000
        return scores


class Walks(Follows):
    """Walks ``run`` through attributes, closures, defaults and containers for a target."""

    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        queue, seen, found = [run], set(), 0
        while queue:
            thing = queue.pop()
            if id(thing) in seen or isinstance(thing, type | str | int | float | np.ndarray):
                continue
            seen.add(id(thing))
            found += hasattr(thing, "target")
            queue += [cell.cell_contents for cell in getattr(thing, "__closure__", None) or ()]
            queue += getattr(thing, "__defaults__", None) or ()
            queue.append(getattr(thing, "__self__", None))
            queue += list(getattr(thing, "__dict__", {}).values())
            queue += [getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ())]
            if isinstance(thing, dict | list | tuple | set):
                queue += thing.values() if isinstance(thing, dict) else thing
        run.log(0, found=found, walked=len(seen))


class WritesIntoViews(Follows):
    @hookimpl
    def fit(self, train):
        train.item[0] = 1


class WritesBehindViews(Follows):
    """Opens the file that a view is mapped from."""

    @hookimpl
    def fit(self, train):
        Follows.fit(self, train)
        mapped = train.time
        while not isinstance(mapped, np.memmap):
            mapped = mapped.base
        with open(mapped.filename, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x07")


class Misspells(Follows):
    @hookimpl
    def score(self, query):
        return self.rate(query)


class MisspellsHook(Follows):
    @hookimpl
    def embed_item(self, items):
        return {}


class Unmarked(Follows):
    def score(self, queries):
        return self.rate(queries)


class Hangs(Follows):
    @hookimpl
    def fit(self):
        time.sleep(600)


class Exits(Follows):
    @hookimpl
    def fit(self):
        os._exit(3)


class ExitsPolitely(Follows):
    @hookimpl
    def fit(self):
        sys.exit("enough")


class RaisesInScore(Follows):
    @hookimpl
    def score(self, queries):
        raise RuntimeError("no score today")


class Allocates(Follows):
    @hookimpl
    def fit(self):
        held = []
        while True:
            held.append(np.ones(8 * 2**20, np.uint8))
            time.sleep(0.002)


class Prints(Follows):
    @hookimpl
    def fit(self, train):
        Follows.fit(self, train)
        line = "all work and no play " * 50_000
        for _ in range(300):
            print(line)


class LeavesProcesses(Follows):
    """One in its own session, one whose parent has ended."""

    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        sleep = ["sleep", "600"]
        subprocess.Popen(sleep, start_new_session=True)
        orphan = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
        subprocess.run([sys.executable, "-c", orphan], check=True)


class WorksInInit(Follows):
    def __init__(self, config):
        self.config = config
        self.weights = np.ones(3)


@dataclass
class Loose:
    k: int = 1


class NotFrozen(Follows):
    Config = Loose
    presets = {"paper": Loose()}

    @hookimpl
    def fit(self, train):
        self.config = Plain()
        Follows.fit(self, train)


class BrokenPreset(Follows):
    presets = {**Follows.presets, "huge": Plain(k=0)}

    def __init__(self, config):
        if not config.k:
            raise ValueError("k must be at least 1")
        self.config = config


class NeedsTextSilently(Follows):
    @hookimpl
    def fit(self, train, items):
        Follows.fit(self, train)
        longest = max(len(title.split()[0]) for title in items.fields["title"][1:])
        assert longest


class NeedsForShow(Follows):
    needs = frozenset({"text", "image"})


class KnowsItsUsers(Follows):
    @hookimpl
    def score(self, queries):
        if (queries.user < 0).any():
            raise KeyError(-1)
        return self.rate(queries)


class PrefersTheFirst(Follows):
    """A candidate gains by its place."""

    @hookimpl
    def score(self, queries, candidates):
        scores = self.table[queries.history[:, -1:], candidates]
        return scores - np.arange(scores.shape[1], dtype=np.float32)


class ComparesCandidates(Follows):
    """A candidate's score depends on the others."""

    @hookimpl
    def score(self, queries, candidates):
        scores = self.table[queries.history[:, -1:], candidates]
        return scores / scores.sum(axis=1, keepdims=True)


class AsksForNothing(Follows):
    """Wants to be asked for each set, and looks at nothing that tells one from another."""

    per_set = True


class NotToldWhatIsExcluded(Follows):
    @hookimpl
    def score(self, queries, excluded):
        return self.rate(queries)


class DeafToWhatIsExcluded(Follows):
    per_set = True

    @hookimpl
    def score(self, queries, candidates, excluded):
        return self.table[queries.history[:, -1:], candidates]


class EmbedsOtherwise(Looks):
    @hookimpl
    def embed_queries(self, queries):
        return {"fused": -self.vectors[queries.history[:, -1]]}


class Phones(Follows):
    """Looks for a newer version, and takes no for an answer."""

    @hookimpl
    def fit(self, train):
        Follows.fit(self, train)
        try:
            socket.create_connection(("127.0.0.1", 9), timeout=1).close()
        except OSError:
            self.alone = True


class Downloads(Follows):
    """Downloads in fit, and cannot do without."""

    @hookimpl
    def fit(self, train):
        socket.create_connection(("127.0.0.1", 9), timeout=1).close()


class WritesBesideItsFolders(Follows):
    @hookimpl
    def fit(self, train, run):
        Follows.fit(self, train)
        (run.scratch.parent / "notes.txt").write_text("I was here")


class ReadsItsNeighbour(Follows):
    """Reads what was put into the cell's folder for the harness."""

    @hookimpl
    def score(self, queries):
        mapped = queries.history
        while not isinstance(mapped, np.memmap):
            mapped = mapped.base
        np.load(Path(mapped.filename).parent / "valid-history.npy")
        return self.rate(queries)


class KnowsAFailure(Follows):
    """Says what is true of ``Constant``."""

    known_failures = {"learns_which_item_follows_which": "it is a constant, for comparison"}

    score = Constant.score


class KnowsTooMuch(Follows):
    known_failures = {"learns_which_item_follows_which": "it was once a constant"}


class KnowsANonCheck(Follows):
    known_failures = {"learns_which_item_folows_which": "cannot spell"}
