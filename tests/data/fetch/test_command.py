"""The commands on a machine without data: what they say, what they ask, and that they go on."""

import fcntl
import importlib.metadata
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest
from published import beauty_sources, films, items_table, publish, sequences, toys_sources

from mmbench.data.fetch.cards import REMARK

TEXT, TABLE = sequences(), items_table()
COUNTS = {"users": 60, "items": 24}
NONE = "not applicable: no pictures (add --images or --draw)"


@pytest.fixture
def machine(bench, host, tmp_path):
    """``bench`` with no data but what the host serves; ``machine.paths`` are those of beauty."""
    del bench.environment["MMBENCH_DATA"]
    bench.environment |= {
        "XDG_DATA_HOME": str(tmp_path / "home"),
        "MMBENCH_MIRROR": host.address,
        "MMBENCH_RECIPES": str(tmp_path / "recipes"),
    }
    bench.run = in_process(bench.run)
    bench.home = tmp_path / "home" / "mmbench" / "datasets"
    files = beauty_sources(TEXT, TABLE)
    bench.paths = publish(host, tmp_path / "recipes", "amazon2014-beauty", files, **COUNTS)
    for name, needs in (("painter", "{'image'}"), ("bare", "set()")):
        bench.add(
            f"the_{name}",
            f"import shelf\nclass Model(shelf.Noise):\n    needs = frozenset({needs})\n",
            **{name: "Model"},
        )
    return bench


def in_process(run):
    """Runs of cells without a process of their own: what is looked at here is the data."""

    def quick(*words, **how):
        extra = ["--in-process"] if words[0] == "run" and "--preset" not in words else []
        return run(*words, *extra, **how)

    return quick


def test_a_run_says_what_it_would_fetch_and_wants_to_be_told(machine, host):
    done = machine.run("run", "-m", "bare", "-d", "beauty")
    assert done.code == 2
    told = " ".join(done.out.split())
    assert "not on this machine:" in told and "amazon2014-beauty: 0.0 MB into" in told
    assert f"Beauty.txt, {len(TEXT):,} bytes, from https://raw.githubusercontent.com/" in told
    assert "licence: BSD-3-Clause" in told and "datamaps" not in told  # no model reads text
    assert "add --yes" in done.err
    assert host.asked == [] and not machine.home.exists()


def test_a_run_fetches_what_its_models_need_and_no_more(machine, host):
    done = machine.run("run", "-m", "bare", "-d", "beauty", "--yes")
    assert done.code == 0, done.err
    assert [path for path, _ in host.asked] == [machine.paths["Beauty.txt"]]
    done = machine.run("run", "-m", "bare,counts", "-d", "beauty", "--yes")
    assert done.code == 0, done.err
    assert "1 of 2 cells to run" in done.out  # the row without text is the same row
    assert len(host.asked) == 5
    again = machine.run("run", "-m", "bare,counts", "-d", "beauty", "--no-fetch")
    assert "0 of 2 cells to run" in again.out and len(host.asked) == 5


def test_no_fetch_and_a_plan_only_fetch_nothing(machine, host):
    for flag, reason in (("--no-fetch", "--no-fetch forbids"), ("--dry-run", "fetch it first")):
        done = machine.run("run", "-m", "bare", "-d", "beauty", "--yes", flag)
        assert done.code == 2
        assert reason in done.err and "Beauty.txt" in done.err
    done = machine.run("data", "fetch", "beauty", "--dry-run")
    assert done.code == 0 and "products_lookup.csv" in done.out
    assert host.asked == []


def test_data_that_is_here_is_not_fetched(machine, host, tmp_path):
    folder = tmp_path / "mine" / "amazon2014-beauty"
    folder.mkdir(parents=True)
    (folder / "sequences.txt").write_bytes(TEXT)
    machine.environment["MMBENCH_DATA"] = str(folder.parent)
    done = machine.run("run", "-m", "bare,counts,painter", "-d", "beauty", "--draw", "--yes")
    assert done.code == 0, done.err
    assert "not applicable: needs text, which the data has not" in " ".join(done.out.split())
    assert "cards are drawn from titles, and it has none" in done.out
    assert host.asked == [] and not machine.home.exists()


