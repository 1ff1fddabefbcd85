"""A board as a file, and a headless Chromium that reads it."""

import os
import shutil

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import sync_playwright

from mmbench.report import make_pages
from mmbench.report.html.render import to_html

USERS = 400
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = "<script>alert(1)</script>"  # a model's name


@pytest.fixture(scope="session")
def chromium():
    """The one browser of all tests; they skip where there is none."""
    named = os.environ.get("MMBENCH_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here: `apt-get install chromium`, or name one in MMBENCH_CHROMIUM")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


def ranks(seed, worse):
    """Ranks of one seed on three sets: the user's own taste, ``worse`` by so many, and noise."""
    taste = np.random.default_rng(99).integers(0, 25, USERS)
    rng = np.random.default_rng(seed)
    above = np.maximum(0, taste + worse + rng.integers(-3, 4, USERS)).astype(np.int32)
    columns = {
        "query": np.arange(USERS, dtype=np.int32),
        "user": [f"u{number}" for number in range(USERS)],
        "frequency": np.arange(USERS, dtype=np.int32) % 60,
        "history_length": np.arange(USERS, dtype=np.int32) % 55 + 1,
    }
    for name, more in (("full", 1), ("unseen", 0), ("neg100", -3)):
        columns[f"greater_{name}"] = np.maximum(0, above + more).astype(np.int32)
        columns[f"equal_{name}"] = np.zeros(USERS, np.int32)
    return pa.table(columns)


@pytest.fixture
def reading(ranked, make_record, papers):
    """Rows of all kinds: several seeds, one, a tiny model, a failed one, one with a wild name."""
    told = {"needs": ["image", "text"], "loss": "softmax CE over the catalogue"}
    told["curves"] = {
        "valid ndcg@10": [[step, 0.01 * step] for step in range(60)],
        "loss": [[step, 1 / (1 + step)] for step in range(60)],
    }
    rows = {
        "sasrec": (0, 3, {"papers": papers, **told}),
        "itemknn": (5, 2, {"cost": {"fit_seconds": 0.04}}),
        "vlm2rec (tiny)": (8, 2, {"preset": "tiny", "cost": {"fit_seconds": 7000.0}}),
        "pop": (10, 1, {"config": {}, "wall": "none"}),
        HOSTILE: (13, 2, {}),
    }
    pairs = [
        (
            make_record(
                "m",
                seed,
                label=name,
                queries=USERS,
                data={"name": HOSTILE, "remarks": [HOSTILE]},
                **{"config": {"n": worse}, **changes},
            ),
            ranks(100 * worse + seed, worse),
        )
        for name, (worse, seeds, changes) in rows.items()
        for seed in range(seeds)
    ]
    for record, _ in pairs:
        if record["label"] == "pop":
            record["curves"] = {}
    lost = make_record("prime", status="failed", reason="KeyError: 'x'")
    return ranked(*pairs, (lost, None))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Where the board is kept once it was made."""
    return tmp_path_factory.mktemp("html") / "board.html"


@pytest.fixture
def board(made, request):
    """The path of the board's file."""
    if not made.exists():
        reading = request.getfixturevalue("reading")
        (page,) = (page for path, page in make_pages(reading).items() if path)
        made.write_text(to_html(page), encoding="utf-8")
    return made


@pytest.fixture
def visit(chromium, board):
    """``visit(fragment, **context)``: the board in a context of its own, with all that it asks for
    and complains of in ``page.requests`` and ``page.complaints``."""
    contexts = []

    def go(fragment="", **changes):
        context = chromium.new_context(**{"viewport": {"width": 1200, "height": 900}} | changes)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append("a dialog"), dialog.dismiss()))
        page.goto(f"{board.as_uri()}{fragment}")
        return page

    yield go
    for context in contexts:
        context.close()
