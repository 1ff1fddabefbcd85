"""A checkpoint's weights, found or fetched, and what else a machine lacks for a backbone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mmbench.vlm.config import BackboneConfig

HUB = "hub"  # the folder in the cache, laid out as Hugging Face does
WEIGHTS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
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
    if not config.family and find_weights(config, cache) is None:
        found.append(say_no_weights(config, cache))
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
    """Download a checkpoint's weights, tokenizer and configs; the only place that uses the network.

    Nothing to do for miniatures, local folders and what is there. Raises RuntimeError where it
    cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    if config.family or find_weights(config, cache) is not None:
        return
    try:
        snapshot_download(
            config.backbone,
            revision=config.revision or None,
            cache_dir=cache / HUB,
            allow_patterns=list(WEIGHTS),
        )
    except (OSError, HfHubHTTPError) as error:
        raise RuntimeError(f"{say_no_weights(config, cache)} ({error})") from error


def say_no_weights(config: BackboneConfig, cache: Path) -> str:
    """That a checkpoint is not here, and how to get it."""
    asked = [config.backbone, *(["--revision", config.revision] if config.revision else [])]
    return (
        f"no weights of {' '.join(asked)} in {cache / HUB}, nor in Hugging Face's own cache: on a "
        f"machine with network run `hf download {' '.join(asked)} --cache-dir {cache / HUB}`, or "
        "take the preset tiny"
    )


def find_weights(config: BackboneConfig, cache: Path) -> Path | None:
    """The folder of a checkpoint on this machine, or nothing; never uses the network."""
    folder = Path(config.backbone)
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for home in (cache / HUB, None):
        try:
            found = snapshot_download(
                config.backbone,
                revision=config.revision or None,
                cache_dir=home,
                local_files_only=True,
            )
        except (LocalEntryNotFoundError, HFValidationError):
            continue
        if any(Path(found).glob("*.safetensors")):
            return Path(found)
    return None
