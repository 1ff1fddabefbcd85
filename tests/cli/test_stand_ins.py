"""Which preset runs, and what is said of one that only stands in for the real thing."""

import pytest


def test_a_stand_in_is_told_marked_and_never_the_paper_s_rival(bench):
    bench.install("feigned", "mmbench-feigned", feigned="shelf:Feigned", quick="shelf:Quick")
    bench.environment["CUDA_VISIBLE_DEVICES"] = ""
    run = ["run", "-m", "feigned,quick", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert "tiny runs for feigned: no CUDA GPU (--preset paper runs the real ones)" in done.out
    feigned, quick = bench.run(*run, "--json").json
    assert (feigned["label"], feigned["stand_in"]) == ("feigned (tiny)", True)
    assert (quick["label"], quick["stand_in"]) == ("quick", False)
    (board,) = bench.run("leaderboard", "results", "--json").json["boards"]
    marked = {row["name"]: "stand-in" in " ".join(row["notes"]) for row in board["rows"]}
    assert marked == {"feigned (tiny)": True, "quick": False}
    asked = bench.run(*run, "--preset", "tiny", "--dry-run").out
    assert "no CUDA GPU" not in asked  # it was asked for
    assert "quick/tiny" in asked


def test_small_weights_are_taken_where_they_are(bench, tmp_path):
    """Without a GPU ``auto`` runs ``small`` if its weights are here, else what stands in."""
    bench.add(
        "sized",
        "from dataclasses import dataclass\nimport shelf\n"
        "@dataclass(frozen=True)\nclass C:\n    k: int = 0\n    encoder: str = 'org/large'\n"
        "class M(shelf.Noise):\n"
        "    Config, stand_ins = C, ('tiny',)\n"
        "    presets = {'paper': C(), 'small': C(1, './small'), 'tiny': C(2, 'tiny:one')}\n"
        "    @staticmethod\n"
        "    def pretrained(config):\n"
        "        return () if config.encoder.startswith('tiny:') else (config.encoder,)\n",
        sized="M",
    )
    bench.environment["CUDA_VISIBLE_DEVICES"] = ""
    run = ["run", "-m", "sized", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert "tiny runs for sized: no CUDA GPU; './small' names no weights" in done.out
    (bench.folder / "small").mkdir()
    (bench.folder / "small" / "config.json").write_text("{}")
    done = bench.run(*run)
    assert "small runs for sized: no CUDA GPU (--preset paper runs the real ones)" in done.out
    (board,) = bench.run("leaderboard", "results", "--json").json["boards"]
    notes = {row["name"]: " ".join(row["notes"]) for row in board["rows"]}
    assert notes.keys() == {"sized (tiny)", "sized (small)"}
    assert "smaller pretrained weights" in notes["sized (small)"]
    assert "stand-in" in notes["sized (tiny)"] and "stand-in" not in notes["sized (small)"]
    (asked,) = bench.run("run", "-m", "sized/small", "-d", "shop", "--dry-run", "--json").json
    assert asked["label"] == "sized (small)"
    assert asked["cell"]["weights"]["./small"].startswith("sha256:")


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
