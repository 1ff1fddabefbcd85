"""The losses against slow float64 references written from the equations."""

import math

import numpy as np
import pytest
import torch
from mmbench_pixrec.losses import IGNORED, info_nce, learned_states, mix, next_item_labels
from transformers import LlamaConfig, LlamaForCausalLM

END = 9
IDS = torch.tensor([[0, 0, 5, 6, 7, 8, 3, 3, 1], [4, 5, 6, 7, 8, 7, 6, 5, 1]])
# The first target has two tokens of text, then two of a picture, then the closing; the second,
# four of text and the closing.
TEXT = torch.tensor([[0, 0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1, 0]]).bool()
ANSWER = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1]]).bool()


def test_labels_are_the_text_and_its_end():
    found = next_item_labels(IDS, TEXT, ANSWER, END)
    no = IGNORED
    assert found.tolist() == [
        [no, no, no, no, 7, 8, END, no, no],
        [no, no, no, 7, 8, 7, 6, 5, END],  # with the token that leads to the answer
    ]


def test_a_token_is_said_by_the_state_before_it():
    labels = next_item_labels(IDS, TEXT, ANSWER, END)
    places = torch.arange(18.0).view(2, 9, 1)
    states, tokens = learned_states(places, labels)
    assert states[:, 0].tolist() == [3, 4, 5, 11, 12, 13, 14, 15, 16]
    assert tokens.tolist() == [7, 8, END, 7, 8, 7, 6, 5, END]
    states, again = learned_states(places, labels, shift=False)
    assert states[:, 0].tolist() == [4, 5, 6, 12, 13, 14, 15, 16, 17]
    assert torch.equal(tokens, again)


def test_the_loss_is_the_librarys_own():
    torch.manual_seed(0)
    sizes = {"vocab_size": 12, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2)).eval()
    ids = IDS[1:]
    labels = next_item_labels(ids, TEXT[1:], ANSWER[1:], end=1)
    with torch.no_grad():
        wanted = model(input_ids=ids, labels=labels).loss
        hidden = model.model(input_ids=ids).last_hidden_state
        losses = [
            torch.nn.functional.cross_entropy(model.lm_head(states), tokens)
            for states, tokens in (learned_states(hidden, labels, shift) for shift in (True, False))
        ]
    assert float(losses[0]) == pytest.approx(float(wanted), abs=1e-5)
    assert abs(float(losses[1]) - float(wanted)) > 1e-3


def reference(given, target, temperature):
    """Equation 2 by loops: for each target i, the sum runs over the given vectors j."""

    def cosine(u, v):
        return float(u @ v) / math.sqrt(float(u @ u) * float(v @ v))

    total = 0.0
    for i in range(len(target)):
        over = [math.exp(cosine(given[j], target[i]) / temperature) for j in range(len(given))]
        total -= math.log(over[i] / sum(over))
    return total / len(target)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("temperature", [0.5, 0.07])
def test_contrast_is_that_of_the_paper(count, temperature):
    rng = np.random.default_rng(count)
    given, target = rng.normal(size=(2, count, 6))
    tensors = torch.from_numpy(given), torch.from_numpy(target)
    paper, code = reference(given, target, temperature), reference(target, given, temperature)
    assert float(info_nce(*tensors, temperature)) == pytest.approx(paper, abs=1e-12)
    assert float(info_nce(*tensors, temperature, "code")) == pytest.approx(code, abs=1e-12)
    both = (paper + code) / 2
    assert float(info_nce(*tensors, temperature, "both")) == pytest.approx(both, abs=1e-12)
    assert abs(paper - code) > 1e-3


def test_contrast_by_hand():
    """Both targets point the same way, and so does the first given vector alone."""
    given = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    target = torch.tensor([[1.0, 0.0], [5.0, 0.0]])
    e = math.e
    assert float(info_nce(given, target, 1.0)) == pytest.approx(
        -(math.log(e / (e + 1)) + math.log(1 / (e + 1))) / 2
    )
    assert float(info_nce(given, target, 1.0, "code")) == pytest.approx(math.log(2))


def test_one_pair_is_refused():
    with pytest.raises(ValueError, match="batch_size of 2"):
        info_nce(torch.ones(1, 3), torch.ones(1, 3), 0.5)


def test_mix_is_equation_four():
    losses = [torch.tensor(value) for value in (2.0, 3.0, 5.0)]
    assert float(mix(*losses, alpha=0.125, beta=-0.025)) == pytest.approx(
        0.9 * 2 + 0.125 * 3 - 0.025 * 5
    )
