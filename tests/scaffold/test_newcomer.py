"""What CONTRIBUTING tells a newcomer to type, typed; and a third party's package, by name."""

import json
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def commands(section: str) -> str:
    """The shell commands of a section of CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    part = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    blocks = re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S)
    assert blocks
    return "".join(blocks)


def results(folder: Path) -> list[dict]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.json"))]


@pytest.mark.slow
def test_from_new_model_to_a_board_row(scratch):
    typed = commands("A model")
    for word in ("mmbench new model", "pytest", "mmbench check", "--data demo", "leaderboard"):
        assert word in typed
    printed = scratch.sh(typed)
    board = printed[printed.rindex("Write the boards with") :]
    rows = [line.split()[0] for line in board.splitlines() if line.startswith("afterglow")]
    assert sorted(rows) == ["afterglow", "afterglow/last"]
    found = results(scratch.folder / "mmbench-afterglow" / "results")
    assert {record["cell"]["distribution"] for record in found} == {"mmbench-afterglow"}
    assert [record["status"]["kind"] for record in found] == ["done", "done"]
    for record in found:
        popularity = record["data"]["ceilings"]["ndcg@10 popularity"]
        assert record["metrics"]["full"]["ndcg@10"] > 3 * popularity


@pytest.mark.slow
def test_from_new_dataset_to_its_card(scratch):
    printed = scratch.sh(commands("A dataset"))
    assert "14 passed" in printed
    assert "A small tea shop" in printed
    card = json.loads(scratch.sh("mmbench data describe tea-shop --json"))
    assert (card["users"], card["licence"], card["remarks"]) == (12, "CC0-1.0", ["made-up data"])


@pytest.mark.slow
def test_from_new_observer_to_what_it_was_told(scratch):
    printed = scratch.sh(commands("An observer"))
    assert "2 passed" in printed
    assert "the file; lines are added at its end" in " ".join(printed.split())
    told = scratch.folder / "mmbench-diary" / "told.jsonl"
    (line,) = map(json.loads, told.read_text("utf-8").splitlines())
    assert (line["model"], line["status"]) == ("pop", "done")


@pytest.mark.slow
def test_a_stranger_s_package_runs_by_name(scratch, tmp_path):
    shutil.copytree(ROOT / "tests" / "thirdparty", tmp_path / "theirs")
    scratch.sh(f"python -m pip install {tmp_path / 'theirs'}")
    listed = json.loads(scratch.sh("mmbench ls models --names --json"))
    mine = next(row for row in listed if row["model"] == "successor")
    assert (mine["package"], mine["version"]) == ("mmbench-successor", "1.2.3")
    shop = scratch.folder / "shop"
    shop.mkdir()
    walks = [[f"i{(7 * user + step) % 40}" for step in range(6)] for user in range(60)]
    lines = [" ".join([f"u{user}", *walk]) for user, walk in enumerate(walks)]
    (shop / "sequences.txt").write_text("\n".join(lines) + "\n")
    printed = scratch.sh("mmbench run --models successor --data ./shop --out out")
    assert "successor" in printed
    (record,) = results(scratch.folder / "out")
    assert record["status"]["kind"] == "done"
    assert record["wall"] != "none"
    assert (record["cell"]["distribution"], record["cell"]["version"]) == (
        "mmbench-successor",
        "1.2.3",
    )
    assert record["metrics"]["full"]["hit@1"] == 1  # each item has one successor
