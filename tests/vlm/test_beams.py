"""Trie decoding against slow and obvious ways: full passes, a search in lists, transformers."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench import vlm

from .conftest import FAMILIES, READING, TITLES
from .test_generation import prompts, read_anew
from .test_trie import tables

ASKED = [vlm.Prompt([text]) for text in ("Red", "a longer one beside it, Blue Nail Polish", "c d")]
TOKEN = 70  # codes are tokens of a tiny model's from here on: letters
NEAR = 1e-4  # what the docstrings promise of scores in other company


def toy(items=200, codes=8, seed=0):
    """Distinct sequences of three tokens, in an order by chance."""
    numbers = np.random.default_rng(seed).permutation(codes**3)[:items]
    return TOKEN + np.stack(np.unravel_index(numbers, (codes,) * 3), axis=1)


def full_pass(backbone, prompt, sequence, pictures=None):
    """A sum of log-probabilities in float64, everything read anew for each token."""
    encoded, total = backbone.encode(prompt), 0.0
    for place, token in enumerate(sequence):
        logits = read_anew(backbone, encoded, list(sequence[:place]), pictures)
        total += float(torch.log_softmax(logits.double(), 0)[token])
    return total


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_are_those_of_full_passes(name, shared, store):
    """Of prompts of unlike lengths, with pictures where there are eyes, by both ways."""
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    asked = prompts(pictures, (1,), (2, 3, 1))
    table = toy(12, codes=3)
    trie = vlm.Trie(table)
    expected = [[full_pass(backbone, one, row, pictures) for row in table] for one in asked]
    rated = vlm.exact_scores(backbone, asked, trie, pictures, chunk=5)
    assert rated.dtype == np.float32
    np.testing.assert_allclose(rated, expected, atol=2e-5)
    assert np.ptp(rated, axis=1).min() > 0.1
    items, scores = vlm.beam_search(backbone, asked, trie, pictures, beams=9)
    assert items.dtype == np.int32 and scores.dtype == np.float32
    assert [set(row) for row in items.tolist()] == [set(row[:9]) for row in best(rated).tolist()]
    np.testing.assert_allclose(scores, np.take_along_axis(rated, items - 1, 1), atol=2e-5)


def best(rated):
    return np.argsort(-rated, axis=1, kind="stable") + 1


def test_sums_are_exact_in_double_precision(fresh):
    """Only the logits are rounded, to float32."""
    backbone = fresh("qwen2.5", trained="none").double()
    table = toy(20)
    expected = [[full_pass(backbone, one, row) for row in table] for one in ASKED]
    rated = vlm.exact_scores(backbone, ASKED, vlm.Trie(table))
    np.testing.assert_allclose(rated, expected, atol=3e-6)


def test_beams_as_wide_as_the_trie_find_the_best_of_all(shared):
    backbone, trie = shared("smollm2"), vlm.Trie(toy())
    widest = max(trie.widths[:-1])
    assert widest < trie.n_items
    rated = vlm.exact_scores(backbone, ASKED, trie)
    items, scores = vlm.beam_search(backbone, ASKED, trie, beams=widest, k=20)
    assert (items == best(rated)[:, :20]).all()
    np.testing.assert_allclose(scores, -np.sort(-rated, axis=1)[:, :20], atol=2e-5)
    narrow, _ = vlm.beam_search(backbone, ASKED, trie, beams=20)
    assert (narrow != items).any()  # so the width is what did it


@cache
def logits_after(backbone, prompt, beginning):
    return torch.log_softmax(
        read_anew(backbone, backbone.encode(ASKED[prompt]), list(beginning), None).double(), 0
    ).tolist()


def search_in_lists(backbone, prompt, table, beams, excluded):
    """(item, score) of a beam search, in Python alone."""
    rows = {i + 1: tuple(row) for i, row in enumerate(table.tolist()) if i + 1 not in excluded}
    lowest = {}
    for item, row in enumerate(map(tuple, table.tolist()), start=1):
        for length in range(1, len(row) + 1):
            lowest.setdefault(row[:length], item)
    found = {(): 0.0}
    for _ in range(table.shape[1]):
        longer = {}
        for row in rows.values():
            for beginning, score in found.items():
                if row[: len(beginning)] == beginning:
                    token = row[len(beginning)]
                    gained = logits_after(backbone, prompt, beginning)[token]
                    longer[(*beginning, token)] = score + gained
        ranked = sorted(longer, key=lambda one: (-longer[one], lowest[one]))
        found = {one: longer[one] for one in ranked[:beams]}
    return sorted(
        ((item, found[row]) for item, row in rows.items() if row in found),
        key=lambda pair: (-pair[1], pair[0]),
    )


@settings(deadline=None, max_examples=60)
@given(tables(), st.integers(1, 8), st.data())
def test_any_trie_is_searched_as_in_lists(shared, table, beams, data):
    backbone, table = shared("smollm2"), table + TOKEN
    few = st.lists(st.integers(0, len(table)), min_size=5, max_size=5)
    excluded = data.draw(st.lists(few, min_size=2, max_size=2))
    trie = vlm.Trie(table)
    items, scores = vlm.beam_search(backbone, ASKED[:2], trie, beams=beams, excluded=excluded)
    assert items.shape == (2, beams * trie.largest_group)
    rated = vlm.exact_scores(backbone, ASKED[:2], trie)
    for prompt, row in enumerate(excluded):
        expected = search_in_lists(backbone, prompt, table, beams, row)
        count = len(expected)
        assert items[prompt, :count].tolist() == [item for item, _ in expected]
        np.testing.assert_allclose(scores[prompt, :count], [s for _, s in expected], atol=2e-5)
        assert not items[prompt, count:].any() and np.isneginf(scores[prompt, count:]).all()
        answered = items[prompt, :count] - 1
        np.testing.assert_allclose(rated[prompt, answered], scores[prompt, :count], atol=2e-5)


def transformers_beams(backbone, asked, sequences, beams):
    """Items and scores, [b, beams] each, of transformers' constrained beams."""
    batch, trie = backbone.batch([backbone.encode(prompt) for prompt in asked]), vlm.Trie(sequences)
    width = batch.ids.shape[1]
    found = backbone.model.generate(
        input_ids=batch.ids,
        attention_mask=batch.attended,
        num_beams=beams,
        num_return_sequences=beams,
        max_new_tokens=trie.levels,
        do_sample=False,
        length_penalty=0.0,
        pad_token_id=backbone.pad,
        prefix_allowed_tokens_fn=lambda _, ids: trie.following(ids[width:].tolist()),
        return_dict_in_generate=True,
        output_scores=True,
    )
    number = {tuple(row): item for item, row in enumerate(sequences.tolist(), start=1)}
    items = [number[tuple(row)] for row in found.sequences[:, width:].tolist()]
    shape = len(asked), beams
    return np.reshape(items, shape), found.sequences_scores.reshape(shape).numpy()