def test_each_fault_is_told_and_a_second_try_goes_on(machine, host):
    run = ["run", "-m", "bare", "-d", "beauty", "--yes"]
    path = machine.paths["Beauty.txt"]
    host.faults[path] = [404]
    done = machine.run(*run)
    assert done.code == 2
    assert "Beauty.txt cannot be fetched" in done.err and "HTTP 404" in done.err
    assert "CIKM2020-S3Rec" in done.err  # the mirror was asked too
    host.faults[path] = [("bytes", TEXT[:-2] + b"9\n")]
    done = machine.run(*run)
    assert done.code == 2 and "what it gives is another file: its sha256" in done.err
    host.faults[path] = [(429, 1), ("break", 100)]
    done = machine.run(*run)
    assert done.code == 0, done.err
    assert host.asked[-1][1] == "bytes=100-"


def test_a_model_that_needs_pictures_is_told_how_to_get_some_in_the_plan(machine):
    done = machine.run("run", "-m", "painter,bare", "-d", "beauty", "--yes")
    assert done.code == 0, done.err
    assert NONE in " ".join(done.out.split())
    plan = machine.run("run", "-m", "painter", "-d", "beauty", "--dry-run", "--json").json
    assert plan[0]["inapplicable"] == NONE.partition(": ")[2]


def test_drawn_cards_are_drawn_labelled_and_share_the_rows_of_others(machine, host):
    machine.run("run", "-m", "bare", "-d", "beauty", "--yes")
    done = machine.run("run", "-m", "bare,painter", "-d", "beauty", "--draw", "--yes")
    assert done.code == 0, done.err
    assert "1 of 2 cells to run" in done.out
    rows = machine.rows()
    prints = {name: row["cell"]["fingerprints"] for name, row in rows.items()}
    assert set(prints["bare"]) == {"events"}
    assert set(prints["painter"]) == {"events", "pictures"}
    assert prints["bare"]["events"] == prints["painter"]["events"]
    card = machine.run("data", "describe", "beauty", "--draw", "--json").json
    assert card["remarks"][0] == REMARK
    board = machine.run("leaderboard", "results")
    assert "drawn by mmbench from title and category" in " ".join(board.out.split())
    drawn = machine.run("data", "draw", "beauty", "--json").json
    assert (drawn["cards"], drawn["items"]) == (23, 24)
    assert drawn["fingerprint"] == prints["painter"]["pictures"]


@pytest.mark.slow
def test_photographs_are_fetched_for_the_catalogue_and_their_failures_counted(machine, host):
    from test_photographs import picture

    for item in range(1, 20):
        host.put(f"https://images-na.ssl-images-amazon.com/images/I/{item}.jpg", picture(item))
    done = machine.run("run", "-m", "painter", "-d", "beauty", "--images", "--yes")
    assert done.code == 0, done.err
    assert "24 photographs of 24 items" in " ".join(done.out.split())
    card = machine.run("data", "describe", "beauty", "--images", "--json").json
    assert "19 of 24 items, 20.8% of the addresses gave none" in card["remarks"][0]
    assert card["without_image"] == pytest.approx(5 / 24)
    asked = len(host.asked)
    again = machine.run("data", "fetch", "beauty", "--images", "--json").json
    assert again["photographs"] == {} and len(host.asked) == asked  # the dead are known


