"""The losses against slow float64 versions written from the paper's equations, user by user."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_vlm2rec import losses

SEEDS = st.integers(0, 10_000)


def world(seed, b=6, d=5):
    """Vectors of both modalities, and negatives that are not complete."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(4, b, d)) + rng.normal(size=(4, 1, d))
    negative = (rng.random((b, b)) < 0.7) & ~np.eye(b, dtype=bool)
    negative[0] = np.arange(b) != 0
    return vectors, negative


def cosine(left, right):
    return float(left @ right / math.sqrt((left @ left) * (right @ right)))


def reference(vectors, negative, tau, alpha, beta):
    """(margins of text, of image, gaps, weights, WPCL summed): equations 6 to 10."""
    user_text, user_image, item_text, item_image = vectors
    user, item = user_text + user_image, item_text + item_image
    told = []
    for u in range(len(user)):
        rivals = [j for j in range(len(user)) if negative[u, j]]
        margins = []
        for left, right in ((user_text, item_text), (user_image, item_image)):
            others = [cosine(left[u], right[j]) for j in rivals]
            mean = sum(others) / len(others) if others else 0.0
            margins.append(cosine(left[u], right[u]) - mean)
        gap = max(margins) - min(margins)
        weight = 1 + beta * math.log(1 + math.exp(alpha * gap))
        top = math.exp(cosine(user[u], item[u]) / tau)
        rest = sum(math.exp(cosine(user[u], item[j]) / tau) for j in rivals)
        told.append((*margins, gap, weight, -math.log(top / (top + weight * rest))))
    return [np.array(column) for column in zip(*told, strict=True)]


def reference_topology(vectors, tau):
    """Equations 11 to 13, term by term."""
    user_text, user_image, item_text, item_image = vectors
    total = 0.0
    for u in range(len(user_text)):
        rows = []
        for left, right in ((user_text, item_text), (user_image, item_image)):
            raised = [math.exp(cosine(left[u], other) / tau) for other in right]
            rows.append([value / sum(raised) for value in raised])
        for first, second in (rows, rows[::-1]):
            total += sum(p * math.log(p / q) for p, q in zip(first, second, strict=True))
    return total / (2 * len(user_text))


def as_cosines(vectors):
    """(fused, text, image) cosines as float64 tensors."""
    user_text, user_image, item_text, item_image = map(torch.from_numpy, vectors)

    def unit(v):
        return v / v.norm(dim=1, keepdim=True)

    pairs = (
        (user_text + user_image, item_text + item_image),
        (user_text, item_text),
        (user_image, item_image),
    )
    return [unit(left) @ unit(right).T for left, right in pairs]


@settings(deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.1, 0.5, 1.0]), st.floats(0.1, 5), st.floats(0.1, 5))
def test_wpcl_is_the_papers(seed, tau, alpha, beta):
    vectors, negative = world(seed)
    text_margin, image_margin, gaps, weights, each = reference(vectors, negative, tau, alpha, beta)
    fused, text, image = as_cosines(vectors)
    mask = torch.from_numpy(negative)
    margin = losses.margins(text, mask), losses.margins(image, mask)
    gap = losses.modality_gap(*margin)
    weight = losses.penalty(gap, torch.tensor(alpha).double(), torch.tensor(beta).double())
    np.testing.assert_allclose(margin[0], text_margin, atol=1e-6)
    np.testing.assert_allclose(margin[1], image_margin, atol=1e-6)
    np.testing.assert_allclose(gap, gaps, atol=1e-6)
    np.testing.assert_allclose(weight, weights, rtol=1e-6)
    found = losses.contrastive(fused, mask, tau, weight, "sum")
    assert float(found) == pytest.approx(each.sum(), rel=1e-6)
    assert float(losses.contrastive(fused, mask, tau, weight)) == pytest.approx(
        each.mean(), rel=1e-6
    )


@settings(deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.1, 1.0]))
def test_float32_stays_near(seed, tau):
    vectors, negative = world(seed)
    *_, weights, each = reference(vectors, negative, tau, 1.0, 1.0)
    parts = [torch.from_numpy(v).float() for v in vectors]
    fused = losses.cosines(parts[0] + parts[1], parts[2] + parts[3])
    found = losses.contrastive(
        fused, torch.from_numpy(negative), tau, torch.from_numpy(weights).float()
    )
    assert float(found) == pytest.approx(each.mean(), abs=1e-5)


