"""What cannot be done: a mistake is told with a hint, a broken plugin is a row."""

import pytest

RUN = ["run", "-m", "counts,noise", "-d", "shop"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-m", "cunts", "-d", "shop"], "no model is called 'cunts'. Did you mean counts?"),
        (["run", "-m", "counts", "-d", "shp"], "no dataset 'shp'; did you mean 'shop'?"),
        ([*RUN, "--protocol", "gone.toml"], "cannot read gone.toml: No such file"),
        ([*RUN, "--protocol", "lo@1"], "unknown protocol 'lo@1'; did you mean 'loo@2'?"),
        ([*RUN, "--set", "counts.epoch=1"], "no setting 'epoch'. Did you mean epochs?"),
        ([*RUN, "--set", "count.epochs=1"], "count is not run. Did you mean counts?"),
        ([*RUN, "--set", "counts.epochs=x"], "counts: epochs: Input should be a valid integer"),
        (["run", "-m", "noise/topj", "-d", "shop"], "no variant 'topj'. Did you mean topk?"),
        ([*RUN, "--preset", "papr"], "--preset is auto, paper, small or tiny, not papr"),
        ([*RUN, "--overwrite", "no"], "--overwrite is one of never, failed, always, not no"),
        ([*RUN, "--timeout", "soon"], "--timeout takes 90s, 30m or 2h, not 'soon'"),
        ([*RUN, "--memory", "0"], "--memory takes 800M or 8G, not '0'"),
        ([*RUN, "--seeds", "many"], "seeds is a count or a list"),
        ([*RUN, "--seeds", "0"], "a number alone is a count, and with a comma behind it one seed"),
        ([*RUN, "--in-proces"], "--in-process"),
        ([*RUN, "--observer", "spy"], "no observer is called 'spy'"),
        ([*RUN, "--observer", "spy", "--dry-run"], "no observer is called 'spy'"),
        (["run", "-m", "noise"], "say which data"),
        (["run", "absent.toml"], "cannot read absent.toml: No such file"),
        (["run", "-m", "noise", "-d", "toys"], "agreed to: add --yes"),
        (["data", "describe", "toys"], "is known, but not on this machine"),
        (["ls", "model"], "say one of: models, data, protocols"),
        (["leaderboard", "nowhere"], "nowhere is not a folder of results"),
        (["leaderboard", "."], ". holds no result; `mmbench run` stores them"),
        (["vet", "."], ". holds no result"),
        (["show", "noise", "-r", "."], ". holds no result"),
        (["audit", "nothing.csv"], "does not exist"),
        (["rum"], "Did you mean 'run'"),
    ],
)
def test_a_mistake_ends_with_code_2_and_a_hint(bench, words, message):
    done = bench.run(*words, *(["--in-process"] if words[0] == "run" else []))
    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_broken_plugins_are_rows_that_name_the_package_and_others_run(bench):
    bench.add("absent", "import nothing_of_this_name\n", absent="Model")
    bench.add("leaver", "raise SystemExit(3)\n", leaver="Model")
    bench.add("crasher", "import os\nos._exit(7)\n", crasher="Model")
    bench.add("shapeless", "class Model: ...\n", shapeless="Model")
    words = ["run", "-m", "absent,leaver,crasher,shapeless,noise", "-d", "shop"]
    done = bench.run(*words)
    assert done.code == 1
    for line in (
        "broken absent: absent 1.0: ModuleNotFoundError: No module named 'nothing_of_this_name'",
        "broken leaver: leaver 1.0: SystemExit: 3",
        "broken crasher: crasher 1.0: the process ended with exit code 7",
        "broken shapeless: shapeless 1.0: ContractError: shapeless:Model (shapeless 1.0) has no "
        "hook fit and no score",
    ):
        assert line in done.out
    assert "done noise on shop, seed 0" in done.out
    listed = bench.run(*words, "--json").json
    assert [row.get("state", "done") for row in listed] == ["broken"] * 4 + ["done"]


