"""Every model through its public hooks."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from mmbench_content import models
from mmbench_content.configs import MINILM, HybridConfig, MarkovConfig
from mmbench_content.transitions import learn

from mmbench import Items, Products, Vectors
from mmbench.grid.config import as_dict, build
from mmbench.testing import make_images

PLUGINS = {
    "markov": models.Markov,
    "bm25-text": models.BM25Text,
    "tfidf": models.Tfidf,
    "colour-histogram": models.ColourHistogram,
    "text-encoder": models.TextEncoder,
    "image-encoder": models.ImageEncoder,
    "hybrid": models.Hybrid,
    "hybrid-markov": models.HybridMarkov,
    "vbpr": models.VBPR,
}
COUNTED = {"tfidf": "text", "colour-histogram": "image"}
ENCODERS = COUNTED | {"text-encoder": "text", "image-encoder": "image"}


def make(name, **fields):
    """The model in the preset that needs no weights: by counting, or ``tiny``."""
    kind = PLUGINS[name]
    sizes = [size for size in ("counts", "tiny", "paper") if size in kind.presets]
    preset = kind.presets[sizes[0]]
    return kind(build(kind.Config, as_dict(preset) | fields, name))


def scores_of(model, queries):
    """float32[b, n_items], as the harness makes them of an answer."""
    answer = model.score(queries=queries)
    if isinstance(answer, Vectors):
        return Products(model.embed_items()["fused"][1:]).rate(answer.queries)
    return answer


@pytest.fixture
def fitted(shop, run_in):
    """``fitted(model, validate=...)`` after ``fit`` on the shop, and its run's record."""

    def fit(model, validate=lambda limit=None: 0.0, items=None):
        run, record = run_in(validate)
        given = {"train": shop.train, "items": items or shop.items, "run": run}
        wanted = model.fit.__func__.__code__
        names = wanted.co_varnames[1 : wanted.co_argcount]
        model.fit(**{name: given[name] for name in names})
        return model, record

    return fit


@pytest.mark.parametrize(("name", "like", "unlike"), [("tfidf", 8, 2), ("bm25-text", 8, 2)])
def test_texts_alike_come_first(name, like, unlike, fitted, queries_of):
    model, _ = fitted(make(name))
    # of a history of gloves, whatever their colour, the other glove: 4 and 8 are gloves
    (scores,) = scores_of(model, queries_of([[4]]))
    assert scores[like - 1] > scores[5 - 1]
    (scores,) = scores_of(model, queries_of([[1, 5]]))
    assert scores[9 - 1] == max(scores[np.setdiff1d(np.arange(12), [0, 4])])


def test_pictures_alike_come_first(fitted, queries_of):
    model, _ = fitted(make("colour-histogram"))
    (scores,) = scores_of(model, queries_of([[5, 6]]))
    assert set(np.argsort(scores)[-4:] + 1) == {5, 6, 7, 8}
    assert np.isneginf(scores[12 - 1])


def test_fields_can_be_chosen(fitted, queries_of):
    titles, _ = fitted(make("bm25-text", fields=["title"]))
    brands, _ = fitted(make("bm25-text", fields=["brand"]))
    history = queries_of([[1]])  # a red hat
    assert scores_of(titles, history)[0, 2 - 1] > 0
    assert scores_of(brands, history)[0, 2 - 1] < scores_of(brands, history)[0, 5 - 1]


@pytest.mark.parametrize("name", COUNTED)
def test_recent_events_may_weigh_more(name, fitted, queries_of):
    histories = queries_of([[1, 6], [6, 1]])
    even, _ = fitted(make(name))
    ours, theirs = scores_of(even, histories)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    recent, _ = fitted(make(name, decay=0.2))
    ours, theirs = scores_of(recent, histories)
    assert ours[6 - 1] > theirs[6 - 1]
    assert theirs[1 - 1] > ours[1 - 1]
    last, _ = fitted(make(name, max_history=1))
    np.testing.assert_allclose(
        scores_of(last, histories), scores_of(last, queries_of([[6], [1]])), atol=1e-6
    )


