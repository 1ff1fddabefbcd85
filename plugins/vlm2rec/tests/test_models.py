"""The fitted model: prompts, spaces, scores, training, transfer."""

from dataclasses import replace

import numpy as np
import pytest
from mmbench_vlm2rec.examples import Example, make_examples

from mmbench import Items
from mmbench.testing import make_images

HISTORIES = [[1, 6], [16], [], [3, 8, 13, 2, 7, 12]]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def texts(prompt):
    return [part if isinstance(part, str) else f"<{part.item}>" for part in prompt.parts]


@pytest.fixture(scope="module")
def module_models():
    return {}


@pytest.fixture
def untrained(fitted, module_models):
    """Models of vanilla presets, each made once."""

    def make(preset, **changes):
        key = (preset, tuple(changes.items()))
        if key not in module_models:
            module_models[key] = fitted(preset, **changes)
        return module_models[key]

    return make


def test_prompts(untrained):
    embedder = untrained("vanilla-ext/tiny", max_history=2).embedder
    assert "".join(texts(embedder.prompt("text", [9, 1, 6]))) == (
        "Describe this item text sequence in one word, 0) one tent, 1) one lamp"
    )
    assert "".join(texts(embedder.prompt("image", [1, 6]))) == (
        "Describe this item image sequence in one word, 0) <1>, 1) <6>"
    )
    assert "".join(texts(embedder.prompt("both", [6]))) == (
        "Describe this item sequence in one word, 0) one lamp <6>"
    )


def test_scores_are_cosines_of_summed_vectors(untrained, queries_of):
    model = untrained("vanilla-ext/tiny")
    queries = queries_of(HISTORIES)
    users, catalogue = model.embed_queries(queries), model.embed_items()
    assert set(users) == set(catalogue) == {"fused", "text", "image"}
    for spaces in (users, catalogue):
        np.testing.assert_allclose(spaces["fused"], spaces["text"] + spaces["image"], atol=1e-5)
    assert catalogue["fused"].shape == (17, 32)
    assert not catalogue["fused"][0].any()
    wanted = unit(users["fused"]) @ unit(catalogue["fused"][1:]).T
    np.testing.assert_allclose(model.score(queries), wanted, atol=1e-5)


def test_text_sees_no_pictures_and_pictures_no_text(untrained, queries_of):
    """Items 1 and 2 share their title, 1 and 5 their picture."""
    model = untrained("vanilla-ext/tiny")
    found = model.embed_queries(queries_of([[1], [2], [5]]))
    np.testing.assert_allclose(found["text"][0], found["text"][1], atol=1e-5)
    np.testing.assert_allclose(found["image"][0], found["image"][2], atol=1e-5)
    assert np.abs(found["text"][0] - found["text"][2]).max() > 1e-3
    assert np.abs(found["image"][0] - found["image"][1]).max() > 1e-3


@pytest.mark.parametrize("preset", ["vanilla-ext/tiny", "vanilla-int/tiny", "llm-vanilla/tiny"])
def test_company_changes_no_vector(untrained, queries_of, preset):
    """Alone, beside longer ones, in another order: the same to 1e-5."""
    model = untrained(preset)
    together = model.embed_queries(queries_of(HISTORIES))["fused"]
    backwards = model.embed_queries(queries_of(HISTORIES[::-1]))["fused"][::-1]
    alone = [model.embed_queries(queries_of([row]))["fused"][0] for row in HISTORIES]
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)


def test_one_prompt_for_both(untrained, queries_of):
    model = untrained("vanilla-int/tiny")
    found = model.embed_queries(queries_of([[1], [2], [5]]))
    assert set(found) == {"fused", "text", "image"}
    spread = np.abs(found["fused"][0] - found["fused"][1:]).max(axis=1)
    assert (spread > 1e-3).all()  # another picture, another title
    assert np.abs(found["fused"] - found["text"] - found["image"]).max() > 1e-2


def test_text_alone(untrained, queries_of):
    model = untrained("llm-vanilla/tiny")
    found = model.embed_queries(queries_of([[1], [2]]))
    assert set(found) == {"fused", "text"}
    np.testing.assert_array_equal(found["fused"], found["text"])
    np.testing.assert_allclose(found["fused"][0], found["fused"][1], atol=1e-5)


