"""``python -P -m mmbench.grid.rank FOLDER``: one more process that fits a cell's model.

Started by the plugin's process, see ``ranks``, inside its wall. What to fit is JSON on stdin:
``plugin``, ``config`` and ``run``, as ``worker.Worker`` is told.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mmbench.grid import exchange, ranks
from mmbench.grid.registry import Plugin
from mmbench.grid.session import open_session
from mmbench.grid.worker import circumstances


def main() -> None:
    """Fit, and end."""
    folder, told = Path(sys.argv[1]), json.load(sys.stdin)
    manager = open_session(Plugin(**told["plugin"]), told["config"])
    run = circumstances(
        folder,
        told["run"],
        validate=_ask_the_first,
        log=lambda step, **values: None,
        progress=lambda done, total, unit="steps": None,
        example=lambda title, /, **texts: None,
    )
    train, items = exchange.load_train(folder), exchange.load_items(folder)
    manager.hook.fit(train=train, items=items, run=run)
    ranks.part()


def _ask_the_first(limit: int | None = None) -> float:
    raise RuntimeError(
        "run.validate was called in another than the first process of a fit: leave it to "
        "mmbench.vlm.train, which tells all of them what the first has found"
    )


if __name__ == "__main__":
    main()
