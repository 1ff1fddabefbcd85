"""What a machine lacks for a backbone: libraries, weights, a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mmbench.toolkit import weights
from mmbench.vlm.config import BackboneConfig

ALWAYS = ("torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers")


def lacking(config: BackboneConfig, device: str, cache: Path) -> list[str]:
    """What is missing here for this backbone on this device, with how to get it; empty if nothing.

    Args:
        config: the backbone.
        device: in torch's words.
        cache: the folder that ``fetch`` downloads to.
    """
    missing = [name for name in ALWAYS if find_spec(name) is None]
    if missing:
        return [f"{', '.join(missing)} not installed: pip install 'mmbench[vlm]'"]
    found = []
    for source in config.sources:
        try:
            weights.require(source, cache)
        except weights.WeightsError as error:
            found.append(str(error))
    if config.quantization and find_spec("bitsandbytes") is None:
        found.append(
            "bitsandbytes not installed, which 4-bit weights need: pip install bitsandbytes"
        )
    import torch

    on_gpu = torch.device(device).type == "cuda"
    if on_gpu and not torch.cuda.is_available():
        found.append(
            f"torch finds no GPU for device {device!r}: install a torch with CUDA, or set "
            "CUDA_VISIBLE_DEVICES to nothing to run on the CPU"
        )
    if config.attention == "flash_attention_2":
        if find_spec("flash_attn") is None:
            found.append("flash_attn not installed: pip install flash-attn, or set attention=auto")
        if not on_gpu:
            found.append("flash attention runs on a GPU only: set attention=auto")
    return found


def fetch(config: BackboneConfig, cache: Path) -> None:
    """Download or convert a backbone's weights; the only place that uses the network.

    Nothing to do for tiny models, local folders and what is there. Raises RuntimeError where they
    cannot be had.
    """
    for source in config.sources:
        weights.fetch(source, cache)


def sources(*configs: BackboneConfig) -> tuple[str, ...]:
    """The pretrained weights that these load, for ``weights`` of a model's class."""
    return tuple(dict.fromkeys(source for config in configs for source in config.sources))