@pytest.mark.parametrize("codes", [6, 12])
@pytest.mark.parametrize("name", READING)
def test_transformers_finds_the_same(name, codes, shared):
    """With levels narrower than there are beams, and wider ones."""
    backbone, table = shared(name), toy(codes=codes)
    items, scores = vlm.beam_search(backbone, ASKED, vlm.Trie(table), beams=10)
    theirs = transformers_beams(backbone, ASKED, table, 10)
    assert (items == theirs[0]).all()
    np.testing.assert_allclose(scores, theirs[1], atol=2e-5)


def test_all_that_is_answered_exists_once_and_none_of_it_is_excluded(shared):
    backbone, trie = shared("qwen2.5-vl"), vlm.Trie(toy())
    free, scores = vlm.beam_search(backbone, ASKED, trie, beams=30)
    assert free.min() >= 1 and free.max() <= 200
    assert all(len(set(row)) == 30 for row in free.tolist())
    assert (np.diff(scores, axis=1) <= 0).all()
    excluded = np.concatenate([np.zeros((3, 2), int), free[:, :10]], axis=1)
    items, _ = vlm.beam_search(backbone, ASKED, trie, beams=30, excluded=excluded)
    assert items.min() >= 1  # what is excluded took no beam
    for row, out, before in zip(items, excluded, free, strict=True):
        assert not set(row) & set(out)
        assert set(before) - set(out) <= set(row)


