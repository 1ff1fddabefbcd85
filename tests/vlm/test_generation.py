"""Answers: the model's own distribution, a stream of chance for each prompt."""

import numpy as np
import pytest
import torch

from mmbench import vlm
from mmbench.vlm import generation

from .conftest import FAMILIES, shown


def prompts(pictures, *histories):
    return [vlm.Prompt(shown(pictures, *history)) for history in histories]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_cache_gives_what_reading_anew_gives(name, shared, store):
    """Greedy answers, and their log-probabilities, against a loop without any cache."""
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    asked = prompts(pictures, (1,), (2, 3, 1))
    found = vlm.generate(
        backbone, asked, pictures, seeds=[0, 0], samples=2, new_tokens=5, temperature=0
    )
    for prompt, answers in zip(asked, found, strict=True):
        assert answers[0] == answers[1]
        encoded = backbone.encode(prompt)
        ids, logp = [], 0.0
        for _ in range(5):
            logits = read_anew(backbone, encoded, ids, pictures)
            token = int(logits.argmax())
            logp += float(torch.log_softmax(logits, 0)[token])
            if token == backbone.end:
                break
            ids.append(token)
        assert list(answers[0].ids) == ids
        assert answers[0].logp == pytest.approx(logp, abs=1e-4)
        assert answers[0].text == backbone.tokenizer.decode(ids, skip_special_tokens=True)


def read_anew(backbone, encoded, ids, pictures):
    """The logits after a prompt and some tokens, all read in one pass."""
    new = np.array(ids, dtype=np.int64)
    following = encoded.positions.max() + 1 + np.arange(len(new))
    positions = np.broadcast_to(following, (*encoded.positions.shape[:-1], len(new)))
    longer = vlm.Encoded(
        ids=np.concatenate([encoded.ids, new]),
        positions=np.concatenate([encoded.positions, positions], axis=-1),
        images=encoded.images,
        answer=np.concatenate([encoded.answer, np.ones(len(new), dtype=bool)]),
        pictured=np.concatenate([encoded.pictured, np.zeros(len(new), dtype=bool)]),
    )
    with torch.no_grad():
        states = backbone(backbone.batch([longer], pictures))
        return backbone.logits(states[0, -1])


def test_a_seed_gives_an_answer_whatever_the_company(shared, store):
    backbone = shared("smolvlm")
    pictures = vlm.Pictures(backbone, store)
    asked = prompts(pictures, (1,), (2, 3), (4,), (5, 6, 1))
    options = {"samples": 3, "new_tokens": 6, "temperature": 0.8}
    together = vlm.generate(backbone, asked, pictures, seeds=[5, 6, 7, 8], **options)
    for number, prompt in enumerate(asked):
        alone = vlm.generate(backbone, [prompt], pictures, seeds=[5 + number], **options)[0]
        assert [answer.ids for answer in alone] == [answer.ids for answer in together[number]]
    assert len({answer.ids for answers in together for answer in answers}) > 6
    other = vlm.generate(backbone, asked[:1], pictures, seeds=[9], **options)[0]
    assert [answer.ids for answer in other] != [answer.ids for answer in together[0]]


def test_draws_follow_the_models_distribution(shared):
    backbone = shared("smollm2")
    prompt = vlm.Prompt(["a"])
    allowed = [70, 71, 72, 73]
    temperature = 0.05  # a tiny model's logits are near one another
    found = vlm.generate(
        backbone,
        [prompt],
        seeds=[0],
        samples=4000,
        new_tokens=1,
        temperature=temperature,
        allowed=lambda number, answer: allowed,
    )[0]
    with torch.no_grad():
        states = backbone(backbone.batch([backbone.encode(prompt)]))
        logits = backbone.logits(states[0, -1])
    expected = torch.softmax(logits[allowed].double() / temperature, 0).numpy()
    assert expected.max() - expected.min() > 0.1
    counts = np.array([sum(answer.ids == (token,) for answer in found) for token in allowed])
    assert counts.sum() == 4000
    assert np.abs(counts / 4000 - expected).max() < 0.03
    # the model's own log-probability: neither temperature nor constraint
    whole = torch.log_softmax(logits, 0)
    assert found[0].logp == pytest.approx(float(whole[found[0].ids[0]]), abs=1e-4)