@pytest.mark.parametrize("preset", ["llm-vanilla/tiny", "vanilla-ext/tiny", "vanilla-int/tiny"])
def test_items_of_the_same_content_are_level(untrained, items, queries_of, preset, tmp_path):
    """In a catalogue where each title and picture stands five times, far apart."""
    model = untrained(preset)
    kinds = np.random.default_rng(0).permutation(np.repeat(np.arange(1, 17), 5))
    fields = {"title": ["", *(items.fields["title"][kind] for kind in kinds)]}
    store = make_images(tmp_path / "pictures", [items.images.open(kind) for kind in kinds])
    model.transfer(Items(80, fields, store))
    scores = model.score(queries_of([[1, 40], [80], [7, 8, 9]]))
    fused = model.embed_items()["fused"][1:]
    for kind in range(1, 17):
        same = np.flatnonzero(kinds == kind)
        assert (scores[:, same] == scores[:, same[:1]]).all()
        assert (fused[same] == fused[same[0]]).all()
    model.transfer(items)


def test_items_without_a_picture_or_a_title(untrained, items, queries_of, tmp_path):
    model = untrained("vanilla-ext/tiny", max_history=3)
    pictures = [None if item == 6 else items.images.open(item) for item in range(1, 17)]
    titles = ["" if item == 7 else title for item, title in enumerate(items.fields["title"])]
    model.transfer(Items(16, {"title": titles}, make_images(tmp_path / "pictures", pictures)))
    prompt = "".join(texts(model.embedder.prompt("image", [1, 6, 7])))
    assert prompt.endswith("0) <1>, 1) , 2) <7>")
    scores = model.score(queries_of([[6], [7]]))
    assert np.isfinite(scores).all()
    model.transfer(items)


def test_transfer_reads_another_catalogue(untrained, items, queries_of, tmp_path):
    """The same things under other numbers get the same vectors."""
    model = untrained("vanilla-ext/tiny", max_history=4)
    before = model.embed_items()["fused"]
    scores = model.score(queries_of([[1, 6]]))
    turned = Items(
        16,
        {"title": ["", *items.fields["title"][:0:-1]]},
        make_images(tmp_path / "turned", [items.images.open(item) for item in range(16, 0, -1)]),
    )
    model.transfer(turned)
    np.testing.assert_allclose(model.embed_items()["fused"][1:], before[:0:-1], atol=1e-5)
    np.testing.assert_allclose(model.score(queries_of([[16, 11]])), scores[:, ::-1], atol=1e-5)
    model.transfer(items)
    np.testing.assert_allclose(model.score(queries_of([[1, 6]])), scores, atol=1e-5)


def test_titles_are_cut(untrained, items):
    model = untrained("vanilla-ext/tiny", title_tokens=3)
    count = len(model.embedder.backbone.encode(model.embedder.prompt("text", [1])))
    model.transfer(Items(16, {"title": ["", *["one tent " * 40] * 16]}, items.images))
    assert len(model.embedder.backbone.encode(model.embedder.prompt("text", [1]))) < count + 8


def trained_weights(model):
    return {
        name: weight.detach().clone()
        for name, weight in model.embedder.backbone.named_parameters()
        if weight.requires_grad
    }


def test_training_lowers_the_loss(fitted):
    model = fitted(
        epochs=10, validate_every=0, learning_rate=1e-2, schedule="constant", probe_every=12
    )
    losses = [values["loss"] for _, values in model.curve if "loss" in values]
    assert losses[-1] < losses[0] - 0.15
    curve = {step: values for step, values in model.curve if "gradient text" in values}
    assert sorted(curve) == [0, 12, 24]
    assert all(-1 <= value <= 1 for values in curve.values() for value in values.values())
    logged = next(values for _, values in model.curve if "loss" in values)
    assert logged.keys() >= {"penalty", "contrastive", "crtr", "text margin", "image margin"}


def test_the_seed_decides_and_measuring_changes_nothing(fitted, queries_of):
    watched = fitted(probe_every=2, lora_dropout=0.2, trained="lora", learning_rate=1e-2)
    plain = fitted(probe_every=0, lora_dropout=0.2, trained="lora", learning_rate=1e-2)
    queries = queries_of(HISTORIES)
    np.testing.assert_array_equal(watched.score(queries), plain.score(queries))


@pytest.mark.parametrize("quantization", ["", "nf4"])
def test_adapters_alone_are_trained(fitted, queries_of, quantization):
    if quantization:
        pytest.importorskip("bitsandbytes")
    model = fitted(
        dim=64, trained="lora", lora_rank=4, learning_rate=1e-2, quantization=quantization
    )
    weights = trained_weights(model)
    assert weights
    assert all("lora" in name for name in weights)
    moved = [bool(weight.any()) for name, weight in weights.items() if "lora_B" in name]
    assert moved
    assert all(moved)  # they start at 0
    assert np.isfinite(model.score(queries_of(HISTORIES))).all()