@pytest.mark.parametrize("name", [*ENCODERS, "hybrid", "vbpr"])
def test_embeddings_give_the_scores(name, fitted, queries_of):
    model, _ = fitted(make(name))
    queries = queries_of([[1, 2], [7], []], user=[0, 1, -1])
    items, asked = model.embed_items(), model.embed_queries(queries)
    spaces = {"vbpr": {"fused"}, "hybrid": {"fused", "text", "image"}}
    assert items.keys() == asked.keys() == spaces.get(name, {"fused", ENCODERS.get(name)})
    for space, vectors in items.items():
        assert vectors.dtype == asked[space].dtype == np.float32
        assert vectors.shape == (13, asked[space].shape[1])
        assert not vectors[0].any()
    scores = scores_of(model, queries)
    kept = np.isfinite(scores)
    np.testing.assert_allclose(
        (asked["fused"] @ items["fused"][1:].T)[kept], scores[kept], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", ["bm25-text", *ENCODERS])
def test_another_catalogue_is_answered_as_if_fitted_on_it(name, fitted, queries_of, shop, tmp_path):
    order = [0, *range(5, 13), *range(1, 5)]
    fields = {name: [values[i] for i in order] for name, values in shop.items.fields.items()}
    store = make_images(tmp_path / "others", [shop.pictures[i] for i in order[1:]])
    other = Items(12, fields, store)
    queries = queries_of([[1, 2], [8]])
    moved, _ = fitted(make(name))
    before = scores_of(moved, queries)
    moved.transfer(items=other)
    np.testing.assert_array_equal(
        scores_of(moved, queries), scores_of(fitted(make(name), items=other)[0], queries)
    )
    assert not np.array_equal(scores_of(moved, queries), before)


@pytest.mark.parametrize("name", ["hybrid", "hybrid-markov"])
def test_a_hybrid_takes_the_weights_that_validate_best(name, fitted, queries_of):
    queries = queries_of([[1, 2], [9]])
    asked, at_best = [], []

    def validate(limit=None):
        asked.append(limit)
        if len(asked) == 4:
            at_best.append(scores_of(model, queries))
            return 0.5
        return 0.1

    shares = {"image_shares": [0.2, 0.6], "other_shares": [0.0, 0.3, 0.5]}
    model = make(name, **shares, validate_queries=77)
    _, record = fitted(model, validate)
    assert asked == [77] * 6
    np.testing.assert_array_equal(scores_of(model, queries), at_best[0])
    best = {"text weight": 0.28, "image weight": 0.42, "other weight": 0.3, "valid ndcg@10": 0.5}
    assert record.curve[3] == (4, pytest.approx(best))
    assert record.progress[-1] == (6, 6, "weights")


def z(scores):
    return (scores - scores.mean()) / scores.std()


@pytest.mark.parametrize("name", ["hybrid", "hybrid-markov"])
def test_a_hybrid_is_the_sum_of_standardised_parts(name, fitted, queries_of, shop):
    queries = queries_of([[1, 2, 7]])
    shares = {"image_shares": [0.4], "other_shares": [0.25]}
    model, _ = fitted(make(name, **shares))
    (found,) = scores_of(model, queries)
    (text,) = scores_of(fitted(make("tfidf"))[0], queries)
    (image,) = scores_of(fitted(make("colour-histogram"))[0], queries)
    if name == "hybrid":
        counts = np.bincount(shop.train.item, minlength=13)[1:]
        other = np.log1p(counts)
    else:
        config = MarkovConfig(discount=model.config.discount)
        other = np.log(learn(shop.train, config).rate(queries.history, config)[0])
    content = 0.75 * (0.6 * z(text[:11]) + 0.4 * z(image[:11]))
    expected = 0.25 * z(other) + np.append(content, 0)  # item 12 has no content: the average
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in PLUGINS if name not in ("markov", "vbpr")])
def test_items_of_the_same_content_are_level(
    name, run_in, interactions_of, queries_of, shop, tmp_path
):
    """Wherever they stand, for any history; ``markov`` and ``vbpr`` know items by number."""
    kinds = np.random.default_rng(0).integers(1, 12, 150)
    fields = {
        key: ["", *(column[kind] for kind in kinds)] for key, column in shop.items.fields.items()
    }
    store = make_images(tmp_path / "others", [shop.pictures[kind] for kind in kinds])
    items = Items(150, fields, store)
    train = interactions_of([[150, 149, 148]], 150)
    histories = [list(map(int, row)) for row in np.random.default_rng(1).integers(1, 148, (80, 5))]
    model = make(name)
    wanted = model.fit.__func__.__code__
    given = {"train": train, "items": items, "run": run_in()[0]}
    model.fit(**{key: given[key] for key in wanted.co_varnames[1 : wanted.co_argcount]})
    scores = scores_of(model, queries_of(histories))
    for kind in range(1, 12):
        same = np.flatnonzero(kinds[:147] == kind)
        np.testing.assert_array_equal(scores[:, same], scores[:, same[:1]].repeat(len(same), 1))


