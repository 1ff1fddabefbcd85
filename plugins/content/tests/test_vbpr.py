"""VBPR against float64 loops, and what it learns."""

import dataclasses

import numpy as np
import pytest
import torch
from mmbench_content import vbpr
from mmbench_content.configs import VBPRConfig
from mmbench_content.models import VBPR

SMALL = VBPRConfig(
    encoder="colour-histogram", dim=3, visual_dim=2, regularization=0.07, visual_regularization=0.03
)
USER, ITEM, NEGATIVE = [0, 2, 2, 1], [1, 0, 4, 3], [2, 3, 3, 0]


def scores_of(model, queries):
    return model.score(queries=queries).queries @ model.embed_items()["fused"][1:].T


@pytest.fixture
def network():
    torch.manual_seed(1)
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    made = vbpr.Network(3, features, SMALL)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.8)
    return made


def as_numpy(network):
    named = {name: weight.detach().double().numpy() for name, weight in network.named_parameters()}
    return named | {"features": network.features.double().numpy()}


def rating(w, u, i):
    """Equation 4, one user and one item."""
    latent = sum(w["users.weight"][u][k] * w["items.weight"][i][k] for k in range(3))
    seen = w["map"].T @ w["features"][i]
    visual = sum(w["tastes.weight"][u][k] * seen[k] for k in range(2))
    return w["bias"][i] + latent + visual + w["visual_bias"] @ w["features"][i]


def reference(w):
    total = 0.0
    for u, i, j in zip(USER, ITEM, NEGATIVE, strict=True):
        total -= np.log(1 / (1 + np.exp(rating(w, u, j) - rating(w, u, i))))
        for name, row in (
            *((("users.weight"), u), ("tastes.weight", u), ("items.weight", i)),
            *(("items.weight", j), ("bias", i), ("bias", j)),
        ):
            total += 0.07 * np.sum(np.square(w[name][row]))
    shared = np.sum(w["map"] ** 2) + np.sum(w["visual_bias"] ** 2)
    return total / len(USER) + 0.03 * shared


def test_loss_and_gradient_are_those_of_the_paper(network):
    triple = [torch.tensor(part) for part in (USER, ITEM, NEGATIVE)]
    loss = network.loss(*triple)
    weights = as_numpy(network)
    assert float(loss.detach()) == pytest.approx(reference(weights), rel=1e-5)
    loss.backward()
    step = 1e-6
    for name, parameter in network.named_parameters():
        gradient = parameter.grad.numpy()
        expected = np.zeros_like(weights[name])
        for place in np.ndindex(expected.shape):
            kept = weights[name][place]
            sides = []
            for moved in (kept + step, kept - step):
                weights[name][place] = moved
                sides.append(reference(weights))
            weights[name][place] = kept
            expected[place] = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6, err_msg=name)


def test_factors_give_the_ratings(network):
    users, items = network.factors()
    weights = as_numpy(network)
    expected = [[rating(weights, u, i) for i in range(5)] for u in range(3)]
    np.testing.assert_allclose(users @ items.T, expected, rtol=1e-5, atol=1e-5)


def test_negatives_are_items_that_the_user_never_had(interactions_of):
    train = interactions_of([[1, 2, 2], [3], [], [1, 2, 3, 4, 5]], n_items=5)
    user = np.repeat([0, 1, 2], 300)
    drawn = vbpr.Negatives(train).draw(user, np.random.default_rng(0))
    assert [set(drawn[user == u] + 1) for u in range(3)] == [
        {3, 4, 5},
        {1, 2, 4, 5},
        {1, 2, 3, 4, 5},
    ]
    everything = vbpr.Negatives(train).draw(np.array([3]), np.random.default_rng(0))
    assert 0 <= everything[0] < 5


def test_features_are_centred_over_the_items_with_a_picture():
    features = np.array([[1, 5], [3, 5], [0, 0], [5, 5]], np.float32)
    found = vbpr.centre(features)
    scale = np.sqrt(8 / 3)
    np.testing.assert_allclose(found, np.array([[-2, 0], [0, 0], [0, 0], [2, 0]]) / scale)
    assert not vbpr.centre(np.array([[0, 1], [0, 1]], np.float32)).any()


LEARNING = VBPRConfig(
    encoder="colour-histogram",
    dim=4,
    visual_dim=4,
    learning_rate=0.02,
    batch_size=8,
    epochs=40,
    validate_every=40,
    regularization=0.0,
)


def test_a_taste_in_colours_reaches_items_that_nobody_had(shop, run_in, queries_of):
    model = VBPR(LEARNING)
    model.fit(train=shop.train, items=shop.items, run=run_in()[0])
    scores = scores_of(model, queries_of([[1], [5]], user=[0, 1]))
    # user 0 had the items 1 to 3, which are red; 4 is red too, 8 is green, and nobody had either
    assert scores[0, 4 - 1] > scores[0, 8 - 1]
    assert scores[1, 8 - 1] > scores[1, 4 - 1]


def test_who_is_unknown_is_the_mean_user(shop, run_in, queries_of, interactions_of):
    train = interactions_of([[], *shop.sequences], shop.n_items)
    model = VBPR(dataclasses.replace(LEARNING, epochs=1))
    model.fit(train=train, items=shop.items, run=run_in()[0])
    everybody = scores_of(model, queries_of([[1]] * 5, user=[1, 2, 3, 4, 5]))
    unknown, silent = scores_of(model, queries_of([[1], [2]], user=[-1, 0]))
    np.testing.assert_allclose(unknown, everybody.mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(unknown, silent)


def test_the_best_validated_state_is_kept(shop, run_in, queries_of):
    queries, seen = queries_of([[1]], user=[0]), []
    values = iter([0.1, 0.5, 0.2, 0.3, 0.9])

    def validate():
        seen.append(scores_of(model, queries))
        return next(values)

    model = VBPR(dataclasses.replace(LEARNING, validate_every=2, patience=2))
    run, record = run_in(validate)
    model.fit(train=shop.train, items=shop.items, run=run)
    assert len(seen) == 4
    np.testing.assert_array_equal(scores_of(model, queries), seen[1])
    assert not np.array_equal(seen[1], seen[3])
    assert [values["valid ndcg@10"] for _, values in record.curve if "valid ndcg@10" in values] == [
        0.1,
        0.5,
        0.2,
        0.3,
    ]


def test_the_seed_decides_everything(shop, run_in, queries_of):
    def scores(seed):
        model = VBPR(dataclasses.replace(LEARNING, epochs=2))
        model.fit(train=shop.train, items=shop.items, run=run_in(seed=seed)[0])
        return scores_of(model, queries_of([[1]]))

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (scores(seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_nothing_to_learn_from_and_divergence_are_said_plainly(shop, run_in, interactions_of):
    with pytest.raises(ValueError, match="no training event"):
        VBPR(LEARNING).fit(
            train=interactions_of([[]], shop.n_items), items=shop.items, run=run_in()[0]
        )
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        VBPR(dataclasses.replace(LEARNING, learning_rate=1e30)).fit(
            train=shop.train, items=shop.items, run=run_in()[0]
        )