def test_neither_company_nor_the_batch_matters(shared, store):
    backbone, trie = shared("smolvlm"), vlm.Trie(toy())
    pictures = vlm.Pictures(backbone, store)
    asked = prompts(pictures, (1,), (2, 3), (4,), (5, 6, 1), (3,))
    excluded = np.arange(1, 11).reshape(5, 2)
    options = {"beams": 12, "k": 8}
    items, scores = vlm.beam_search(
        backbone, asked, trie, pictures, excluded=excluded, batch_size=4, **options
    )
    rated = vlm.exact_scores(backbone, asked, trie, pictures, batch_size=5)
    for number, prompt in enumerate(asked):
        own = excluded[number : number + 1]
        alone = vlm.beam_search(backbone, [prompt], trie, pictures, excluded=own, **options)
        assert (alone[0][0] == items[number]).all()
        assert np.abs(alone[1][0] - scores[number]).max() < NEAR
        one = vlm.exact_scores(backbone, [prompt], trie, pictures, chunk=33)
        assert np.abs(one[0] - rated[number]).max() < NEAR


def test_level_items_stand_by_number(fresh):
    backbone = fresh("smollm2", trained="none")
    backbone.model.get_input_embeddings().weight.data.zero_()  # the head's, too
    trie = vlm.Trie(toy())
    items, scores = vlm.beam_search(backbone, ASKED, trie, beams=20)
    assert (items == np.arange(1, 21)).all()
    assert len(set(scores.ravel())) == 1
    rest, _ = vlm.beam_search(backbone, ASKED[:1], trie, beams=64, k=5, excluded=[[1, 3]])
    assert rest.tolist() == [[2, 4, 5, 6, 7]]


def test_items_of_one_sequence_are_level_and_all_there(shared):
    backbone = shared("smollm2")
    table = toy(10)[[0, 1, 2, 1, 3, 1, 4, 0]]
    trie = vlm.Trie(table)
    rated = vlm.exact_scores(backbone, ASKED, trie)
    assert (rated[:, 1] == rated[:, 3]).all() and (rated[:, 3] == rated[:, 5]).all()
    items, scores = vlm.beam_search(backbone, ASKED, trie, beams=5)
    assert items.shape == (3, 15)
    for row, of in zip(items, scores, strict=True):
        assert sorted(row[:8]) == list(range(1, 9)) and not row[8:].any()
        at = row.tolist().index(2)
        assert row[at : at + 3].tolist() == [2, 4, 6] and len(set(of[at : at + 3])) == 1
    some, _ = vlm.beam_search(backbone, ASKED[:1], trie, beams=5, excluded=[[4, 1, 8]])
    assert sorted(some[0]) == [0] * 10 + [2, 3, 5, 6, 7]
    cut, _ = vlm.beam_search(backbone, ASKED, trie, beams=5, k=4)
    assert (cut == items[:, :4]).all()


def test_where_little_is_left_the_rest_is_empty(shared):
    excluded = np.zeros((3, 200), int)
    excluded[0] = np.arange(1, 201)
    excluded[1, :197] = np.arange(4, 201)
    trie = vlm.Trie(toy())
    items, scores = vlm.beam_search(shared("smollm2"), ASKED, trie, beams=6, excluded=excluded)
    assert not items[0].any() and np.isneginf(scores[0]).all()
    assert sorted(items[1]) == [0, 0, 0, 1, 2, 3]
    assert np.isneginf(scores[1]).tolist() == [False] * 3 + [True] * 3
    assert items[2].all()
    none = np.tile(excluded[0], (3, 1))
    items, _ = vlm.beam_search(shared("smollm2"), ASKED, trie, beams=6, excluded=none)
    assert not items.any()


def test_a_token_without_a_sibling_is_not_free(shared):
    backbone = shared("qwen2.5")
    _, scores = vlm.beam_search(backbone, ASKED[:1], vlm.Trie(toy(1)), beams=1)
    assert scores[0, 0] == pytest.approx(full_pass(backbone, ASKED[0], toy(1)[0]), abs=2e-5)
    assert scores[0, 0] < -3