@pytest.mark.parametrize("name", PLUGINS)
def test_odd_histories_are_answered(name, fitted, queries_of):
    model, _ = fitted(make(name))
    scores = scores_of(model, queries_of([[12], [], [1] * 8], user=[-1, 3, 4]))
    assert scores.dtype == np.float32
    assert scores.shape == (3, 12)
    assert not np.isnan(scores).any()
    assert not np.isposinf(scores).any()
    assert scores_of(model, queries_of([])).shape == (0, 12)


@pytest.mark.parametrize("name", ["text-encoder", "hybrid", "vbpr"])
def test_weights_that_are_not_here_are_said_plainly(name, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no way out")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    model = PLUGINS[name](PLUGINS[name].presets["paper"])
    with pytest.raises(RuntimeError, match="take the preset small or tiny"):
        model.fetch(cache=tmp_path)
    make(name).fetch(cache=tmp_path)


def test_named_weights_are_read_from_the_cache(tmp_path, shop, run_in, monkeypatch):
    run, _ = run_in()
    name, commit = MINILM.split("@")
    home = run.cache / "hub" / f"models--{name.replace('/', '--')}"
    place = home / "snapshots" / commit
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"x")
    read = []
    monkeypatch.setattr(
        "mmbench_content.towers.text_tower",
        lambda folder, *rest: read.append(folder) or (lambda texts: np.ones((len(texts), 2))),
    )
    model = models.TextEncoder(models.TextEncoder.presets["paper"])
    model.fetch(cache=run.cache)
    model.fit(items=shop.items, run=run)
    assert read == [place]
    described = next(run.encodings.glob("*/encoder.json")).read_text()
    assert '"weights": "commit:c9745ed1d9f207416be6d2e6f8de32d1f16199bf"' in described


def test_no_text_is_said_plainly(fitted, shop):
    blank = Items(12, {"title": [""] * 13}, shop.items.images)
    with pytest.raises(ValueError, match="no item has a text"):
        fitted(make("bm25-text"), items=blank)


@pytest.mark.parametrize("name", PLUGINS)
def test_presets_survive_their_way_through_plain_data(name):
    kind = PLUGINS[name]
    assert kind.Config() == kind.presets["paper"]
    for preset in kind.presets.values():
        assert build(kind.Config, as_dict(preset), name) == preset


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("markov", {"discount": 1.0}, "discount is 1.0; it must be between 0 and 1"),
        ("markov", {"max_history": 0}, "max_history is 0; it must be above 0"),
        ("text-encoder", {"decay": 0.0}, "decay is 0.0; it must be above 0, at most 1"),
        ("bm25-text", {"b": 1.5}, "b is 1.5; it must be between 0 and 1"),
        ("hybrid", {"other_shares": ()}, "other_shares is ()"),
        ("hybrid", {"image_shares": (0.5, 2.0)}, "must hold numbers from 0 to 1"),
        ("vbpr", {"regularization": -1.0}, "regularization is -1.0; it must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(name, fields, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        PLUGINS[name].Config(**fields)


def test_hybrids_always_weigh_both_modalities():
    assert all(0 < share < 1 for share in HybridConfig().image_shares)
    assert max(HybridConfig().other_shares) < 1


def test_entry_points_name_the_classes():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    found = {
        name: importlib.metadata.EntryPoint(name, value, "mmbench.models").load()
        for name, value in project["entry-points"]["mmbench.models"].items()
    }
    assert found == PLUGINS


def test_importing_the_models_loads_nothing_heavy():
    heavy = {"torch", "transformers", "sklearn", "scipy", "bm25s"}
    code = f"import sys, mmbench_content.models; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