def test_a_file_that_fails_is_named_as_it_is_with_its_line(bench):
    (bench.folder / "ruin.py").write_text("raise OSError('no such luck')\n")
    done = bench.run("run", "-m", "./ruin.py:X", "-d", "shop", "--dry-run")
    assert "broken ruin:X: not packaged 0: OSError: no such luck (ruin.py, line 1)" in done.out
    source = "import json\n\ndef read():\n    return json.loads('{')\n\nread()\n"
    (bench.folder / "deep.py").write_text(source)
    done = bench.run("run", "-m", "./deep.py:X", "-d", "shop", "--dry-run")
    assert "(char 1) (deep.py, line 4)" in done.out  # its own line, not one of json's


def test_a_name_that_two_packages_claim(bench):
    bench.install("rival", "mmbench-rival", noise="shelf:Counts")
    done = bench.run("run", "-m", "noise", "-d", "shop")
    assert done.code == 2
    assert "mmbench-rival (shelf:Counts) and mmbench-shelf (shelf:Noise)" in done.err
    listed = bench.run("ls", "models", "--names", "--json")
    assert listed.code == 0
    twice = [row["problem"] for row in listed.json if row["problem"]]
    assert twice == [
        f"name declared twice: ask for {package}/noise"
        for package in ("mmbench-rival", "mmbench-shelf")
    ]
    chosen = bench.run("run", "-m", "mmbench-rival/noise", "-d", "shop", "--dry-run", "--json").json
    assert chosen[0]["cell"]["distribution"] == "mmbench-rival"
    assert chosen[0]["label"] == "mmbench-rival/noise"


def test_what_cannot_apply_is_planned_so_and_recorded(bench):
    bench.install("painter", "mmbench-painter", painter="shelf:Painter")
    run = ["run", "-m", "painter,noise", "-d", "shop", "--seeds", "2", "--in-process"]
    why = "not applicable: no pictures (add --images or --draw)"
    planned = bench.run(*run, "--dry-run")
    assert f"2 {why}" in " ".join(planned.out.split())
    row = bench.run(*run, "--dry-run", "--json").json[0]
    assert (row["state"], row["inapplicable"]) == ("not-applicable", why.partition(": ")[2])
    done = bench.run(*run)
    assert done.code == 0  # beside rows that are done
    assert "2 of 4 cells to run" in done.out
    assert "not-applicable painter on shop, seed 0: no pictures" in done.out
    again = bench.run(*run)
    assert "0 of 4 cells to run" in again.out
    assert "not-applicable painter" not in again.out  # it is recorded, and not once more
    assert len(list(bench.folder.glob("results/shop/*/painter/*.json"))) == 2
    alone = bench.run("run", "-m", "painter", "-d", "shop", "--in-process", "--json")
    assert alone.code == 1  # nothing could be run
    assert alone.json[0]["status"]["kind"] == "not-applicable"


def test_what_starts_from_what_cannot_apply_does_not_either(bench):
    bench.add(
        "vain",
        "from dataclasses import dataclass\nimport shelf\nfrom mmbench import hookimpl\n"
        "@dataclass(frozen=True)\nclass C:\n    k: int = 0\n    init: str = 'blind'\n"
        "class Blind(shelf.Products):\n    needs = frozenset({'image'})\n"
        "class Model(shelf.Noise):\n    Config, presets, upstream = C, {'paper': C()}, 'init'\n",
        vain="Model",
        blind="Blind",
    )
    run = ["run", "-m", "vain,noise", "-d", "shop", "--in-process"]
    done = bench.run(*run)
    assert done.code == 0
    assert "1 of 2 cells to run" in done.out
    reason = "starts from blind: no pictures (add --images or --draw)"
    assert f"not-applicable vain[init=blind] on shop, seed 0: {reason}" in done.out
