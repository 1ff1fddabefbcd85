"""Columns that no name tells: asked about in a terminal, listed elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

from mmbench.data.spec import read_toml

MMBENCH = [sys.executable, "-c", "from mmbench.cli import main; main()"]
ROWS = [f"k{n % 5},w{n % 4},{n % 3},{1_400_000_000 + 60 * n}" for n in range(20)]


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "einkauf.csv").write_text("\n".join(["kunde,ware,menge,wann", *ROWS]) + "\n")
    return folder


def environment(tmp_path):
    own = {"MMBENCH_CACHE": str(tmp_path / "cache"), "TERM": "xterm", "COLUMNS": "120"}
    return {**os.environ, **own}


def talk(tmp_path, words, answers):
    """What a command shows on a terminal, and its exit code; an answer waits for its prompt."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MMBENCH, *words],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, left = "", list(answers)
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not block:
            break
        shown += block.decode("utf-8", "replace")
        if left and left[0][0] in shown:
            os.write(ours, f"{left.pop(0)[1]}\n".encode())
    os.close(ours)
    code = process.wait()
    assert not left, shown
    return code, shown


def test_a_terminal_is_asked_with_the_first_rows_in_view(tmp_path, shop):
    answers = [
        ("Which column is the user?", "kunde"),
        ("Which column is the item?", "2"),
        ("Which column is the time? (- for none)", "wrong"),
        ("there are the columns kunde, ware, menge, wann, or 1 to 4", "wann"),
        ("Which column is the rating? (- for none)", "-"),
    ]
    code, shown = talk(tmp_path, ["data", "import", "shop"], answers)
    assert code == 0, shown
    assert "einkauf.csv, its first rows" in shown
    assert "1400000060" in shown.partition("Which column")[0]
    events = read_toml(shop / "dataset.toml").interactions
    assert (events.user, events.item, events.time, events.rating) == ("kunde", "ware", "wann", None)


def test_elsewhere_candidates_are_listed(tmp_path, shop):
    done = subprocess.run(
        [*MMBENCH, "data", "import", "shop"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2
    assert "kunde: k0, k1, k2 (maybe a user or an item)" in done.stderr
    assert "wann: 1400000000, 1400000060, 1400000120 (maybe the time)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shop / "dataset.toml").exists()


def write_folds(folder, name="{}.csv"):
    """Five events of each of six users: three train, one validates, one tests."""
    folder.mkdir(exist_ok=True)
    folds = {"train": range(3), "valid": range(3, 4), "test": range(4, 5)}
    for fold, steps in folds.items():
        rows = [
            f"u{u},i{(u * k + k) % 7},{1_400_000_000 + 60 * k + u}" for u in range(6) for k in steps
        ]
        text = "\n".join(["user_id,item_id,timestamp", *rows]) + "\n"
        (folder / name.format(fold)).write_text(text)


def test_a_terminal_is_asked_which_of_several_files(tmp_path):
    write_folds(tmp_path / "folds")
    answers = [("3 train.csv alone", "9"), ("say 1 to 5", "1")]
    code, shown = talk(tmp_path, ["data", "import", "folds"], answers)
    assert code == 0, shown
    flat = " ".join(shown.split())
    assert "1 all, as one log, and their split as a protocol of your own (local:)" in flat
    assert (
        "the published split (18 events that train, 6 validation queries, 6 test queries)" in flat
    )
    assert "--protocol folds/split.toml" in flat
    events = read_toml(tmp_path / "folds" / "dataset.toml").interactions
    assert (events.file, events.join) == ("train.csv", ("valid.csv", "test.csv"))


def test_a_terminal_may_choose_one_or_join_without_a_split(tmp_path):
    write_folds(tmp_path / "months", "{}.csv")
    (tmp_path / "months" / "valid.csv").rename(tmp_path / "months" / "june.csv")
    code, shown = talk(tmp_path, ["data", "import", "months"], [("1 all, as one log", "1")])
    assert code == 0 and "local:" not in shown, shown
    assert not (tmp_path / "months" / "split.toml").exists()
    (tmp_path / "months" / "dataset.toml").unlink()
    code, shown = talk(tmp_path, ["data", "import", "months"], [("4 test.csv alone", "4")])
    assert code == 2, shown
    assert "users with 3 events or more" in shown  # what is chosen is what is read


def test_a_split_that_is_not_in_time_order_is_left_out_and_said(tmp_path):
    write_folds(tmp_path / "folds")
    (tmp_path / "folds" / "train.csv").rename(tmp_path / "folds" / "spare")
    (tmp_path / "folds" / "test.csv").rename(tmp_path / "folds" / "train.csv")
    (tmp_path / "folds" / "spare").rename(tmp_path / "folds" / "test.csv")
    words = ["data", "import", "folds", "--join", "*.csv", "--local-split"]
    code, shown = talk(tmp_path, words, [])
    flat = " ".join(shown.split())
    assert code == 2 and "is not in time order" in flat, shown
    assert "The dataset is imported, and its published split is left out" in flat
    assert (tmp_path / "folds" / "dataset.toml").exists()
    assert not list((tmp_path / "folds").glob("split.*"))
