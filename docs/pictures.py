"""Draw the pictures of the site from the committed results: ``python docs/pictures.py``.

A board is photographed as a Chromium shows it (`apt-get install chromium`, or name one in
MMBENCH_CHROMIUM); what ``mmbench show`` and ``mmbench compare`` print is drawn by rich, as SVG.
Letters differ by a machine's fonts, so no test compares the files: look at them.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "leaderboards" / "results"
FOLDER = DOCS / "pictures"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
WIDTH = 112  # columns of a terminal
LINES = 40  # of it, at most
BEAUTY = "loo@2/amazon2014-beauty.html"
BOARDS = {"board": ("#unseen .concluded", "light"), "board-dark": ("#full .concluded", "dark")}
COMMANDS = {
    "show": ["show", "sasrec-ce", "-r", str(RESULTS), "-d", "beauty"],
    "compare": ["compare", "sasrec-ce", "markov", "-r", str(RESULTS), "-d", "beauty"],
}


def mmbench(*words: str, **environment: str) -> str:
    """What a command prints. Raises CalledProcessError."""
    command = [sys.executable, "-c", "from mmbench.cli import main; main()", *words]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def draw_boards() -> None:
    """Parts of a board from an element down, as PNG of few colours."""
    named = os.environ.get("MMBENCH_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as started:
        mmbench("leaderboard", str(RESULTS), "-o", made, "--published", "--format", "html")
        browser = started.chromium.launch(executable_path=path, args=list(QUIET))
        for name, (element, scheme) in BOARDS.items():
            page = browser.new_page(viewport={"width": 1200, "height": 760})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.goto((Path(made) / BEAUTY).as_uri())
            page.locator(element).evaluate("one => window.scrollTo(0, one.offsetTop - 90)")
            drawn = Image.open(io.BytesIO(page.screenshot()))
            drawn.convert("RGB").quantize(64).save(FOLDER / f"{name}.png", optimize=True)
            page.close()
        browser.close()


def draw_commands() -> None:
    """What commands print, as SVG that asks no address for its letters."""
    for name, words in COMMANDS.items():
        printed = mmbench(*words, COLUMNS=str(WIDTH), FORCE_COLOR="1")
        lines = printed.splitlines()[:LINES]
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        for line in lines:
            console.print(Text.from_ansi(line))
        shown = [word.replace(str(RESULTS), "leaderboards/results") for word in words]
        svg = console.export_svg(title=f"mmbench {' '.join(shown)}", theme=SVG_EXPORT_THEME)
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
        svg = svg.replace("Fira Code, monospace", "monospace")
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_boards()
    draw_commands()
