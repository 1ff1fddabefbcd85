"""Each script of ``benchmarks/`` runs, at a tiny size; its figures are for people to look at."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SMALL = ["--users", "60", "--items", "40"]
SHARED = {"cell", "data", "model"}  # modules of the scripts


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, FOLDER / script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("| ")]


def test_the_page_names_every_script_and_each_section_its_own():
    page = (FOLDER / "README.md").read_text("utf-8")
    scripts = {path.stem for path in FOLDER.glob("*.py")} - SHARED
    listed, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    assert set(re.findall(r"benchmarks/(\w+)\.py", listed)) == scripts
    for section in sections:
        assert set(re.findall(r"`(\w+)\.py", section)) & scripts, section.split("\n")[0]


@pytest.mark.slow
def test_ranking():
    rows = run("ranking.py", *SMALL, "--dim", "8", "--repeats", "1", "--without", "ranx")
    assert any("mmbench, 3 sets and 2 lists (numpy)" in row for row in rows)
    assert any("evaluate() and metrics" in row for row in rows)
    if importlib.util.find_spec("mmbench_recbole"):
        assert any("RecBole, Collector and Evaluator" in row for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")
def test_memory():
    rows = run("memory.py", *SMALL, "--dim", "8", "--factors", "2", "--most", "500")
    assert len(rows) == 1 + 5


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="asks Unix for the time of children")
def test_wall():
    rows = run("wall.py", *SMALL, "--pairs", "1")
    assert [row.split("|")[1].strip() for row in rows[1:]] == ["processor time", "wall time"]


@pytest.mark.slow
def test_training():
    for plugin in ("mmbench_recbole", "mmbench_sequential"):
        pytest.importorskip(plugin)
    small = [*SMALL, "--data", "random", "--epochs", "2", "--minutes", "1"]
    rows = run("training.py", *small)
    assert [row.split("|")[1].strip() for row in rows[1:]] == ["RecBole's SASRec", "sasrec-ce"]


@pytest.mark.slow
def test_beams_trained():
    pytest.importorskip("mmbench_trialigngr")
    small = ["--data", "demo", "--prompts", "4", "--beams", "20", "--dim", "16", "--codes", "12"]
    (_, row) = run("beams_trained.py", *small, "--epochs", "1")
    assert row.startswith("| 20 | ")


@pytest.mark.slow
def test_objectives():
    pytest.importorskip("mmbench_vlm2rec")
    rows = run("objectives.py", "--steps", "2", "--batch", "4")
    assert [row.split("|")[1].strip() for row in rows[1:]] == ["sft-ext", "vlm2rec"]


@pytest.mark.slow
def test_paper_step():
    for plugin in ("mmbench_vlm2rec", "mmbench_pixrec"):
        pytest.importorskip(plugin)
    rows = run("paper_step.py", "--tiny", "--users", "16", "--queries", "1")
    assert "qwen2.5-vl-3b" in rows[1]
    assert len(rows) == 1 + 6


@pytest.mark.slow
def test_threads():
    pytest.importorskip("mmbench_sequential")
    rows = run("threads.py", "--items", "50", "--positions", "50", "--repeats", "1")
    assert [row.split("|")[1].split(",")[0].strip() for row in rows[1:]] == [
        "softmax",
        "lrurec",
        "sasrec-ce",
        "fmlprec",
    ]


@pytest.mark.slow
def test_reading():
    pytest.importorskip("transformers")
    rows = run("reading.py", "--items", "12", "--side", "56", "--histories", "40", "--batch", "8")
    assert [row.split("|")[1].strip() for row in rows] == [
        "catalogue of 12, 56 px",
        "cold",
        "warm",
        "40 histories",
        "read, as they come",
        "read, by length",
        "train, shuffled",
        "train, by length",
    ]


@pytest.mark.slow
def test_top_layers():
    pytest.importorskip("transformers")
    tiny = ["--backbone", "tiny:smollm2", "--layers", "3", "--top", "1"]
    rows = run("top_layers.py", *tiny, "--titles", "20")
    assert [row.split("|")[1].strip() for row in rows] == [
        "20 titles",
        "adapters on all layers",
        "on the top 1",
        "on the top 1, from kept states",
        "int8 against float32",
        "times as fast",
        "mean cosine",
        "of the 10 nearest, the same",
    ]


@pytest.mark.slow
def test_captions():
    pytest.importorskip("transformers")
    rows = run("captions.py", "--data", "demo", "--tiny", "--epochs", "1", "--pictures", "60")
    (row,) = rows[1:]
    assert row.startswith("| demo | 60 |")


@pytest.mark.slow
def test_semantic_ids():
    for plugin in ("torch", "mmbench_content"):
        pytest.importorskip(plugin)
    few = ["--epochs", "4", "--sizes", "8x8x8", "16x16x16"]
    rows = run("semantic_ids.py", "--data", "demo", "--encoder", "tfidf", *few, "--seeds", "2")
    assert [row.split("|")[1].strip() for row in rows] == [
        "method",
        *4 * ["rqvae"],
        *4 * ["rkmeans"],
    ]
    assert [row.split("|")[2].strip() for row in rows[1:]] == 2 * (2 * ["8x8x8"] + 2 * ["16x16x16"])


@pytest.mark.slow
def test_demo_titles():
    rows = [row.split("|") for row in run("demo_titles.py")[1:]]
    assert len(rows) == 6
    title, _, both = [tuple(float(cell) for cell in row[3:5]) for row in rows[:3]]
    assert both[0] < title[0] and both[1] > title[1]


@pytest.mark.slow
def test_id_entropies():
    for plugin in ("torch", "mmbench_trialigngr"):
        pytest.importorskip(plugin)
    rows = run("id_entropies.py", "--epochs", "2", "--sizes", "10x10x10", "--starts", "1")
    assert [row.split("|")[1].split(",")[0].strip() for row in rows[1:]] == ["rqvae", "rkmeans"]
    for row in rows[1:]:
        left = [float(share) for cell in row.split("|")[2:4] for share in cell.split()]
        assert len(left) == 8 and all(0 <= share <= 1 for share in left)


@pytest.mark.slow
def test_beams():
    pytest.importorskip("transformers")
    small = ["--items", "60", "--sizes", "8", "6", "4", "--prompts", "3", "--batch", "2"]
    rows = run(
        *("beams.py", "--backbone", "tiny:smollm2", *small, "--beams", "5", "8", "--exact", "2")
    )
    ways = ["mmbench", "transformers", "transformers, prompts kept"]
    assert [row.split("|")[2].strip() for row in rows[1:7]] == 2 * ways
    assert all(row.split("|")[5].strip() == "100.0%" for row in rows[1:7])
    assert [row.split("|")[1].strip() for row in rows[8:]] == ["5", "8"]


@pytest.mark.slow
def test_board_statistics():
    rows = run("board_statistics.py", "--rows", "3", "--seeds", "2", "--users", "100")
    assert [row.split("|")[1].strip() for row in rows] == [
        "step",
        "the whole board",
        "of it, one set's max-t of 10,000 flips",
    ]


@pytest.mark.slow
def test_start():
    rows = run("start.py")
    assert [row.split(" | ")[0] for row in rows[1:]] == [
        "| python",
        "| import typer",
        "| mmbench --help",
    ]


@pytest.mark.slow
def test_many_cells():
    rows = run("many_cells.py", "--cells", "60", "--workers", "8")
    assert [row.split("|")[1].split(",")[0].strip() for row in rows[1:]] == [
        "plan to file",
        "file to plan",
        "send",
        "resume: nothing to do",
        "report",
    ]


@pytest.mark.slow
def test_executors():
    rows = run("executors.py", "--cells", "2", "--few", "1", "--sleep", "0", "--without", "ray")
    assert [row.split("|")[1].strip() for row in rows[1:]] == [
        "local, 1 worker",
        "local, 2 workers",
    ]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_kills():
    rows = run("kills.py", "--kills", "3", "--ways", "cell")
    assert rows[-1] == "| finished cells lost | 0 |"
