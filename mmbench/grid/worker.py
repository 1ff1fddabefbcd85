"""The plugin's side of a channel: does as it is told, answers, and knows no target."""

from __future__ import annotations

import contextlib
import operator
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pluggy

from mmbench.grid import exchange, ranks
from mmbench.grid.channel import Channel, ChannelClosed, Message
from mmbench.grid.curves import check_point
from mmbench.grid.introspect import introspect
from mmbench.grid.registry import ModelRef, Plugin, UsageError
from mmbench.grid.replies import EXAMPLES, REASON, TEXT, TRACEBACK, UNIT, Example, read
from mmbench.grid.session import describe, examine, open_session, parameter_count, takes
from mmbench.grid.wall import OWN, SCRATCH
from mmbench.grid.watch import Watch
from mmbench.problems import legible
from mmbench.views import Int32, Int64, Items, Queries, Run, Vectors

PROGRESS_EVERY = 0.1  # seconds


def serve(channel: Channel, folder: Path, watch: Watch | None = None) -> None:
    """Answer commands until ``stop`` or until the other side is gone.

    Args:
        channel: our end.
        folder: the cell's scratch folder, with the views that the parent wrote.
        watch: told when plugin code runs, to look at what it opens.
    """
    worker = Worker(channel, folder, watch)
    with contextlib.suppress(ChannelClosed):
        while worker.obey(channel.receive()):
            pass