def test_constraints_and_ends(shared):
    backbone = shared("qwen2.5")
    trie = {(): [80, 81], (80,): [90], (81,): [91, 92]}
    seen = []

    def follow(number, answer):
        seen.append(number)
        return trie.get(tuple(answer), [backbone.end])

    found = vlm.generate(
        backbone,
        [vlm.Prompt(["a"]), vlm.Prompt(["a longer one"])],
        seeds=[1, 2],
        samples=6,
        allowed=follow,
        new_tokens=9,
    )
    answers = {answer.ids for one in found for answer in one}
    assert answers <= {(80, 90), (81, 91), (81, 92)} and len(answers) > 1
    assert all(answer.ended for one in found for answer in one)
    assert set(seen) == {0, 1}
    cut = vlm.generate(
        backbone, [vlm.Prompt(["a"])], seeds=[1], allowed=lambda number, ids: [80], new_tokens=3
    )[0][0]
    assert cut.ids == (80, 80, 80) and not cut.ended
    with pytest.raises(ValueError, match=r"nothing is allowed to follow \[\] in prompt 0"):
        vlm.generate(backbone, [vlm.Prompt(["a"])], seeds=[1], allowed=lambda number, ids: [])


def test_repetition_is_punished_as_transformers_does(shared):
    from transformers import RepetitionPenaltyLogitsProcessor

    backbone = shared("smollm2")
    prompt = backbone.encode(vlm.Prompt(["Red Lipstick"]))
    stock = RepetitionPenaltyLogitsProcessor(5.0)
    ids = []
    for _ in range(6):
        logits = read_anew(backbone, prompt, ids, None)[None]
        context = torch.tensor([[*prompt.ids, *ids]])
        ids.append(int(stock(context, logits).argmax()))
    longer = vlm.Prompt(["a much longer one beside it, for padding"])
    (found,), _ = vlm.generate(
        backbone,
        [vlm.Prompt(["Red Lipstick"]), longer],
        seeds=[0, 0],
        temperature=0,
        repetition_penalty=5.0,
        new_tokens=6,
    )
    assert list(found.ids) == [token for token in ids if token != backbone.end][: len(found.ids)]
    assert len(found.ids) >= 3
    (free,) = vlm.generate(
        backbone, [vlm.Prompt(["Red Lipstick"])], seeds=[0], temperature=0, new_tokens=6
    )[0]
    assert free.ids != found.ids


def test_a_prompt_with_an_answer_is_refused(shared):
    with pytest.raises(ValueError, match="prompt 1 has an answer already"):
        vlm.generate(
            shared("qwen2.5"), [vlm.Prompt(["a"]), vlm.Prompt(["a"], answer=["b"])], seeds=[1, 2]
        )


def test_a_prompt_is_read_once(shared, monkeypatch):
    backbone = shared("qwen2.5")
    sizes = []
    run_language = vlm.Backbone.run_language

    def counting(self, batch, **options):
        sizes.append(tuple(batch.ids.shape))
        return run_language(self, batch, **options)

    monkeypatch.setattr(vlm.Backbone, "run_language", counting)
    vlm.generate(backbone, [vlm.Prompt(["a"])], seeds=[1], samples=4, new_tokens=3)
    assert sizes[0][0] == 1 and sizes[0][1] > 3
    assert set(sizes[1:]) == {(4, 1)}


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_that_have_ended_leave_the_batch(name, shared, store, monkeypatch):
    """Neither tokens nor log-probabilities of the others change, and fewer rows are computed."""
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    asked = prompts(pictures, (1,), (2, 3, 1), (4,))
    letters = backbone.encode_text("abcdefgh")

    def allowed(number, answer):
        return letters if len(answer) < 2 * number + 1 else [backbone.end]

    rows = []
    handle = backbone.model.get_input_embeddings().register_forward_hook(
        lambda module, given, found: rows.append(len(found))
    )
    answers = []
    for share in (generation.LEAVE, 2.0):  # the second never lets one go
        monkeypatch.setattr(generation, "LEAVE", share)
        rows.clear()
        answers.append(
            vlm.generate(
                backbone,
                asked,
                pictures,
                seeds=[1, 2, 3],
                samples=2,
                new_tokens=8,
                repetition_penalty=1.3,
                allowed=allowed,
            )
        )
        assert rows == ([3, 6, 4, 4, 2, 2] if share < 1 else [3, 6, 6, 6, 6, 6])
    handle.remove()
    for ours, theirs in zip(*answers, strict=True):
        assert [one.ids for one in ours] == [one.ids for one in theirs]
        assert all(one.ended for one in ours)
        assert [one.logp for one in ours] == pytest.approx([one.logp for one in theirs], abs=1e-4)
