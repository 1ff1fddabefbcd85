"""Commands that tell what is there: lists and cards."""

import json

DOCUMENTED = '''
import os
from dataclasses import dataclass
import shelf
OWN = os.getpid()

@dataclass(frozen=True)
class Base:
    """Shared.

    Attributes:
        epochs: passes
            over the data.
    """

    epochs: int = 3

@dataclass(frozen=True)
class Config(Base):
    """``width`` is that of a [bold] layer.

    Attributes:
        mode: how.
    """

    width: int = 8
    mode: str = "a"
    dropout: float = 0.1
    bare: int = 0

class Told(shelf.Noise):
    """Tells all. And more than that."""

    Config = Config
    presets = {"paper": Config(), "wide": Config(width=16), "tiny": Config(width=2)}
    stand_ins = ("tiny",)
    papers = {"wide": shelf.Counts.papers}

    @staticmethod
    def needs(config):
        return {"text"} if config.width == 16 else set()
'''


def test_names_are_listed_without_an_import(bench):
    trace = bench.folder / "imported"
    source = (
        f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nimport shelf\nM = shelf.Noise\n"
    )
    bench.add("loud", source, loud="M")
    bench.add("loud_data", source, group="mmbench.datasets", shouting="M")
    bench.add("loud_eye", source, group="mmbench.observers", watching="M")
    words = (
        *((["models", "--names"], "loud"), (["data"], "shouting")),
        *((["protocols"], "loo@2"), (["observers"], "watching")),
    )
    for what, name in words:
        shown = bench.run("ls", *what)
        assert shown.code == 0
        assert name in shown.out
        assert name in bench.run("ls", *what, "--json").out
    assert not trace.exists()
    assert bench.run("run", "-m", "loud", "-d", "shop", "--dry-run", "--in-process").code == 0
    assert trace.exists()


def test_a_model_tells_all_of_itself(bench):
    bench.add("told", DOCUMENTED, told="Told")
    shown = bench.run("ls", "models", "told", "--json")
    assert shown.code == 0, shown.err
    card = json.loads(shown.out)
    assert card["summary"] == "Tells all"
    meanings = {one["name"]: one["meaning"] for one in card["settings"]}
    assert meanings == {
        "epochs": "passes over the data",
        "width": "that of a [bold] layer",
        "mode": "how",
        "dropout": "share of units that training drops",  # said once for all plugins
        "bare": "",
    }
    kinds = {one["name"]: (one["type"], one["default"]) for one in card["settings"]}
    assert kinds["dropout"] == ("float", 0.1)
    presets = {one["name"]: one for one in card["presets"]}
    assert presets["wide"]["changes"] == {"width": 16}
    assert (presets["wide"]["needs"], presets["tiny"]["needs"]) == (["text"], [])
    assert card["papers"]["wide"][0]["source"] == "A Paper, table 1"
    assert card["hooks"] == ["fit", "score"]
    table = bench.run("ls", "models", "told").out
    assert "passes over the data" in table
    assert "that of a [bold] layer" in table


def test_what_a_model_cost_is_read_from_stored_rows(bench):
    bench.run("run", "-m", "counts,noise", "-d", "shop", "--seeds", "2")
    card = json.loads(bench.run("ls", "models", "counts", "--json").out)
    (row,) = card["costs"]
    assert (row["dataset"], row["protocol"], row["row"], row["seeds"]) == (
        *("shop", "loo@2", "counts", 2),
    )
    assert row["fit_seconds"] > 0
    assert row["results"] == "results"
    refused = bench.run("ls", "models", "counts", "-r", "nowhere")
    assert refused.code == 2
    assert "nowhere is not a folder of results" in refused.err


def test_a_file_s_model_is_called_as_its_rows_and_settings_are(bench):
    (bench.folder / "mine.py").write_text("import shelf\nclass Told(shelf.Noise): ...\n")
    run = ("run", "-m", "./mine.py:Told", "-d", "shop")
    assert bench.run(*run, "--set", "mine:Told.k=4").code == 0
    card = bench.run("ls", "models", "./mine.py:Told", "--json").json
    assert card["model"] == "mine:Told"
    assert [row["row"] for row in card["costs"]] == ["mine:Told[k=4] (unpublished)"]


def test_an_unknown_model_and_a_broken_one_say_so(bench):
    unknown = bench.run("ls", "models", "tolt")
    assert (unknown.code, "no model is called 'tolt'" in unknown.err) == (2, True)
    bench.add("ruin", "raise OSError('no such luck')\n", ruin="M")
    broken = bench.run("ls", "models", "ruin")
    assert broken.code == 2
    assert "ruin of ruin 1.0: OSError: no such luck" in broken.err
    assert bench.run("ls", "data", "ruin").code == 2
    variant = bench.run("ls", "models", "noise/topj")
    assert (variant.code, "no variant 'topj'. Did you mean topk?" in variant.err) == (2, True)
    assert bench.run("ls", "models", "noise/topk").code == 0


def test_absent_data_says_how_to_get_it(bench):
    rows = json.loads(bench.run("ls", "data", "--json").out)
    told = {row["id"]: row["how to get it"] for row in rows}
    assert told["amazon2014-beauty"] == "mmbench data fetch amazon2014-beauty"
    assert told["shop"] == told["demo"] == ""


def complete(bench, *words):
    """What bash would be offered for the last word."""
    bench.environment |= {
        "_MMBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["mmbench", *words]),
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_TESTING": "True",
    }
    code = "import sys; sys.argv[0] = 'mmbench'; from mmbench.cli import main; main()"
    bench.command = lambda *words: [*type(bench).command(bench)[:2], code]
    return bench.run().out.split()


def test_shells_complete_models_settings_and_data(bench):
    bench.add("told", DOCUMENTED, told="Told")
    assert complete(bench, "run", "--models", "counts,tol") == ["counts,told"]
    assert complete(bench, "run", "--models", "told[w") == []  # nothing is kept of it yet
    del bench.command
    del bench.environment["_MMBENCH_COMPLETE"]
    bench.run("ls", "models", "told")
    assert complete(bench, "run", "--models", "told[bare=1,w") == ["told[bare=1,width="]
    assert complete(bench, "run", "--models", "told/w") == ["told/wide"]
    assert complete(bench, "run", "--set", "told.mo") == ["told.mode="]
    assert complete(bench, "run", "--data", "demo+sho") == ["demo+shop"]
    assert complete(bench, "run", "--protocol", "loo") == ["loo@2"]
    assert complete(bench, "run", "--preset", "t") == ["tiny"]


def test_describe_prints_a_card(bench):
    shown = bench.run("data", "describe", "shop")
    assert shown.code == 0
    assert "60" in shown.out
    card = json.loads(bench.run("data", "describe", "shop", "--json").out)
    assert (card["users"], card["items"]) == (60, 40)
