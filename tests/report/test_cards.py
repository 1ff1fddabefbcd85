"""Cards on a row: what a plugin logged once, in a footnote and in what ``mmbench show`` tells."""

import pytest
from rich.console import Console

from mmbench.report import board_json, make_boards, parse, plot_curves
from mmbench.report.cards import cards, is_figure, say
from mmbench.report.show import show_row
from mmbench.toolkit.semantic_ids import SemanticIdConfig, make_semantic_ids

CARD = {
    "semantic ids: items": [[0, 12101.0]],
    "semantic ids: perplexity 1": [[0, 200.0]],
    "semantic ids: perplexity 2": [[0, 250.5]],
    "semantic ids: moved": [[0, 0.03125]],
}
CURVES = {"valid ndcg@10": [[0, 0.01], [1, 0.02]], "training tokens": [[0, 5.0]]}


def boards(records):
    return make_boards(map(parse, records))


@pytest.fixture
def shown(make_record):
    def make(*curves):
        records = [make_record(seed=seed, curves=told) for seed, told in enumerate(curves)]
        (board,) = boards(records)
        console = Console(width=100, no_color=True, force_terminal=False)
        with console.capture() as capture:
            console.print(show_row(board, board.rows[0], (), width=100))
        return board.rows[0], capture.get()

    return make


def test_a_card_is_a_footnote_and_a_table(shown):
    row, text = shown({**CARD, **CURVES})
    note = "Semantic ids: items 12,101; perplexity 200 / 250.5; moved 0.03125."
    assert note in row.notes
    lines = [line.strip() for line in text.splitlines()]
    assert "semantic ids" in lines
    for name, value in (("items", "12,101"), ("perplexity", "200 / 250.5"), ("moved", "0.03125")):
        assert any(line.startswith(name) and line.endswith(value) for line in lines)


def test_its_figures_are_no_curves(shown, tmp_path):
    row, text = shown({**CARD, **CURVES})
    assert "seed 0 valid ndcg@10: 2 points" in text
    assert "seed 0 training tokens: 1 points" in text
    assert "seed 0 semantic ids" not in text
    pytest.importorskip("matplotlib")
    plot_curves([row], tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    assert "training tokens" in drawn
    assert "semantic ids" not in drawn


def test_several_seeds_have_their_mean(make_record):
    other = {**CARD, "semantic ids: items": [[0, 12103.0]], "semantic ids: more": [[0, 1.5]]}
    records = [
        parse(make_record(seed=seed, curves=told)) for seed, told in enumerate((CARD, other))
    ]
    (found,) = cards(records).values()
    assert found["items"] == [12102.0]
    assert found["perplexity"] == [200.0, 250.5]
    assert found["more"] == [1.5]


def test_rows_without_a_card_have_neither(shown):
    row, text = shown(CURVES)
    assert row.notes == ()
    assert "semantic" not in text


def test_a_card_that_rows_share_is_one_footnote(make_record):
    records = [make_record(model=model, curves=CARD) for model in ("a", "b")]
    (board,) = boards(records)
    first, second = (row.notes for row in board.rows)
    assert first == second
    assert first[0] in board_json(board)["rows"][0]["notes"]


@pytest.mark.parametrize(
    ("name", "points", "fits"),
    [
        ("semantic ids: moved", [(0, 1.0)], True),
        ("semantic ids: moved", [(0, 1.0), (1, 2.0)], False),
        ("training tokens", [(0, 1.0)], False),
        ("semantic ids: ", [(0, 1.0)], False),
    ],
)
def test_what_a_figure_of_a_card_is(name, points, fits):
    assert is_figure(name, points) == fits


@pytest.mark.parametrize(
    ("values", "said"),
    [([12101.0], "12,101"), ([214.83, 3.0], "214.8 / 3"), ([0.0], "0"), ([1 / 3], "0.3333")],
)
def test_figures_are_said_short(values, said):
    assert say(values) == said


def test_the_card_of_semantic_ids_is_one(make_record):
    """What a plugin logs with ``run.log(0, **ids.card.figures())`` comes to the row whole."""
    import numpy as np

    vectors = np.random.default_rng(0).standard_normal((81, 5)).astype(np.float32)
    config = SemanticIdConfig(method="rkmeans", sizes=(8, 8, 8))
    card = make_semantic_ids(vectors, config, 0).card
    curves = {name: [[0, value]] for name, value in card.figures().items()}
    (found,) = cards([parse(make_record(curves=curves))]).values()
    assert found["perplexity"] == pytest.approx(card.perplexity)
    assert found["codes"] == [8, 8, 8]
    assert found["moved"] == [pytest.approx(card.moved)]
    assert sum(map(len, found.values())) == len(curves)
