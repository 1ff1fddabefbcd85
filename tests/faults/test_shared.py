"""One folder of results, several grids, and records that others damaged."""

import pytest

from mmbench.files import slug

SOLO = """
import shelf
from mmbench import hookimpl

class Solo(shelf.Counts):
    @hookimpl
    def fit(self, train, items, run):
        with open(run.encodings / "fits", "a") as file:
            file.write(f"{run.seed}\\n")
        super().fit(train, items, run)
"""


def test_two_grids_on_one_folder_run_each_cell_once(bench, stored, leftovers):
    bench.add("solo", SOLO, solo="Solo")
    run = ["run", "-m", "solo", "-d", "shop", "--seeds", "4", "--set", "solo.sleep=0.1", "--json"]
    grids = [bench.start(*run), bench.start(*run, "--jobs", "2")]
    ends = [grid.communicate(timeout=90) for grid in grids]
    assert [grid.returncode for grid in grids] == [0, 0], ends
    (fits,) = bench.folder.glob("cache/encodings/*/fits")
    assert sorted(fits.read_text().split()) == ["0", "1", "2", "3"]
    assert ends[0][0] == ends[1][0]  # the same records
    assert len(stored(bench.folder / "results")) == 4
    assert leftovers(bench.folder / "results") == []
    assert "waiting for another grid that runs solo" in ends[0][1] + ends[1][1]


@pytest.mark.parametrize("text", ["{", '{"status": "done"}'])
def test_a_damaged_record_is_left_out_of_boards_and_run_again(bench, stored, text):
    run = ["run", "-m", "counts,noise", "-d", "shop", "--in-process"]
    assert bench.run(*run).code == 0
    out = bench.folder / "results"
    (path,) = out.glob(f"shop/*/{slug('noise')}/*.json")
    path.write_text(text)
    board = bench.run("leaderboard", "results")
    assert board.code == 0
    assert f"left out: shop/loo@2/noise/{path.name}" in board.out
    assert "counts" in board.out
    assert "1 of 2 cells to run" in bench.run(*run).out
    assert len(stored(out)) == 2


def test_boards_know_a_running_grid_s_files_from_results(bench):
    assert bench.run("run", "-m", "noise", "-d", "shop", "--in-process").code == 0
    work = bench.folder / "results" / ".work" / "0123456789ab"
    work.mkdir(parents=True)
    (work / "items.json").write_text("{}")
    done = bench.run("leaderboard", "results")
    assert (done.code, done.err) == (0, "")


def test_a_board_that_a_full_disk_cut_short_is_ours_again(bench):
    """Boards are written whole or not at all, so none is ever taken for somebody's file."""
    assert bench.run("run", "-m", "noise", "-d", "shop", "--in-process").code == 0
    assert bench.run("leaderboard", "results", "-o", "boards").code == 0
    board = bench.folder / "boards" / "loo@2" / "shop.md"
    before = board.read_text()
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16)); "
        "from mmbench.cli import main; main()"
    )
    assert bench.run("run", "-m", "counts", "-d", "shop", "--in-process").code == 0
    words = bench.command("leaderboard", "results", "-o", "boards")
    bench.command = lambda *_: [words[0], "-c", code, *words[3:]]
    cut = bench.run()
    assert cut.code == 1
    assert "File too large" in cut.err
    assert board.read_text() == before
    assert [path.name for path in board.parent.iterdir()] == ["shop.md"]