class Worker:
    """Holds the plugin between commands."""

    def __init__(self, channel: Channel, folder: Path, watch: Watch | None = None) -> None:
        self.channel = channel
        self.folder = folder
        self.watch = watch
        self.manager: pluggy.PluginManager | None = None
        self.opened: Message = {}  # what it was built of
        self.items: Items | None = None
        self.queries: dict[str, Queries] = {}
        self.candidates: dict[str, Int32] = {}
        self.excluded: dict[str, tuple[Int64, Int32]] = {}
        self.catalogue: Int32 = np.empty(0, np.int32)
        self.sent_vectors = False  # the items', as they are since the weights last changed

    def obey(self, command: Message) -> bool:
        """Carry out one command and answer it; False after ``stop``."""
        if command["do"] == "stop":
            return False
        try:
            answer = getattr(self, f"do_{command['do']}")(**command.get("with", {}))
            self.channel.send({"answer": answer})
        except ChannelClosed:
            raise
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything, SystemExit too
            self.channel.send({"failed": explain(error)})
        return True

    def do_describe(self, plugin: Message, ref: Message, size: str, overrides: Message) -> Message:
        """Import the plugin's class and say what it declares."""
        overrides_of_ref = tuple((key, value) for key, value in ref.pop("overrides"))
        found = describe(
            Plugin(**plugin), ModelRef(**ref, overrides=overrides_of_ref), size, overrides
        )
        return {"options": [asdict(option) for option in found]}

    def do_introduce(self, plugin: Message) -> Message:
        """Import the plugin's class and let it tell about itself."""
        return {"about": asdict(introspect(Plugin(**plugin)))}

    def do_examine(self, plugin: Message, config: Message) -> Message:
        """Build an instance and say what it holds and which hooks it has."""
        found: Message = examine(Plugin(**plugin), config)
        return found

    def do_fetch(self, plugin: Message, config: Message, cache: str, network: bool) -> Message:
        """Build an instance and let it fetch; nothing else is ever asked of this process."""
        if self.watch is not None:
            own = (self.folder / name for name in OWN)
            self.watch.allow(writes=[Path(cache), *own])
            self.watch.offline = not network
        with self.during("import"):
            manager = open_session(Plugin(**plugin), config)
        with self.during("fetch"):
            manager.hook.fetch(cache=Path(cache))
        return {}

    def do_open(self, plugin: Message, config: Message) -> Message:
        """Build the instance that will be fitted. A second one starts afresh.

        The first finds what a preempted attempt at its cell has left, see ``grid.checkpoints``.
        """
        if self.manager is not None:
            clear(self.folder / SCRATCH)
        if self.watch is not None:
            self.watch.allow(writes=[self.folder / own for own in OWN])
        with self.during("import"):
            self.manager = open_session(Plugin(**plugin), config)
        self.opened = {"plugin": plugin, "config": config}
        return {}

    def do_fit(self, run: Message) -> Message:
        """Fit the instance that was built last."""
        assert self.manager is not None
        given, count = self._given(run), run["processes"]
        with self.during("fit"), ranks.joined(self.folder, count, {**self.opened, "run": run}):
            self.manager.hook.fit(**given)
        self.sent_vectors = False
        return {"parameters": parameter_count(self.manager)}

    def do_keep(self) -> Message:
        """What the fitted plugin learned, in a file."""
        assert self.manager is not None
        with self.during("keep"):
            answer = self.manager.hook.keep()
        return exchange.save_kept(self.folder, answer)

    def do_restore(self, run: Message) -> Message:
        """Let the instance that was built last be as after the fit that was kept."""
        assert self.manager is not None
        given = {**self._given(run), "arrays": exchange.load_fit(self.folder)}
        given["run"] = replace(given["run"], validate=_no_validation)
        with self.during("restore"):
            self.manager.hook.restore(**given)
        self.sent_vectors = False
        return {}

    def _given(self, run: Message) -> dict[str, Any]:
        """What ``fit`` is given, as it stands in the folder and in ``run``; all else is let go."""
        cache, encodings = Path(run["cache"]), Path(run["encodings"])
        self.queries, self.candidates, self.excluded = {}, {}, {}
        train, items = exchange.load_train(self.folder), exchange.load_items(self.folder)
        if self.watch is not None:
            self.watch.allow(
                reads=[cache, *([items.images.path] if items.images else [])], writes=[encodings]
            )
        self.items = items
        self.catalogue = np.arange(1, items.n_items + 1, dtype=np.int32)
        self.catalogue.setflags(write=False)
        told = circumstances(
            self.folder,
            run,
            validate=_validator(self),
            log=_logger(self.channel),
            progress=_progressor(self.channel),
            example=_exampler(self.channel),
        )
        self.sent_vectors = False
        return {"train": train, "items": items, "run": told}

    def do_transfer(self) -> Message:
        """Turn the fitted plugin to the catalogue that now stands in the folder."""
        assert self.manager is not None
        self.queries, self.candidates, self.excluded = {}, {}, {}
        self.items = exchange.load_items(self.folder)
        if self.watch is not None and self.items.images:
            self.watch.allow(reads=[self.items.images.path])
        self.catalogue = np.arange(1, self.items.n_items + 1, dtype=np.int32)
        self.catalogue.setflags(write=False)
        with self.during("transfer"):
            self.manager.hook.transfer(items=self.items)
        self.sent_vectors = False
        return {}

    def do_score(self, fold: str, kind: str, of: str, start: int, stop: int, slot: int) -> Message:
        """Ask the plugin about rows of a fold; the answer goes into a file.

        ``of``: the candidate set that is asked for, of a plugin that is told; else empty.
        """
        assert self.manager is not None
        told = {
            "queries": self._queries(fold, start, stop),
            "candidates": self._candidates(exchange.part_of(fold, of), kind, start, stop),
            "excluded": self._excluded(exchange.part_of(fold, of) if of else "", start, stop),
        }
        with self.during("score"):
            answer = self.manager.hook.score(**told)
        if answer is None:
            raise TypeError("score answered None")
        more = {}
        if isinstance(answer, Vectors) and not self.sent_vectors:
            more["item_vectors"] = self._save_item_vectors()
            self.sent_vectors = True
        return {"answer": exchange.save_answer(self.folder, slot, answer), **more}

    def _save_item_vectors(self) -> Message:
        assert self.manager is not None
        with self.during("embed_items"):
            embeddings = self.manager.hook.embed_items(items=self.items)
        return exchange.save_item_vectors(self.folder, embeddings)

    def do_embed_items(self) -> Message:
        """The plugin's embeddings of the whole catalogue, in files."""
        assert self.manager is not None
        with self.during("embed_items"):
            answer = self.manager.hook.embed_items(items=self.items)
        return exchange.save_embeddings(self.folder, answer)

    def do_embed_queries(self, fold: str, start: int, stop: int) -> Message:
        """The plugin's embeddings of rows of a fold, in files."""
        assert self.manager is not None
        part = self._queries(fold, start, stop)
        with self.during("embed_queries"):
            answer = self.manager.hook.embed_queries(queries=part)
        return exchange.save_embeddings(self.folder, answer)

    def during(self, phase: str) -> contextlib.AbstractContextManager[None]:
        """Plugin code runs inside; ``""`` for our own code in the middle of a hook."""
        return self.watch.during(phase) if self.watch else contextlib.nullcontext()

    def _queries(self, fold: str, start: int, stop: int) -> Queries:
        if fold not in self.queries:
            self.queries[fold] = exchange.load_queries(self.folder, fold)
        queries = self.queries[fold]
        return Queries(
            queries.user[start:stop], queries.history[start:stop], queries.time[start:stop]
        )

    def _candidates(self, fold: str, kind: str, start: int, stop: int) -> Int32 | None:
        assert self.manager is not None
        if not takes(self.manager, "score", "candidates"):
            return None
        if kind == "candidates":
            if fold not in self.candidates:
                self.candidates[fold] = exchange.load_candidates(self.folder, fold)
            return np.asarray(self.candidates[fold][start:stop])
        return np.broadcast_to(self.catalogue, (stop - start, len(self.catalogue)))

    def _excluded(self, part: str, start: int, stop: int) -> Int32 | None:
        """int32[b, e], left-padded; ``part`` is empty where nothing is excluded."""
        assert self.manager is not None
        if not takes(self.manager, "score", "excluded"):
            return None
        if not part:
            return _frozen(np.zeros((stop - start, 0), np.int32))
        if part not in self.excluded:
            self.excluded[part] = exchange.load_excluded(self.folder, part)
        offsets, items = self.excluded[part]
        bounds = offsets[start : stop + 1]
        lengths = np.diff(bounds)
        width = int(lengths.max(initial=0))
        padded = np.zeros((stop - start, width), np.int32)
        padded[np.arange(width) >= width - lengths[:, None]] = items[bounds[0] : bounds[-1]]
        return _frozen(padded)


