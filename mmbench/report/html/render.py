"""A page as one HTML file: its style and script inside, nothing from anywhere else.

The script sorts, filters and draws what the file already tells; without it all is there to be read.
The content security policy lets run just this style and this script, by their digests, and load
nothing at all.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from mmbench.report.html.drawings import draw
from mmbench.report.html.room import ROWS, fit
from mmbench.report.html.tables import escape, table
from mmbench.report.markdown import CONCLUDED
from mmbench.report.markdown import GENERATED as COMMENT
from mmbench.report.page import Page, Section

GENERATED = f"<!doctype html>\n{COMMENT}"
DEFS = """<svg class=defs aria-hidden=true><marker id=dot viewBox="0 0 8 8" refX=4 refY=4
markerWidth=8 markerHeight=8 markerUnits=userSpaceOnUse><circle cx=4 cy=4 r=4 /></marker></svg>"""
CONTROLS = """<div class=controls role=search hidden>
<label for=find>Rows</label>
<input id=find type=search placeholder="sasrec markov -tiny" autocomplete=off spellcheck=false>
<output id=told aria-live=polite></output>
<button id=theme type=button aria-label="Colours: as the system says">◐</button>
</div>"""


def to_html(page: Page) -> str:
    """The page; the same page gives the same text."""
    style, script = (_asset(name) for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = fit(page)
    title = escape(page.title)
    body = [
        "<a class=skip href=#main>To the tables</a>",
        f"<header><h1>{title}</h1>",
        *_head(page),
        "</header>",
        *_contents(page),
        CONTROLS,
        DEFS,
        "<main id=main>",
        *_sections(page.sections),
        *_footnotes(page),
        *_sections(page.origin),
        *_links(page),
        "</main>",
    ]
    return "\n".join(
        [
            f"{GENERATED}\n<html lang=en>\n<meta charset=utf-8>",
            f'<meta http-equiv=Content-Security-Policy content="{policy}">',
            "<meta name=viewport content=width=device-width,initial-scale=1>",
            '<meta name=color-scheme content="light dark">',
            f"<title>{title}</title>\n<link rel=icon href=data:,>",
            f"<style>{style}</style>",
            *body,
            f"<script>{script}</script>\n",
        ]
    )


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


def _digest(text: str) -> str:
    sha = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(sha).decode()}'"


def _head(page: Page) -> Iterator[str]:
    lede, *more = (*page.facts, "")
    if lede:
        yield f"<p class=lede>{_labelled(lede)}</p>"
    yield from (f"<p>{escape(rule)}</p>" for rule in page.rules)
    facts = [fact for fact in more if fact]
    if facts:
        listed = "\n".join(f"<li>{_labelled(fact)}" for fact in facts)
        yield f"<details><summary>The data and the question</summary>\n<ul>{listed}</ul></details>"


def _labelled(text: str) -> str:
    """``Data: ...``, the word before the colon in bold."""
    label, colon, rest = text.partition(": ")
    if not colon or len(label) > 24:
        return escape(text)
    return f"<b>{escape(label)}</b> {escape(rest)}"


def _contents(page: Page) -> Iterator[str]:
    links = [*map(_named, (s for s in page.sections if s.level == 2))]
    if page.footnotes:
        links.append(("footnotes", "Footnotes"))
    links += map(_named, (s for s in page.origin if s.level == 2))
    if len(links) > 1:
        listed = "".join(f"<a href=#{key}>{escape(title)}</a>" for key, title in links)
        yield f"<nav aria-label=Sections>{listed}</nav>"


def _named(section: Section) -> tuple[str, str]:
    """Its key, and its title in a word or a few."""
    return section.key, re.split("[:,]", section.title)[0]


def _sections(sections: Iterable[Section]) -> Iterator[str]:
    first = True
    for section in sections:
        heading = f"h{section.level}"
        yield f"<section id={section.key}><{heading}>{escape(section.title)}</{heading}>"
        yield from _body(section, first)
        yield "</section>"
        first = first and section.table is None


def _body(section: Section, first: bool) -> Iterator[str]:
    if section.banner:
        yield f"<p class=banner>{escape(section.banner)}</p>"
    yield from (f"<p>{escape(text)}</p>" for text in section.before)
    if section.concluded:
        yield f"<p class=concluded><b>{CONCLUDED}:</b> {escape(section.concluded)}</p>"
    if section.table is not None:
        yield table(section, linked=first and len(section.table.rows) <= ROWS)
    yield from _after(section, first)
    if section.drawings:
        yield "<div class=drawn>"
        yield from map(draw, section.drawings)
        yield "</div>"


def _after(section: Section, first: bool) -> Iterator[str]:
    """The lines below a table; those of later tables say nearly the same, and are folded."""
    if not section.after:
        return
    kind = "settings" if section.key == "settings" else "notes"
    listed = (
        f"<ul class={kind}>" + "\n".join(f"<li>{escape(line)}" for line in section.after) + "</ul>"
    )
    if not section.concluded:
        yield listed
    else:
        state = " open" if first else ""
        yield f"<details{state}><summary>What the columns mean</summary>{listed}</details>"


def _footnotes(page: Page) -> Iterator[str]:
    if page.footnotes:
        listed = "\n".join(
            f"<li id=n{number} value={number}>{escape(text)}"
            for number, text in page.footnotes.items()
        )
        yield f"<section id=footnotes><h2>Footnotes</h2>\n<ol>{listed}</ol></section>"


def _links(page: Page) -> Iterator[str]:
    if page.links:
        listed = ", ".join(
            f'<a href="{escape(path)}">{escape(text)}</a>' for text, path in page.links
        )
        yield f"<p>Grids that name this data: {listed}</p>"