def test_an_end_token_is_part_of_the_sum(shared):
    backbone, table = shared("qwen2.5"), toy(5)
    trie = vlm.Trie(table, end=backbone.end)
    expected = [full_pass(backbone, ASKED[1], [*row, backbone.end]) for row in table]
    rated = vlm.exact_scores(backbone, ASKED[1:2], trie)
    np.testing.assert_allclose(rated[0], expected, atol=2e-5)
    items, scores = vlm.beam_search(backbone, ASKED[1:2], trie, beams=5)
    np.testing.assert_allclose(scores[0], rated[0, items[0] - 1], atol=2e-5)


def test_chosen_candidates_score_as_among_all(shared):
    backbone, trie = shared("qwen2.5"), vlm.Trie(toy())
    rated = vlm.exact_scores(backbone, ASKED, trie)
    few = np.random.default_rng(1).integers(1, 201, (3, 17))
    few[0, :2] = 5  # twice
    found = vlm.exact_scores(backbone, ASKED, trie, candidates=few, chunk=6)
    assert np.abs(found - np.take_along_axis(rated, few - 1, 1)).max() < NEAR
    assert found[0, 0] == pytest.approx(found[0, 1], abs=NEAR)
    empty = vlm.exact_scores(backbone, ASKED, trie, candidates=np.zeros((3, 0), int))
    assert empty.shape == (3, 0)


def test_bfloat16_is_near(run):
    config = vlm.BackboneConfig("tiny:smollm2", trained="none")
    half = vlm.BackboneConfig("tiny:smollm2", trained="none", precision="bfloat16")
    rated = [
        vlm.exact_scores(vlm.load_backbone(one, run, TITLES), ASKED, vlm.Trie(toy(30)))
        for one in (config, half)
    ]
    assert 0 < np.abs(rated[0] - rated[1]).max() < 0.2


def test_a_backbone_in_training_is_still_meanwhile(run):
    config = vlm.BackboneConfig("tiny:smollm2", lora_dropout=0.5)
    backbone = vlm.load_backbone(config, run, TITLES).train()
    with torch.no_grad():
        for name, weight in backbone.named_parameters():
            if ".lora_B." in name:
                weight.normal_(std=0.1)
    found = [vlm.exact_scores(backbone, ASKED, vlm.Trie(toy(30))) for _ in range(2)]
    assert (found[0] == found[1]).all()
    assert backbone.training


def test_progress_is_told(shared):
    seen = []
    vlm.beam_search(
        shared("qwen2.5"),
        ASKED,
        vlm.Trie(toy(30)),
        beams=2,
        batch_size=2,
        progress=lambda *told: seen.append(told),
    )
    assert seen == [(2, 3, "prompts"), (3, 3, "prompts")]


def test_what_cannot_be_asked_is_said(shared, fresh):
    backbone, trie = shared("qwen2.5"), vlm.Trie(toy(30))
    with pytest.raises(ValueError, match="19 beams do not find the best 20"):
        vlm.beam_search(backbone, ASKED, trie, beams=19, k=20)
    with pytest.raises(ValueError, match="0 beams"):
        vlm.beam_search(backbone, ASKED, trie, beams=0)
    with pytest.raises(ValueError, match=r"excluded has shape \(2, 1\); a row for each of 3"):
        vlm.beam_search(backbone, ASKED, trie, beams=5, excluded=[[1], [2]])
    with pytest.raises(ValueError, match=r"candidates have shape \(1, 1\); a row for each of 3"):
        vlm.exact_scores(backbone, ASKED, trie, candidates=[[1]])
    with pytest.raises(IndexError, match="0 is no item"):
        vlm.exact_scores(backbone, ASKED, trie, candidates=[[1], [2], [0]])
    answered = [ASKED[0], vlm.Prompt(["a"], answer=["b"])]
    for ask in (
        lambda: vlm.beam_search(backbone, answered, trie, beams=5),
        lambda: vlm.exact_scores(backbone, answered, trie),
    ):
        with pytest.raises(ValueError, match="prompt 1 has an answer already"):
            ask()
    broken = fresh("qwen2.5", trained="none")
    broken.model.get_input_embeddings().weight.data[TOKEN] = torch.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        vlm.beam_search(broken, ASKED, trie, beams=5)