@pytest.mark.slow
def test_photographs_of_a_dataset_of_one_s_own(machine, host):
    """Imported with a column of addresses, under an id that is not its folder's name."""
    from test_photographs import picture

    folder = machine.folder / "mine"
    folder.mkdir()
    rows = [f"u{u},i{(u + k) % 9},{1_400_000_000 + 60 * k}" for u in range(12) for k in range(5)]
    (folder / "e.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    items = [f"i{k},Thing {k},https://pictures.example/{k}.png" for k in range(9)]
    (folder / "items.csv").write_text("\n".join(["item_id,title,image_url", *items]) + "\n")
    for k in range(7):
        host.put(f"https://pictures.example/{k}.png", picture(k))
    assert machine.run("data", "import", "mine", "--id", "tea").code == 0
    words = ["run", "-m", "painter", "-d", "./mine", "--images"]
    done = machine.run(*words)
    assert done.code == 2 and "add --yes" in done.err and host.asked == []
    told = " ".join(done.out.split())
    assert "9 photographs of 9 items, from pictures.example into" in told
    assert "licence: none told" in told
    assert machine.run(*words, "--yes").code == 0
    card = machine.run("data", "describe", "./mine", "--images", "--json").json
    assert (card["addresses"]["used"], card["addresses"]["asked"]) == (7, 9)
    assert card["without_image"] == pytest.approx(2 / 9)


@pytest.mark.slow
def test_films_and_toys_are_fetched_described_and_run(machine, host, tmp_path):
    from test_photographs import picture

    publish(host, tmp_path / "recipes", "ml-1m", {"ml-1m.zip": films()})
    publish(host, tmp_path / "recipes", "amazon2014-toys", toys_sources(TEXT, TABLE), **COUNTS)
    commit = "1d450572b990db652f22727cf822054c9ff29bf9"
    posters = f"https://raw.githubusercontent.com/antonsteenvoorden/ml1m-images/{commit}/images"
    for film in range(1, 20):  # the twentieth has none
        host.put(f"{posters}/{film}.jpg", picture(film))
    done = machine.run("data", "fetch", "ml-1m", "--images", "--yes", "--json")
    assert done.json["photographs"] == {"used": 19, "HTTP 404": 1}, done.err
    card = machine.run("data", "describe", "ml-1m", "--images", "--json").json
    assert card["addresses"] == {"asked": 20, "used": 19, "dead": 0.05, "why": {"HTTP 404": 1}}
    assert card["without_image"] == pytest.approx(1 / card["items"])
    for name, kind in (("ml-1m", "timestamps"), ("toys", "positions")):
        done = machine.run("data", "fetch", name, "--yes", "--json")
        assert done.code == 0, done.err
        assert machine.run("data", "describe", name, "--json").json["time"] == kind
    real = all(map(installed, ("mmbench-recbole", "mmbench-content")))
    models = "pop,itemknn,markov" if real else "bare,counts"
    done = machine.run("run", "-m", models, "-d", "ml-1m,toys", "--json", timeout=600)
    kinds = [row["status"]["kind"] for row in done.json]
    assert done.code == 0 and kinds.count("done") >= 3, done.err
    assert real is False or kinds == ["done"] * 6
    assert machine.run("data", "describe", "toys", "--json").json["without_title"] > 0
    untried = machine.run("data", "fetch", "steam", "--images", "--dry-run").out
    assert "no recipe brings its pictures" in untried
    assert untried.count("not tried on the real files yet, but on small ones of that layout") == 2


def test_a_dataset_behind_a_form_says_its_steps(machine):
    done = machine.run("run", "-m", "bare", "-d", "microlens-100k", "--yes")
    assert done.code == 2
    assert "a form or an account stands before some of it:" in done.out
    assert "has to be got by hand: 1. read the terms" in done.err
    done = machine.run("data", "fetch", "microlens-100k")  # no licence is asked about before that
    assert done.code == 2 and "has to be got by hand: 1. read the terms" in done.err
    assert "add --yes" not in done.err


def test_a_recipe_that_never_met_the_real_files_says_so(machine, host):
    rows = {row["id"]: row["status"] for row in machine.run("ls", "data", "--json").json}
    assert rows["steam"] == "not here; untried: events, text"
    assert rows["amazon2014-sports"] == "not here; untried: text, pictures"
    assert rows["amazon2014-toys"] == "not here; untried: text, pictures"
    assert rows["amazon2023-pixrec"] == "not here"
    told = machine.run("data", "describe", "steam").err
    assert "(events, text: not tried on the real files yet, but on small ones" in told
    done = machine.run("data", "fetch", "beauty", "--yes")
    assert done.code == 0 and "not tried" not in done.out  # of what it fetches all was seen
    card = machine.run("data", "describe", "beauty", "--json").json
    assert card["untried"].startswith("pictures: not tried on the real files yet")


def test_what_cannot_be_fetched_is_told(machine):
    done = machine.run("data", "fetch", "beuty")
    assert done.code == 2 and "did you mean 'beauty'?" in done.err
    done = machine.run("data", "describe", "beauty")
    assert "`mmbench data fetch amazon2014-beauty` brings it" in done.err
    assert machine.run("run", "-m", "bare", "-d", "beauty", "--images", "--draw").code == 2


@pytest.mark.slow
def test_a_terminal_is_asked_about_licences_and_pictures(machine, host):
    shown, code = converse(
        machine,
        ["run", "-m", "painter", "-d", "beauty", "--in-process"],
        [("fetch it under these licences? [y/N]", "n\n")],
    )
    assert code == 2 and "nothing was fetched" in shown and host.asked == []
    shown, code = converse(
        machine,
        ["run", "-m", "painter", "-d", "beauty", "--in-process"],
        [
            ("fetch it under these licences? [y/N]", "y\n"),
            ("images, draw or no?", "no\n"),
        ],
    )
    assert code == 1 and NONE in shown  # no row applies
    shown, code = converse(
        machine,
        ["run", "-m", "painter", "-d", "beauty", "--in-process"],
        # the titles that cards are drawn from were not needed until now
        [("images, draw or no?", "draw\n"), ("fetch it under these licences? [y/N]", "y\n")],
    )
    assert code == 0 and "1 of 1 cells to run" in shown


def converse(bench, words, turns):
    """What a command shows on a terminal on which its questions are answered, and its code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    surroundings = bench.environment | {"TERM": "xterm-256color", "COLUMNS": "200"}
    process = subprocess.Popen(
        bench.command(*words),
        cwd=bench.folder,
        env=surroundings,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    bench.started.append(process)
    shown, left, end = b"", list(turns), time.monotonic() + 120
    seen = 0  # bytes that hold the questions that were answered
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not block:
            break
        shown += block
        if left and left[0][0] in shown[seen:].decode(errors="replace").replace("\r\n", " "):
            seen = len(shown)
            os.write(ours, left.pop(0)[1].encode())
    os.close(ours)
    assert not left, (left, shown.decode(errors="replace"))
    return shown.decode(), process.wait()


@pytest.mark.slow
def test_the_cache_is_listed_and_what_nothing_needs_is_cleaned(machine, tmp_path):
    machine.run("run", "-m", "painter", "-d", "beauty", "--draw", "--yes")
    listed = machine.run("cache", "ls", "--json").json
    kinds = {entry["kind"]: entry for entry in listed["entries"]}
    assert {"prepared", "pictures", "drawn", "downloads"} <= set(kinds)
    assert kinds["downloads"]["idle"] == ""  # what pictures are fetched by is not here yet
    (tmp_path / "cache" / "pictures" / "0123456789abcdef").write_bytes(b"x" * 5000)
    old = tmp_path / "cache" / "drawn" / ".tmp-host-1-a"
    old.mkdir()
    os.utime(old, (1e9, 1e9))
    shown = machine.run("cache", "clean", "--dry-run").out
    assert "no prepared log is shown it" in shown and "would be removed" in shown
    gone = machine.run("cache", "clean", "--json").json["entries"]
    assert set(gone) == {"pictures/0123456789abcdef", "drawn/.tmp-host-1-a"}
    again = machine.run("run", "-m", "painter", "-d", "beauty", "--draw")
    assert again.code == 0 and "0 of 1 cells to run" in again.out
    everything = machine.run("cache", "clean", "--older", "0.0001h", "--json")
    assert everything.code == 0
    kept = machine.run("cache", "clean", "--kind", "downloads", "--kind", "drawn", "--json").json
    assert {entry.split("/")[0] for entry in kept["entries"]} <= {"downloads", "drawn"}
    assert machine.run("cache", "clean", "--kind", "data").code == 2
    assert (machine.home / "amazon2014-beauty" / "sequences.txt").exists()
    assert machine.run("run", "-m", "bare", "-d", "beauty", "--no-fetch").code == 0


def installed(name):
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(installed, ("mmbench-recbole", "mmbench-pixrec", "mmbench-vlm2rec"))),
    reason="the plugins are not installed",
)
def test_one_command_from_nothing_to_a_board_of_real_models(machine):
    done = machine.run(
        *("run", "--models", "pop,pixrec,vlm2rec", "--data", "beauty", "--draw"),
        *("--preset", "tiny", "--limit", "300", "--yes", "--json"),
        timeout=900,
    )
    assert done.code == 0, done.err
    assert {row["status"]["kind"] for row in json.loads(done.out)} == {"done"}
