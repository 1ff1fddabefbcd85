"""The model through its public hooks."""

import dataclasses
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmbench_mmgpt2rec import configs, papers
from mmbench_mmgpt2rec.models import MMGPT2Rec

from mmbench import Products, Published
from mmbench.audit import violations
from mmbench.grid.config import as_dict, build


def rated(model, queries):
    """float32[b, n_items], as the harness multiplies."""
    return Products(model.embed_items()["fused"][1:]).rate(model.score(queries=queries).queries)


@pytest.fixture
def fitted(small, items, train, make_run):
    """``fitted(**changes)``: the model after ``fit`` on the shop."""

    def fit(*, seed=0, events=train, **changes):
        model = MMGPT2Rec(small(**changes))
        model.fit(train=events, items=items, run=make_run(seed=seed))
        return model

    return fit


def share_of_next(model, queries_of):
    """How often the item that follows in the shop is rated highest."""
    last = np.arange(1, 17)
    top = rated(model, queries_of([[item] for item in last.tolist()])).argmax(1) + 1
    return float((top == last % 16 + 1).mean())


LEARN = {"epochs": 60, "learning_rate": 1e-2, "backbone_learning_rate": 5e-3, "validate_every": 60}


def test_it_learns_from_both_modalities_what_neither_tells_alone(fitted, queries_of):
    """The next item is another thing in, at times, another colour."""
    shares = {name: share_of_next(fitted(modalities=name, **LEARN), queries_of) for name in MODES}
    assert shares["both"] > 0.75
    assert shares["both"] > 1.5 * max(shares["text"], shares["image"])


MODES = ("both", "text", "image")


