"""``python -P -m mmbench.grid.observer_child NAME OPTIONS``: the process that an observer lives in.

Notices come as JSON lines on stdin, an answer to each leaves on what was stdout; both are moved out
of the observer's way first, so that its prints are no answers. The process ends when the parent
does, once the observer is done with what it was told.

OPTIONS is JSON. Instead of it, ``about`` has the observer tell of itself, and nothing more.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

from mmbench.grid.config import as_dict
from mmbench.grid.docstrings import first_sentence
from mmbench.grid.introspect import settings_of
from mmbench.grid.observer_options import config_of
from mmbench.grid.registry import Plugin, UsageError, find_observer
from mmbench.hooks import check_hooks, has_hook, hooks_of, open_manager
from mmbench.hookspecs import ObserverHooks

ABOUT = "about"
PATIENCE = 60.0  # seconds that a hook may take at the end of a run, unless its class says more
AHEAD = 1000  # notices that wait here
Reply = Mapping[str, Any]


class ReadOnly(dict[str, Any]):
    """A dict that nobody writes into; ``copy`` and ``deepcopy`` of it are plain ones."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("an observer is told and changes nothing: copy this before you write to it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def read_only(value: Any) -> Any:
    """A deep copy of JSON-able data: its dicts refuse to be written to, its lists are tuples."""
    if isinstance(value, Mapping):
        return ReadOnly({name: read_only(part) for name, part in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(read_only, value))
    return value


def main() -> None:
    """Serve notices until there are no more."""
    notices = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    name, words = sys.argv[1:]
    with _refusing(replies):
        if words == ABOUT:
            _reply(replies, {"about": about(name)})
            return
        found, hook = open_observer(name, json.loads(words))
        hook.prepare()
        patience = float(getattr(found, "patience", PATIENCE))
        _reply(replies, {"ready": patience})
    serve(hook, notices, replies, patience)


def open_observer(name: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The named observer's class, and the hooks of a new instance.

    Raises UsageError for one that is not to be had.
    """
    plugin = find_observer(name)
    found = _load(plugin)
    config = config_of(found, f"observer {name}", options)
    given = () if config is None else (config,)
    return found, open_manager(found, ObserverHooks, name, *given).hook


def about(name: str) -> Reply:
    """What an observer's class tells of itself: its text, its options and its hooks."""
    plugin = find_observer(name)
    found = _load(plugin)
    config = config_of(found, f"observer {name}", {})
    text = inspect.cleandoc(found.__doc__ or "")
    options = [] if config is None else settings_of(type(config), as_dict(config))
    return {
        "summary": first_sentence(text),
        "text": text,
        "options": [
            {part: getattr(one, part) for part in ("name", "type", "default", "meaning")}
            for one in options
        ],
        "hooks": [hook for hook in hooks_of(ObserverHooks) if has_hook(found, hook)],
    }


def serve(hook: Any, notices: IO[bytes], replies: IO[bytes], patience: float) -> None:
    """Tell the observer of each notice, in order, and answer once it is done with it."""
    inbox: queue.Queue[bytes | None] = queue.Queue(AHEAD)
    reader = threading.Thread(target=_read, args=(notices, inbox, patience), daemon=True)
    reader.start()
    while line := inbox.get():
        notice = json.loads(line)
        reply: Reply = {}
        try:
            getattr(hook, notice["hook"])(**read_only(notice["told"]))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  whatever it is
            reply = {"failed": f"{type(error).__name__}: {error}"}
        _reply(replies, reply)


def _read(notices: IO[bytes], inbox: queue.Queue[bytes | None], patience: float) -> None:
    """Put what comes into the inbox; once no more can come, do not let a hook sit here for ever."""
    for line in notices:
        inbox.put(line)
    inbox.put(None)
    time.sleep(patience)
    os._exit(1)


def _load(plugin: Plugin) -> Any:
    found = plugin.load()
    check_hooks(found, ObserverHooks, plugin.value)
    return found


def _reply(replies: IO[bytes], reply: Reply) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


@contextlib.contextmanager
def _refusing(replies: IO[bytes]) -> Iterator[None]:
    """What is raised before the observer is ready goes to the parent, in a sentence."""
    try:
        yield
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  a plugin may raise anything
        plain = str(error) if isinstance(error, UsageError) else ""
        _reply(replies, {"refused": plain, "why": f"{type(error).__name__}: {error}"})
        sys.exit(1)


if __name__ == "__main__":
    main()