@settings(deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.5, 1.0]))
def test_weight_one_is_infonce(seed, tau):
    vectors, _ = world(seed)
    fused, *_ = as_cosines(vectors)
    everyone = ~torch.eye(len(fused), dtype=torch.bool)
    plain = torch.nn.functional.cross_entropy(fused / tau, torch.arange(len(fused)))
    ones = torch.ones(len(fused), dtype=torch.float64)
    for weight in (None, ones):
        found = losses.contrastive(fused, everyone, tau, weight)
        assert float(found) == pytest.approx(float(plain), abs=1e-6)
    heavier = losses.contrastive(fused, everyone, tau, 1.5 * ones)
    assert float(heavier) > float(plain) + 1e-3


def test_a_weight_is_a_margin_of_the_positive():
    """w on all negatives shifts the positive's cosine by tau log w."""
    vectors, negative = world(3)
    fused, *_ = as_cosines(vectors)
    mask, tau, w = torch.from_numpy(negative), 0.2, 1.7
    weight = torch.full((len(fused),), w, dtype=torch.float64)
    shifted = fused - torch.eye(len(fused), dtype=torch.float64) * tau * math.log(w)
    found = losses.contrastive(fused, mask, tau, weight)
    assert float(found) == pytest.approx(float(losses.contrastive(shifted, mask, tau)), abs=1e-9)


def gradients(stop_gradient):
    text = torch.tensor([0.9, 0.1, 0.5], requires_grad=True)
    image = torch.tensor([0.2, 0.7, 0.4], requires_grad=True)
    one = torch.tensor(1.0)
    gap = losses.modality_gap(text, image, stop_gradient)
    losses.penalty(gap, one, one).sum().backward()
    return text.grad.tolist(), image.grad.tolist(), gap.tolist()


def test_only_the_weaker_modality_feels_the_gap():
    text, image, gap = gradients(stop_gradient=True)
    assert gap == pytest.approx([0.7, 0.6, 0.1])
    assert [text[0], image[1], text[2]] == [0, 0, 0]  # the strong ones, user by user
    assert all(value < -0.1 for value in (image[0], text[1], image[2]))


def test_without_the_stop_both_feel_it():
    text, image, _ = gradients(stop_gradient=False)
    assert [text[0], image[1], text[2]] == pytest.approx([-image[0], -text[1], -image[2]])
    assert min(text[0], image[1], text[2]) > 0.1


def test_the_penalty_grows_with_the_gap_and_is_learned():
    gap = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    alpha = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    beta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    weight = losses.penalty(gap, alpha, beta)
    wanted = [1 + 0.5 * math.log1p(math.exp(2 * g)) for g in (0.0, 0.5, 2.0)]
    assert weight.tolist() == pytest.approx(wanted)
    assert losses.penalty(gap, alpha, beta, centred=True)[0].item() == pytest.approx(1)
    weight.sum().backward()
    assert alpha.grad > 0
    assert beta.grad > 0


@settings(deadline=None)
@given(SEEDS, st.sampled_from([0.1, 1.0]))
def test_topology_is_the_papers(seed, tau):
    vectors, _ = world(seed)
    _, text, image = as_cosines(vectors)
    wanted = reference_topology(vectors, tau)
    assert float(losses.topology(text, image, tau)) == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    assert float(losses.topology(image, text, tau)) == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_topology_compares_shapes_not_places():
    """Equal rankings cost nothing where the vectors are others, and both modalities move."""
    vectors, _ = world(1)
    _, text, image = as_cosines(vectors)
    assert float(losses.topology(text, text + 0.3, 0.1)) == pytest.approx(0, abs=1e-9)
    text.requires_grad_(True)
    image.requires_grad_(True)
    losses.topology(text, image, 0.1).backward()
    assert text.grad.abs().max() > 1e-3
    assert image.grad.abs().max() > 1e-3


def test_topology_stays_finite_at_the_smallest_temperature():
    vectors, _ = world(2)
    _, text, image = as_cosines(vectors)
    text = text.float().requires_grad_(True)
    found = losses.topology(text, image.float(), 0.001)
    found.backward()
    assert found.isfinite()
    assert text.grad.isfinite().all()


def test_a_user_without_negatives_costs_nothing():
    similarity = torch.tensor([[0.2, 0.9], [0.1, 0.3]], requires_grad=True)
    negative = torch.tensor([[False, False], [True, False]])
    assert losses.margins(similarity, negative).tolist() == pytest.approx([0.2, 0.2])
    weight = torch.tensor([1.5, 1.0])
    loss = losses.contrastive(similarity, negative, 0.5, weight, "sum")
    assert loss.detach().item() == pytest.approx(math.log(1 + math.exp((0.1 - 0.3) / 0.5)))
    loss.backward()
    assert similarity.grad.isfinite().all()
    assert similarity.grad[0].tolist() == [0, 0]
