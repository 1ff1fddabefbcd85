"""What the documents say is what the code and the stored results say."""

import re
from pathlib import Path

import pytest

from mmbench.report import board_json, make_boards, read_results

ROOT = Path(__file__).parents[2]
COLUMNS = (
    ("unseen", "ndcg@10"),
    ("unseen", "hit@10"),
    ("full", "ndcg@10"),
    ("full", "hit@10"),
    ("neg100", "ndcg@10"),
)


def test_the_board_in_the_readme_is_what_is_stored():
    boards = make_boards(read_results(ROOT / "leaderboards" / "results").records)
    (beauty,) = [board for board in boards if board.dataset == "amazon2014-beauty"]
    stored = {}
    for row in board_json(beauty)["rows"]:
        if "/" in row["name"] or "fit-on" in row["name"]:
            continue  # variants stand on the board alone
        stored[row["name"]] = [
            f"{row['metrics'][of][metric]['mean']:.4f}" for of, metric in COLUMNS
        ]
    table = re.findall(
        r"^\| ([^|]+) \|((?: [\d.]+ \|){5})$", (ROOT / "README.md").read_text(), re.M
    )
    shown = {name: re.findall(r"[\d.]+", cells) for name, cells in table}
    assert shown == stored


@pytest.mark.parametrize("folder", sorted((ROOT / "plugins").iterdir()), ids=lambda path: path.name)
def test_every_plugin_has_its_page_licence_and_tests(folder):
    for name in ("README.md", "LICENSE", "pyproject.toml", "tests"):
        assert (folder / name).exists()


def test_every_committed_rank_file_is_small():
    files = list((ROOT / "leaderboards" / "results").rglob("*.parquet"))
    assert files
    assert max(path.stat().st_size for path in files) < 500_000