def _frozen(array: Int32) -> Int32:
    array.setflags(write=False)
    return array


def clear(folder: Path) -> None:
    """Remove all that is in a folder; the folder itself stays, as the wall knows it."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def circumstances(folder: Path, run: Message, **calls: Callable[..., Any]) -> Run:
    """What a plugin is told of its fit; ``calls`` are the functions that it may call."""
    return Run(
        seed=run["seed"],
        device=run["device"],
        scratch=folder / SCRATCH,
        cache=Path(run["cache"]),
        preset=run["preset"],
        encodings=Path(run["encodings"]),
        **calls,
    )


def explain(error: BaseException) -> Message:
    """An exception with its notes as data, of a size that fits into a message."""
    kind = type(error)
    message = " ".join([str(error), *map(str, getattr(error, "__notes__", ()))])
    return {
        "type": kind.__name__,
        "message": message[: 2 * REASON],  # who reads it cuts it, and says so
        "usage": isinstance(error, UsageError),
        "memory": isinstance(error, MemoryError) or kind.__name__ == "OutOfMemoryError",
        "traceback": "".join(traceback.format_exception(error))[-TRACEBACK:],
    }


def _validator(worker: Worker) -> Callable[..., float]:
    """``run.validate``: the parent asks back for scores until it knows the figure."""
    channel, obey = worker.channel, worker.obey

    def validate(limit: int | None = None) -> float:
        """ndcg@10 on the validation fold, over the whole catalogue."""
        count = None if limit is None else operator.index(limit)
        if count is not None and count < 1:
            raise ValueError(f"run.validate: a limit of {limit} leaves no query; give 1 or more")
        worker.sent_vectors = False
        channel.send({"event": "validate", "limit": count})
        with worker.during(""):
            while True:
                command = channel.receive()
                if command["do"] == "validated":
                    return float(command["value"])
                obey(command)

    return validate


def _no_validation(limit: int | None = None) -> float:
    """``run.validate`` where nothing is fitted."""
    raise RuntimeError("run.validate is for fit alone, and a kept fit is restored")


def _logger(channel: Channel) -> Callable[..., None]:
    known: set[str] = set()

    def log(step: int, **values: float) -> None:
        """Record a point of each named curve. Raises CurveError for more than there is room for."""
        plain = {name: float(value) for name, value in values.items()}
        check_point(int(step), plain, known)
        known.update(plain)
        channel.send({"event": "log", "step": int(step), "values": plain})

    return log


def _progressor(channel: Channel) -> Callable[..., None]:
    times = _ticks()

    def progress(done: float, total: float, unit: str = "steps") -> None:
        """Move the cell's bar; calls in quick succession are thinned out."""
        if len(unit) > UNIT:
            raise ValueError(f"run.progress: {unit[:UNIT]!r}... is no unit; {UNIT} characters are")
        if next(times) or done >= total:
            channel.send(
                {"event": "progress", "done": float(done), "total": float(total), "unit": unit}
            )

    return progress


def _exampler(channel: Channel) -> Callable[..., None]:
    left = EXAMPLES

    def example(title: str, /, **texts: str) -> None:
        """Keep texts for a reader; later ones than a cell keeps are let go. Raises ReplyError."""
        nonlocal left
        cut = {name: legible(text, TEXT) for name, text in texts.items()}
        message = {"event": "example", "title": title, "texts": cut}
        read(Example, message, "run.example")
        if left:
            left -= 1
            channel.send(message)

    return example


def _ticks() -> Iterator[bool]:
    last = 0.0
    while True:
        now = time.monotonic()
        due = now - last >= PROGRESS_EVERY
        if due:
            last = now
        yield due
