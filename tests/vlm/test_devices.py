"""Nothing that a model computes mixes devices, as told by tensors without data: no GPU is needed.

On the device ``meta`` every operation runs, and nobody computes; torch does not mind there if a
tensor of the CPU is among the arguments, as a GPU would. So this looks at each operation.
"""

import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmbench import vlm

EXAMPLE = Path(__file__).parents[2] / "examples" / "one_word.py"
_spec = importlib.util.spec_from_file_location("one_word", EXAMPLE)
one_word = sys.modules["one_word"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(one_word)
MOVES = {"_to_copy", "copy_", "index", "index_put_", "_index_put_impl_"}  # may read from the CPU


class OneDevice(TorchDispatchMode):
    """Raises where an operation takes tensors of ``meta`` and of the CPU together.

    A tensor of one number is taken along by a GPU, and so here.
    """

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        devices = {one.device.type for one in given if one.dim()}
        if len(devices) > 1 and function._schema.name.removeprefix("aten::") not in MOVES:
            raise AssertionError(f"{function} takes tensors of {sorted(devices)}")
        return function(*args, **(kwargs or {}))


@pytest.fixture
def plugin(run, store):
    """``plugin(family)``: OneWord with a backbone that reads titles and sees pictures."""

    def make(family):
        model = one_word.OneWord(
            one_word.Config(backbone=f"tiny:{family}", trained="all", image_size=56, chat=False)
        )
        model.titles = ["", *(f"thing {item}" for item in range(1, 8))]
        model.backbone = vlm.load_backbone(model.config, run, model.titles)
        model.pictures = vlm.Pictures(model.backbone, store)
        return model

    return make


def test_a_loss_and_its_gradients_are_of_one_device(plugin, monkeypatch):
    monkeypatch.setattr(vlm.Backbone, "autocast", lambda self: nullcontext())  # meta has none
    model = plugin("paligemma2")  # transformers' code of other families looks at the data
    loss = one_word.Contrast(model.backbone, 0.1)
    pairs = [(model.encode([1, 2]), model.encode([3])), (model.encode([4]), model.encode([5]))]
    sides = model.collate(pairs, np.random.default_rng(0))
    loss.to("meta")
    assert model.backbone.device.type == "meta"
    with OneDevice():
        value = loss(sides)
        assert value.device.type == "meta"
        value.backward()


def test_a_tensor_that_was_built_without_a_device_would_be_seen():
    scores = torch.zeros(2, 3, device="meta")
    with OneDevice(), pytest.raises(AssertionError, match=r"cpu.*meta"):
        torch.nn.functional.cross_entropy(scores, torch.arange(2))
