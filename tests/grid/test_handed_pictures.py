"""What a model's process learns of pictures: their pixels, and nothing of the dataset's files."""

import json

import pytest
from PIL import Image

from mmbench.grid import landlock

CURIOUS = """
import json, os
from pathlib import Path
import numpy as np
import shelf
from mmbench import hookimpl

def walk(thing, depth=0):
    '''All texts that attributes and containers lead to.'''
    if isinstance(thing, (str, bytes, os.PathLike)):
        yield os.fsdecode(thing)
    elif isinstance(thing, dict):
        for pair in thing.items():
            yield from walk(pair, depth)
    elif isinstance(thing, (list, tuple)):
        for one in thing:
            yield from walk(one, depth)
    elif depth < 4:
        for name in dir(thing):
            if name.startswith('__'):
                continue
            try:
                found = getattr(thing, name)
            except Exception:
                continue
            if not callable(found):
                yield from walk(found, depth + 1)

def attempt(action):
    try:
        return action()
    except OSError as error:
        return type(error).__name__

class Curious(shelf.Painter):
    @hookimpl
    def fit(self, train, items, run):
        store, told = items.images, {}
        folder = store.path.parent
        told['texts'] = sorted(set(walk(store)))
        told['colours'] = {
            items.fields['title'][item]: list(store.open(item).getpixel((0, 0)))
            for item in store.items().tolist()
        }
        views = b''.join(
            path.read_bytes() for path in run.scratch.parent.rglob('*')
            if path.is_file() and 'packages' not in path.parts  # they hold this very module
        )
        told['held'] = len(views)
        told['words'] = [word for word in WORDS if word.encode() in views]
        told['folder'] = attempt(lambda: os.listdir(folder))
        told['prepared'] = attempt(lambda: os.listdir(folder.parent / 'prepared'))
        told['source'] = attempt(lambda: Path(SOURCE).read_bytes().hex())
        told['listed'] = attempt(lambda: os.listdir(Path(SOURCE).parent))
        told['sizes'] = [store.path.stat().st_size, len(store.offsets)]
        raise RuntimeError('told ' + json.dumps(told))
"""
WORDS = ["raw0id", "raw1id", "raw2id", "orchard", ".png"]
COLOURS = {"cherry": (200, 0, 10), "olive": (90, 120, 20), "plum": (90, 20, 110)}


@pytest.fixture
def told(bench):
    """``told(*words)``: what the curious model learns of a shop whose files are called by ids."""
    folder = bench.folder / "data" / "orchard"
    (folder / "images").mkdir(parents=True)
    names = list(COLOURS)
    lines = [f"u{u} " + " ".join(f"raw{(u + k) % 3}id" for k in range(3)) for u in range(30)]
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    rows = "".join(f"raw{k}id\t{name}\n" for k, name in enumerate(names))
    (folder / "items.tsv").write_text("item_id\ttitle\n" + rows)
    for k, name in enumerate(names):
        Image.new("RGB", (5, 5), COLOURS[name]).save(folder / "images" / f"raw{k}id.png")
    source = f"SOURCE, WORDS = {str(folder / 'images' / 'raw0id.png')!r}, {WORDS!r}\n"
    bench.add("curious", source + CURIOUS, curious="Curious")

    def ask(*words):
        done = bench.run("run", "-m", "curious", "-d", "orchard", "--json", *words)
        (row,) = done.json
        reason = row["status"]["reason"]
        assert "told {" in reason, reason
        return json.JSONDecoder().raw_decode(reason[reason.index("told {") + 5 :])[0]

    return ask


def test_no_raw_id_name_or_folder_of_a_picture_is_in_reach(told, bench):
    found = told()
    assert found["colours"] == {name: list(colour) for name, colour in COLOURS.items()}
    assert len(found["texts"]) <= 40  # a path, and its parts
    assert found["words"] == []
    assert found["held"] > 500
    for text in found["texts"]:
        assert not [word for word in WORDS if word in text]
    (handed,) = (bench.folder / "cache" / "pictures").iterdir()
    assert str(handed) in found["texts"]
    assert found["sizes"] == [handed.stat().st_size, 5]


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
def test_the_file_is_open_and_neither_its_folder_nor_the_source(told):
    found = told()
    for way in ("folder", "prepared", "source", "listed"):
        assert found[way] == "PermissionError", way
