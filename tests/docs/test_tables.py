"""Tables of figures on pages are made from results, or say where they come from."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

PATH = Path(__file__).parents[2] / "docs" / "tables.py"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("docs_tables", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Stored:
    """Two rows on one board: four users, two seeds of the one and one of the other."""

    FIGURES = {
        "net (tiny)": {0: [0, 0.2, 0.4, 0.6], 1: [0.2, 0.4, 0.6, 0.8]},
        "pop": {0: [0.1] * 4},
    }

    def table(self):
        seeds = [len(of) for of in self.FIGURES.values()]
        told = {"model": list(self.FIGURES), "seeds": seeds, "fit_seconds": [150.0, 3.2]}
        return pd.DataFrame({"dataset": "shop", "failed": 0, **told})

    def user_figures(self, name, metrics):
        parts = [
            pd.DataFrame(
                {
                    "user": list("abcd"),
                    "seed": seed,
                    "frequency": [0, 3, 3, 70],
                    "full ndcg@10": values,
                }
            )
            for seed, values in self.FIGURES[name].items()
        ]
        return pd.concat(parts).assign(dataset="shop", model=name)

    def compare(self, a, b, **asked):
        assert (a, b) == ("net (tiny)", "pop")
        gain = SimpleNamespace(value=0.3, low=0.1, high=0.5)
        return SimpleNamespace(
            difference=SimpleNamespace(absolute=gain, relative=SimpleNamespace(value=3.0))
        )


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n")]


def test_a_page_is_filled_and_is_then_what_it_would_be_filled_with(tables):
    page = (
        'before\n\n<!-- figures data=shop rows="net/tiny; pop" columns="seeds; full ndcg@10; '
        'full ndcg@10 by seed; fit" -->\nold\n<!-- end -->\nafter\n'
    )
    made = tables.fill(page, Stored())
    assert made == tables.fill(made, Stored())
    assert made.startswith("before\n") and made.endswith("<!-- end -->\nafter\n")
    _, _, net, pop = lines(made.split("-->\n")[1].removesuffix("\n<!-- end "))
    assert net[:2] == ["`net/tiny`", "2"]
    assert net[2].startswith(".4000 ± ")
    assert net[3:] == [".3000, .5000", "2 min"]
    assert pop == ["`pop`", "1", ".1000 ± .0000", ".1000", "3 s"]


def test_slices_are_means_over_the_queries_of_a_kind(tables):
    text = tables.slices(Stored(), "shop", "net/tiny", "full ndcg@10")
    _, _, net, queries = lines(text)
    assert net == ["`net/tiny`", ".4000", ".1000", ".4000", "", "", "", ".7000"]
    assert queries == ["queries", "4", "1", "2", "0", "0", "0", "1"]


def test_a_difference_says_what_it_shows(tables):
    *_, line = lines(tables.differences(Stored(), "shop", "net/tiny - pop"))
    assert line == ["`net/tiny` less `pop`", "+0.3000", "+0.1000 to +0.5000", "+300.0%", "better"]


def test_a_line_says_which_of_its_rows_are_stored(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "GRIDS", tmp_path)
    for name, data in (("mine", "shop"), ("away", "kiosk")):
        text = f'models = ["pop", "net", "net[width=2|3]"]\ndata = ["{data}"]\n'
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "real.toml").write_text(
        'models = ["net", "pop"]\ndata = ["shop"]\npreset = "paper"'
    )
    page = (
        "<!-- seen of=rows -->\n| what | here | seen | rows |\n| :-- | :-- | :-- | :-- |\n"
        "| a | [mine], `full` | old | `net`, `pop`, `gru` |\n| b | [away] | | `pop` |\n"
        "| c | [mine] and [away] | | `net` |\n| d | no grid | | none |\n<!-- end -->\n\n"
        "<!-- seen of=grids -->\n| grid | seen |\n| :-- | :-- |\n"
        "| [mine] | |\n| [away] | |\n| [real] | |\n<!-- end -->\nafter\n"
    )
    made = tables.fill(page, Stored())
    assert made == tables.fill(made, Stored())
    by_row, by_grid = (
        [line[place] for line in lines(part.split("\n<!--")[0].rstrip())[2:]]
        for place, part in zip((2, 1), made.split("-->\n")[1::2], strict=False)
    )
    assert by_row == ["shop 2 of 3 (1 tiny)", "none", "shop 1 of 1 (tiny)", "–"]
    assert by_grid == ["shop 2 of 4 (1 tiny)", "none", "shop 1 of 2"]


def test_a_row_that_is_not_stored_ends_it(tables):
    with pytest.raises(SystemExit, match=r"shop has no row gru. It has net \(tiny\), pop"):
        tables.figures(Stored(), "shop", "gru", "seeds")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("net/tiny[epochs=8]", "net[epochs=8] (tiny)"),
        ("net/wide/small", "net/wide (small)"),
        ("net[init=text/small]", "net[init=text (small)]"),
        ("net[init=text/small,width=8]", "net[init=text (small),width=8]"),
    ],
)
def test_a_row_is_called_as_run_calls_it(tables, row, name):
    class Named(Stored):
        FIGURES = {name: {0: [0.0, 0.2, 0.4, 0.6]}}

        def table(self):
            return pd.DataFrame({"dataset": ["shop"], "failed": [0], "model": [name], "seeds": [1]})

    assert "| 1 |" in tables.figures(Named(), "shop", row, "seeds")


def test_a_table_of_figures_needs_a_source(tables):
    page = "| a | b |\n|---|---|\n| x | .25 |\n"
    assert list(tables.unsourced(f"text\n\n{page}")) == [3]
    assert list(tables.unsourced(f"text\n\n<!-- from: a command -->\n{page}")) == []
    assert list(tables.unsourced(page.replace(".25", "7"))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It has .0304 on one log.", [3]),
        ("It has 0.0304, and 3 of 7 are .25.", [3]),
        ("It has .25, at a rate of 1e-3, with torch 2.13.0 and loo@2.", []),
        ("It has .0304 (`mmbench show pop`).", []),
        ("`tests/protocol/test_beauty.py` holds\nboth to .0304.", []),
        ("`pop` has .0304.", [3]),
        ("PRIME prints .0438.", []),
        ("It has .0438 (table 2).", []),
        ("It has .0304.\n\n<!-- from: a command -->\n| a |\n|---|\n| .25 |", []),
        ("<!-- figures data=shop -->\n| a |\n<!-- end -->\n\nThat is .0304.", []),
        ("```\nmmbench show pop\n```\n\nThat is .0304.", []),
        ("```python\na = 0.0304\n\nb = 0.0304\n```", []),
        ("`mmbench show pop` tells.\n\nIt has .0304.", [5]),
    ],
)
def test_a_figure_in_prose_needs_a_source(tables, text, found):
    assert list(tables.orphans(f"# Page\n\n{text}\n\nThe end.\n")) == found