def test_vanilla_trains_nothing(untrained):
    model = untrained("vanilla-ext/tiny")
    assert not trained_weights(model)
    assert not [values for _, values in model.curve if "loss" in values]


def test_the_seed_draws_the_few(run, items, train, unfitted, monkeypatch):
    """``few`` users reach the training, drawn by the run's seed."""
    seen = []

    def note(module, examples, *_, **__):
        seen.append(examples)

    monkeypatch.setattr("mmbench.vlm.train", note, raising=False)
    for seed in (0, 0, 1):
        unfitted("k128/tiny", few=12).fit(train=train, items=items, run=replace(run[0], seed=seed))
    assert [len(examples) for examples in seen] == [12, 12, 12]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.parametrize("backbone", ["tiny:smolvlm", "tiny:paligemma2", "tiny:llava"])
def test_other_families(fitted, queries_of, backbone):
    size = 56 if backbone in ("tiny:smolvlm", "tiny:llava") else 28
    model = fitted(backbone=backbone, image_size=size, layers=2)
    assert model.score(queries_of(HISTORIES)).shape == (4, 16)
    assert [values for _, values in model.curve if "loss" in values]


def test_while_training_a_sample_of_the_catalogue_is_ranked(
    run, items, train, unfitted, queries_of
):
    """``validate_items`` items by the seed, the rest as not retrieved; afterwards all."""
    queries = queries_of(HISTORIES)

    def ranked(seed, count):
        model = unfitted("llm-sft/tiny", validate_items=count)
        seen = []

        def validate(limit=None):
            seen.append(model.score(queries))
            return 0.0

        model.fit(train=train, items=items, run=replace(run[0], seed=seed, validate=validate))
        return seen, model.score(queries)

    seen, after = ranked(0, 5)
    found = np.isfinite(seen[0])
    assert (found == found[0]).all()
    assert found[0].sum() == 5
    # one epoch; products of other batches are rounded otherwise
    np.testing.assert_allclose(seen[0][:, found[0]], after[:, found[0]], atol=1e-5)
    assert np.isfinite(after).all()
    others, _ = ranked(1, 5)
    assert (np.isfinite(others[0]) != found).any()
    for count in (0, 16, 99):
        everything, after = ranked(0, count)
        np.testing.assert_array_equal(everything[0], after)


def test_lengths_are_those_of_all_prompts(untrained, items):
    """Of a history and its target, in each view, to a few in a hundred."""
    rng = np.random.default_rng(0)
    words = ["tent", "stove, blue", "A Lamp (1954)", "kettle: 2 l", "the one: a tale"]
    titles = ["", *(" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(16))]
    for preset in ("vanilla-ext/tiny", "vanilla-int/tiny", "llm-vanilla/tiny"):
        model = untrained(preset, max_history=4)
        embedder = model.embedder
        embedder.open(Items(16, {"title": titles}, items.images))
        examples = [
            Example(
                tuple(rng.integers(1, 17, rng.integers(1, 8)).tolist()), int(rng.integers(1, 17))
            )
            for _ in range(40)
        ]
        exact = [
            sum(
                len(embedder.backbone.encode(embedder.prompt(view, row)))
                for view in model.config.views
                for row in (example.history, [example.target])
            )
            for example in examples
        ]
        counted = embedder.lengths(examples)
        np.testing.assert_allclose(counted, exact, rtol=0.1)
        assert abs(sum(counted) / sum(exact) - 1) < 0.03
        model.transfer(items)


def test_the_top_layers_alone_are_read_again(fitted, queries_of, items):
    """With ``lora_layers`` the states below are kept, and change no vector."""
    model = fitted(trained="lora", layers=2, lora_layers=1, lora_rank=4, learning_rate=1e-2)
    names = {name.split("layers.")[1][0] for name in trained_weights(model)}
    assert names == {"1"}
    assert model.embedder.lower is not None
    found = model.score(queries_of(HISTORIES))
    model.embedder.lower = None
    np.testing.assert_allclose(found, model.score(queries_of(HISTORIES)), atol=1e-5)


def test_a_budget_of_tokens_draws_examples(fitted, train, queries_of):
    model = fitted("llm-sft/tiny", epochs=2, all_prefixes=True, training_tokens=2400)
    told = model.curve[0][1]
    assert 10 < told["examples"] < len(make_examples(train, all_prefixes=True))
    assert 0.9 * 2400 < told["training tokens"] <= 2400
    assert np.isfinite(model.score(queries_of(HISTORIES))).all()


def test_the_model_is_loaded_without_torch():
    """Presets and declarations are read in processes that never fit."""
    import subprocess
    import sys

    code = "import sys; import mmbench_vlm2rec.models; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