@pytest.mark.parametrize("modalities", MODES)
def test_contract(modalities, fitted, queries_of, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    model = fitted(modalities=modalities)
    histories = [[3], [1, 2, 3, 4, 5, 6], [], [9, 10, 11, 12, 13, 14, 15, 16]]
    scores = rated(model, queries_of(histories))
    assert scores.shape == (4, 16)
    assert np.isfinite(scores).all()
    for history, row in zip(histories, scores, strict=True):
        np.testing.assert_allclose(rated(model, queries_of([history]))[0], row, atol=1e-5)
    only_last = rated(model, queries_of([histories[3][-6:]]))[0]
    np.testing.assert_allclose(only_last, scores[3], atol=1e-5)  # max_history is 6
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize("name", ["text-only", "image-only", "elementwise", "free", ""])
def test_spaces_are_the_table_and_the_states(name, fitted, queries_of, small):
    config = small("/".join(part for part in (name, "tiny") if part))
    model = fitted(**dataclasses.asdict(config))
    queries = queries_of([[1, 2], [7]])
    items, asked = model.embed_items(), model.embed_queries(queries)
    alone = name in ("text-only", "image-only")
    assert items.keys() == asked.keys() == ({"fused"} if alone else {"fused", "text", "image"})
    for space, vectors in items.items():
        assert vectors.dtype == asked[space].dtype == np.float32
        assert vectors.shape == (17, 16)
        assert asked[space].shape == (2, 16)
        assert not vectors[0].any()
    assert np.array_equal(model.score(queries=queries).queries, asked["fused"])
    assert not np.allclose(items.get("text", 0), items["fused"])


def test_seed_decides_everything(fitted, queries_of):
    queries = queries_of([[1, 2], [7]])
    first, again, other = (rated(fitted(dropout=0.2, seed=s), queries) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("changes", [{}, {"residual": True}, {"table": "free"}])
def test_items_that_nobody_had_have_vectors(changes, fitted, items, train, queries_of):
    """What is told of an item places it: the unseen item is near those that are like it."""
    known = train.item < 16
    few = dataclasses.replace(
        train, user=train.user[known], item=train.item[known], time=train.time[known]
    )
    vectors = fitted(events=few, **changes).embed_items()["fused"]
    assert vectors[16].any()


@pytest.mark.parametrize("changes", [{}, {"residual": True}, {"table": "free"}])
def test_another_catalogue_is_told_by_the_same_map(changes, fitted, other_items, queries_of):
    model = fitted(**changes)
    before, network = model.embed_items()["fused"], model.network
    fusion = {name: weight.clone() for name, weight in network.fusion.state_dict().items()}
    model.transfer(items=other_items)
    vectors = model.embed_items()["fused"]
    assert vectors.shape == (8, 16)
    assert all(torch.equal(fusion[name], w) for name, w in network.fusion.state_dict().items())
    scores = rated(model, queries_of([[1, 2, 3], [7]]))
    assert scores.shape == (2, 7)
    assert np.isfinite(scores).all()
    if not changes:  # "glove of wool" in red is item 1 there; the same title and picture, item 4
        text = model.embed_items()["text"][1]
        assert np.linalg.norm(text) > 0
        assert not np.allclose(vectors[1], before[1])


def test_the_catalogue_that_was_fitted_on_is_told_as_before(fitted, items, queries_of):
    model = fitted()
    before = model.embed_items()["fused"]
    model.transfer(items=items)
    np.testing.assert_array_equal(model.embed_items()["fused"], before)


def test_texts_have_three_quarters_of_the_width_and_pictures_one(fitted):
    model = fitted(dim=16)
    assert model.blocks["text"].width <= 12
    assert model.blocks["image"].width == 4  # of 260 colours: their first components
    assert fitted(modalities="image").blocks["image"].width > 4


def test_features_have_the_size_of_gpt2s_words(fitted):
    """Standardised, and scaled: without either this fails."""
    model = fitted(learning_rate=1e-12)
    for name in ("text", "image"):
        values = getattr(model.network, name).numpy()
        known = values.any(axis=1)
        assert known.sum() == 15  # one item lacks it
        spread = values[known].std(axis=0)
        np.testing.assert_allclose(spread[spread > 1e-9], 0.02, rtol=1e-4)
        np.testing.assert_allclose(values[known].mean(axis=0), 0, atol=1e-7)
    start = np.concatenate([model.network.text, model.network.image], axis=1)
    np.testing.assert_allclose(model.embed_items()["fused"][1:, : start.shape[1]], start, atol=1e-6)


def test_presets_are_the_stated_ones():
    presets = MMGPT2Rec.presets
    assert presets["paper"] == MMGPT2Rec.Config()
    assert {name.split("/")[0] for name in presets} - {"paper", "small", "tiny"} == {
        name for name in configs.VARIANTS if name
    }
    for name in configs.VARIANTS:
        sizes = [presets["/".join(part for part in (name, size) if part)] for size in SIZES]
        assert all(config.backbone == configs.RANDOM for config in sizes)
    assert presets["lora"].lora_alpha == 1
    assert presets["lora-alpha16"].lora_alpha == 16
    assert presets["lora/small"].trained == "lora"
    for config in presets.values():
        assert build(MMGPT2Rec.Config, as_dict(config), "mmgpt2rec") == config


SIZES = ("small", "tiny")


@pytest.mark.parametrize(
    ("name", "needs", "weights"),
    [
        ("paper", {"text", "image"}, 3),
        ("text-only", {"text"}, 2),
        ("image-only/small", {"image"}, 1),
        ("small", {"text", "image"}, 2),
        ("tiny", {"text", "image"}, 0),
    ],
)
def test_what_it_needs(name, needs, weights):
    config = MMGPT2Rec.presets[name]
    assert MMGPT2Rec.needs(config) == needs
    assert len(MMGPT2Rec.pretrained(config)) == weights


def test_it_says_about_how_long_it_takes():
    tiny, small, paper = (
        MMGPT2Rec.seconds(MMGPT2Rec.presets[name]) for name in (*SIZES[::-1], "paper")
    )
    assert small["event"] > 2 * tiny["event"] > 0
    assert small["item"] > tiny["item"] == 0
    assert paper == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fusion": "sum"}, "one of concat, weighted, attention, elementwise"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"table": "free", "residual": True}, "residual is for table='fused'"),
        ({"heads": 3}, "heads must divide a quarter of dim"),
        ({"clip": 0.0}, "clip is 0.0; it must be above 0"),
    ],
)
def test_impossible_settings_are_refused(changes, message, small):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_published_rows_break_arithmetic_or_are_said_not_to_compare():
    """Table I's baselines have MAP above the hit rate, which no lists have."""
    told = [row for rows in MMGPT2Rec.papers.values() for row in rows]
    assert all(isinstance(row, Published) and "not comparable" in row.differs for row in told)
    assert set(MMGPT2Rec.papers) <= {"", *MMGPT2Rec.presets}
    for name in ("VBPR", "DeepCoNN", "NRMF", "SASRec"):
        row = dict(zip(papers.METRICS_1, papers.TABLE_1[name], strict=True))
        assert row["map@5"] > row["hit@5"]
    row = dict(zip(papers.METRICS_1, papers.TABLE_1["MM-GPT2Rec"], strict=True))
    assert 5 * row["precision@5"] / row["hit@5"] == pytest.approx(1.78, abs=0.01)
    assert violations({name: row[name] for name in ("hit@5", "ndcg@5")})


def test_entry_point_names_the_class():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["mmbench.models"].items()
    assert name == "mmgpt2rec"
    assert importlib.metadata.EntryPoint(name, value, "mmbench.models").load() is MMGPT2Rec


def test_importing_the_model_loads_no_torch():
    code = "import sys, mmbench_mmgpt2rec.models; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
