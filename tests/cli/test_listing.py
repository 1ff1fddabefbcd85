"""Commands that tell what is there: lists and cards."""

import json


def test_listing_imports_no_plugin(bench):
    trace = bench.folder / "imported"
    source = (
        f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nimport shelf\nM = shelf.Noise\n"
    )
    bench.add("loud", source, loud="M")
    bench.add("loud_data", source, group="mmbench.datasets", shouting="M")
    for what, name in (("models", "loud"), ("data", "shouting"), ("protocols", "loo@2")):
        shown = bench.run("ls", what)
        assert shown.code == 0
        assert name in shown.out
        assert name in bench.run("ls", what, "--json").out
    assert not trace.exists()
    assert bench.run("run", "-m", "loud", "-d", "shop", "--dry-run", "--in-process").code == 0
    assert trace.exists()


def test_describe_prints_a_card(bench):
    shown = bench.run("data", "describe", "shop")
    assert shown.code == 0
    assert "60" in shown.out
    card = json.loads(bench.run("data", "describe", "shop", "--json").out)
    assert (card["users"], card["items"]) == (60, 40)
