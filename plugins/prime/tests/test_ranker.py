"""The ranker's loss, its rates, and prompts that share their beginning."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_prime.prompts import LABEL
from mmbench_prime.ranker import Objective, Ranker, Task, before_label, said_tokens
from mmbench_prime.shared import part_of, read_shared, shared_length

HISTORY = (1, 2, 12)
TASKS = [Task(HISTORY, (3, 4, 5, 6)), Task(HISTORY, (7, 4, 12, 2)), Task((5,), (6, 1, 2, 3))]
FAMILIES = ["qwen2-vl", "llava", "smolvlm", "paligemma2", "smollm2"]


@pytest.fixture
def ranker(items, make_run, small):
    """``ranker(family, **changes)``: an untrained one."""

    def make(family="qwen2-vl", **changes):
        changes = {"backbone": f"tiny:{family}", "image_size": 56, **changes}
        if family == "smollm2":
            changes["attributes"] = ("title", "categories")
        torch.manual_seed(0)
        return Ranker(small(**changes), items, make_run())

    return make


def text_of(ranker, encoded):
    return ranker.backbone.tokenizer.decode(encoded.ids)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chat", [True, False], ids=["chat", "plain"])
def test_a_prompt_ends_where_the_label_comes(ranker, family, chat):
    made = ranker(family, chat=chat)
    whole, asked = made.encode(TASKS[0], 5), made.encode(TASKS[0])
    stop = len(asked)
    assert whole.ids[stop] == made.tokens[2]
    assert np.array_equal(whole.ids[:stop], asked.ids)
    assert np.array_equal(whole.positions[..., :stop], asked.positions)
    assert whole.spans[LABEL].sum() == 1 and whole.spans[LABEL][stop]
    assert len(before_label(made.encode(TASKS[0], 3))) == stop  # whichever the answer is


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_cross_entropy_of_label_and_end_alone(ranker, family):
    made = ranker(family, trained="none")
    whole = [made.encode(task, task.candidates[n]) for n, task in enumerate(TASKS)]
    batch = made.backbone.batch(whole, made.pictures)
    with torch.no_grad():
        loss = float(Objective(made.backbone)(batch))
        logits = made.backbone.logits(made.backbone(batch)).double().numpy()
    said = said_tokens(batch, made.backbone.end).numpy()
    assert (said.sum(axis=1) == 2).all()
    wanted = []
    for row, column in np.argwhere(said):
        scores = logits[row, column - 1]
        mass = np.log(np.exp(scores - scores.max()).sum()) + scores.max()
        wanted.append(mass - scores[batch.ids[row, column]])
    assert loss == pytest.approx(np.mean(wanted), rel=1e-5)
    labels = {int(batch.ids[row, column]) for row, column in np.argwhere(said)}
    assert labels == {made.tokens[0], made.tokens[1], made.tokens[2], made.backbone.end}


@pytest.mark.parametrize("family", FAMILIES)
def test_rates_are_those_of_each_prompt_alone(ranker, family):
    made = ranker(family)
    found = made.rank(TASKS)
    for task, rates in zip(TASKS, found, strict=True):
        batch = made.backbone.batch([made.encode(task)], made.pictures, still=True)
        with torch.no_grad():
            logits = made.backbone.logits(made.backbone(batch)[:, -1])[0].double().numpy()
        mass = np.exp(logits[made.tokens[:4]])
        np.testing.assert_allclose(rates, np.log(mass / mass.sum()), atol=2e-5)
    (alone,) = made.rank(TASKS[1:2])
    np.testing.assert_allclose(alone, found[1], atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_of_one_history_are_read_from_where_they_part(ranker, family, monkeypatch):
    made = ranker(family)
    group = [made.encode(task) for task in TASKS[:2]]
    assert made.pictures.__contains__(3) == (family != "smollm2")
    with torch.no_grad():
        batch = made.backbone.batch(group, made.pictures, still=True)
        whole = made.backbone(batch)[:, -1]
        lengths = []
        run = made.backbone.run_language

        def watched(batch, **options):
            lengths.append(batch.ids.shape[1])
            return run(batch, **options)

        monkeypatch.setattr(made.backbone, "run_language", watched)
        shared = read_shared(made.backbone, [group, group[:1]], made.pictures)
    torch.testing.assert_close(shared[:2], whole, atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(shared[2], whole[0], atol=2e-4, rtol=2e-4)
    if family != "paligemma2":  # its question is read in both directions
        assert len(lengths) == 2 and lengths[1] < max(map(len, group))


def test_what_is_shared_ends_before_the_first_other_token_or_picture(ranker):
    made = ranker(max_history=3)
    one, other = (made.encode(task) for task in TASKS[:2])
    length = shared_length([one, other])
    assert np.array_equal(one.ids[:length], other.ids[:length])
    shown = part_of(one, 0, length).images
    assert shown == (1, 2)  # item 12 has none; the first candidates' pictures differ
    assert part_of(one, length, len(one)).images == (3, 4, 5, 6)
    text = text_of(made, part_of(one, 0, length))
    assert "Candidate items:\n(A) {" in text and "cedar" in text and "ebony" not in text
    assert shared_length([one, one]) == len(one) - 1


def test_titles_alone_part_within_the_first_candidate(ranker):
    made = ranker(attributes=("title",))
    one, other = (made.encode(task) for task in TASKS[:2])
    assert text_of(made, part_of(one, 0, shared_length([one, other]))).endswith('"title": "')


def test_the_oldest_events_of_a_long_prompt_are_left_out(ranker):
    whole = ranker(max_history=3)
    task = Task((1, 2, 3), (4, 5, 6, 7))
    length = len(whole.encode(task, 4))
    cut = ranker(max_history=3, max_tokens=length - 1)
    assert len(cut.encode(task, 4)) < length
    text = text_of(cut, cut.encode(task, 4))
    assert "amber birch" not in text and "cedar" in text and "ebony" in text
    nothing = ranker(max_history=3, max_tokens=1)
    assert "cedar" not in text_of(nothing, nothing.encode(task, 4))


def test_more_candidates_than_letters_are_ranked(ranker, items):
    made = ranker(topk=40)
    # of twelve items, some twice: labels are what is tested
    candidates = tuple(1 + n % 12 for n in range(40))
    (rates,) = made.rank([Task((1,), candidates)])
    assert rates.shape == (40,) and np.isclose(np.exp(rates).sum(), 1, atol=1e-4)
    assert f"({made.labels[39]}) " in text_of(made, made.encode(Task((1,), candidates)))


def test_pictures_are_refused_where_the_backbone_only_reads(items, make_run, small):
    with pytest.raises(ValueError, match="sees no pictures: leave image out of attributes"):
        Ranker(small(backbone="tiny:smollm2"), items, make_run())


def test_item_tokens_tell_a_prompt_s_length(ranker):
    made = ranker()
    tokens = made.item_tokens()
    one, two = (len(made.encode(Task(history, (3, 4, 5, 6)))) for history in ((), (1, 2)))
    assert two - one == pytest.approx(tokens[1] + tokens[2], abs=4)


def test_another_catalogue_is_read_with_the_same_weights(ranker, items):
    made = ranker()
    before = made.rank(TASKS[:1])[0]
    titles = ("", *items.fields["title"][:0:-1])
    made.open(replace(items, fields={**items.fields, "title": titles}))
    assert not np.allclose(made.rank(TASKS[:1])[0], before, atol=1e-4)
