"""The command and the pytest decorator say what the one list of checks says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmbench.check import CHECKS, Lab, find_subject, judge_all, select
from mmbench.grid.registry import UsageError
from mmbench.testing import parametrize_with_checks

GALLERY = Path(__file__).parents[1] / "gallery"
NAMES = [check.name for check in CHECKS]


@pytest.fixture
def shop(bench):
    """The command line, with the gallery on its path and one good model installed."""
    path = [bench.environment["PYTHONPATH"], str(GALLERY)]
    bench.environment["PYTHONPATH"] = os.pathsep.join(path)
    bench.install("follows", "mmbench-follows", follows="good_models:Follows")
    return bench


def test_check_names_and_sentences_are_whole():
    assert len(set(NAMES)) == len(NAMES)
    for check in CHECKS:
        assert check.sentence.endswith(".")
        assert set(check.after) <= set(NAMES[: NAMES.index(check.name)])
    assert [check.group for check in CHECKS] == sorted(
        (check.group for check in CHECKS), key=["contract", "honesty", "sense"].index
    )


def test_an_installed_model_passes_line_by_line(shop):
    done = shop.run("check", "follows", "--set", "popularity=0.1")
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    assert len(lines) == len(CHECKS) + 1
    assert all(name in line for name, line in zip(NAMES, lines, strict=False))
    assert lines[-1] == f"{len(CHECKS)} checks, 0 to mend"


def test_a_class_beside_the_author_is_found_and_its_fault_is_told_as_json(shop):
    (shop.folder / "mine.py").write_text(
        "from good_models import Follows\n\n\nclass Mine(Follows):\n"
        "    def __init__(self, config):\n        self.config, self.work = config, [1]\n"
    )
    done = shop.run("check", "mine:Mine", "--only", "init_only_stores", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert [verdict["status"] for verdict in found] == ["passed", "failed"]
    assert found[1]["check"] == "init_only_stores"
    assert "work" in found[1]["reason"]
    assert found[1]["group"] == "contract"


def test_a_class_that_cannot_be_imported_is_one_error_with_its_cure(shop):
    (shop.folder / "lone.py").write_text("import nothing_of_this_name\n")
    done = shop.run("check", "./lone.py:Lone")
    assert done.code == 1
    error, rest = done.out.splitlines()
    assert error.endswith(
        "ModuleNotFoundError: No module named 'nothing_of_this_name' (lone.py, line 1) "
        "Install what provides 'nothing_of_this_name' beside mmbench, or mend the import."
    )
    assert rest == f"mend this first: the other {len(CHECKS) - 1} checks need the class"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["folows"], "Did you mean follows"),
        (["follows", "--only", "honest"], "Did you mean honesty"),
        (["follows", "--preset", "smal"], "--preset is one of auto, paper, small, tiny"),
        (["follows", "--set", "popularty=1"], "Did you mean popularity"),
        (["follows/ext"], "no variant 'ext'"),
    ],
)
def test_what_cannot_be_checked_is_the_user_s_to_mend(shop, words, said):
    done = shop.run("check", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_the_decorator_makes_a_test_a_check(tmp_path):
    (tmp_path / "test_conformance.py").write_text(
        "from bad_models import Constant, KnowsAFailure, KnowsTooMuch\n"
        "from mmbench.testing import parametrize_with_checks\n\n\n"
        "@parametrize_with_checks([Constant, KnowsAFailure, KnowsTooMuch])\n"
        "def test_conformance(check):\n    check()\n"
    )
    path = os.pathsep.join([str(GALLERY), *filter(None, sys.path)])
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k"]
    done = subprocess.run(
        [*command, "learns_which or presets_build or candidates_order", "-W", "error", tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    words = {
        line.split("::")[1].split()[0]: line.split()[1]
        for line in done.stdout.splitlines()
        if "::" in line and "%]" in line
    }
    learns = "learns_which_item_follows_which"
    assert words == {
        f"test_conformance[{model}-{check}]": word
        for model, found in (
            ("Constant", "FAILED"),
            ("KnowsAFailure", "XFAIL"),
            ("KnowsTooMuch", "FAILED"),
        )
        for check, word in (
            ("presets_build", "PASSED"),
            ("candidates_order_does_not_matter", "SKIPPED"),
            (learns, found),
        )
    }, done.stdout
    assert "ndcg@10 is" in done.stdout
    assert "take it out there" in done.stdout
    assert done.returncode == 1


def test_a_class_that_no_other_process_can_import_is_refused():
    class Local:
        pass

    with pytest.raises(UsageError, match="top of a module"):
        parametrize_with_checks([Local])
    with pytest.raises(UsageError, match="not a class"):
        find_subject(3)


def test_a_check_brings_those_that_it_needs(monkeypatch):
    monkeypatch.syspath_prepend(str(GALLERY))
    lab = Lab(find_subject("bad_models:Unseeded"))
    assert "folder" not in vars(lab)  # collecting tests makes no folder
    verdicts = list(judge_all(lab, select(CHECKS, "blind_to_test_targets"), CHECKS))
    assert [(verdict.check, verdict.status) for verdict in verdicts] == [
        ("declares_itself", "passed"),
        ("runs_from_a_cold_cache_without_network", "passed"),
        ("deterministic_under_a_seed", "failed"),
        ("blind_to_test_targets", "skipped"),
    ]
    assert verdicts[-1].reason == "deterministic_under_a_seed failed"
    assert {"first", "again"} <= set(lab.cells) <= {"first", "again", "twin"}
    assert not lab.folder.exists()
