"""Which preset runs, and what is said of one that only stands in for the real thing."""

import pytest


def test_a_stand_in_is_told_marked_and_never_the_paper_s_rival(bench):
    bench.install("feigned", "mmbench-feigned", feigned="shelf:Feigned", quick="shelf:Quick")
    bench.environment["CUDA_VISIBLE_DEVICES"] = ""
    run = ["run", "-m", "feigned,quick", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert "no CUDA GPU: stand-ins run for feigned (--preset paper runs the real ones)" in done.out
    feigned, quick = bench.run(*run, "--json").json
    assert (feigned["label"], feigned["stand_in"]) == ("feigned (tiny)", True)
    assert (quick["label"], quick["stand_in"]) == ("quick", False)
    (board,) = bench.run("leaderboard", "results", "--json").json["boards"]
    marked = {row["name"]: "stand-in" in " ".join(row["notes"]) for row in board["rows"]}
    assert marked == {"feigned (tiny)": True, "quick": False}
    asked = bench.run(*run, "--preset", "tiny", "--dry-run").out
    assert "no CUDA GPU" not in asked  # it was asked for
    assert "quick/tiny" in asked


@pytest.mark.parametrize("named", ["'tiny'", "('tniy',)", "('paper',)", "(3,)"])
def test_stand_ins_are_sizes_of_presets(bench, named):
    bench.add("vain", f"import shelf\nclass M(shelf.Feigned):\n    stand_ins = {named}\n", vain="M")
    done = bench.run("run", "-m", "vain", "-d", "shop")
    assert done.code == 1
    assert "ContractError: vain:M (vain 1.0): stand_ins names" in done.out


def test_a_real_preset_with_a_stand_in_s_weights_is_marked(bench):
    bench.add(
        "backed",
        "from dataclasses import dataclass\nimport shelf\n"
        "@dataclass(frozen=True)\nclass C:\n    k: int = 0\n    backbone: str = 'org/large'\n"
        "class M(shelf.Noise):\n"
        "    Config, stand_ins = C, ('tiny',)\n"
        "    presets = {'paper': C(), 'tiny': C(backbone='tiny:one')}\n",
        backed="M",
    )
    run = ["run", "-m", "backed", "-d", "shop", "--preset", "paper", "--in-process"]
    for given in ([], ["--set", "backed.backbone=tiny:two"]):
        assert bench.run(*run, *given).code == 0
    (board,) = bench.run("leaderboard", "results", "--json").json["boards"]
    marked = {row["name"]: "stand-in" in " ".join(row["notes"]) for row in board["rows"]}
    assert marked == {"backed": False, "backed[backbone=tiny:two] (tiny)": True}
