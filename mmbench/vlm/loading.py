"""Backbones from their weights: found or built, put in precision and on the device, and adapted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from transformers.utils.import_utils import is_flash_attn_2_available

import mmbench.vlm.assembled  # makes its kind known to transformers
import mmbench.vlm.quiet  # noqa: F401
from mmbench.toolkit import weights
from mmbench.views import Items, Run
from mmbench.vlm.adapters import add_tokens, choose_trained, nf4_config, put_trained
from mmbench.vlm.backbones import ABOUT, TRAINED, Backbone, arithmetic
from mmbench.vlm.config import BackboneConfig
from mmbench.vlm.families import Family, family_of
from mmbench.vlm.needs import lacking
from mmbench.vlm.tiny import build_tiny


def load_backbone(
    config: BackboneConfig,
    run: Run,
    texts: Iterable[str] = (),
    tokens: Sequence[str] = (),
    items: Items | None = None,
) -> Backbone:
    """A backbone on ``run.device``, adapted as the config says. Never uses the network.

    Args:
        config: which, and how. A folder that ``Backbone.save`` wrote brings back its trained
            weights if ``trained`` and the adapters' sizes are as they were saved.
        run: its seed draws a tiny model's weights, new adapters and new tokens' vectors.
        texts: what the tokenizer of a tiny model is trained on; of no use otherwise.
        tokens: entries to add to the vocabulary, such as semantic ids. Their vectors start near
            the mean of the others' and are trained, with ``trained="lora"`` too.
        items: the catalogue on which an ``assembled:`` one is taught to see, unless it was.

    Raises:
        ValueError: the parts of the config do not go together, or an ``assembled:`` one has no
            catalogue, or one of too few pictures.
        RuntimeError: the machine lacks something, such as the weights; says how to get it.
    """
    missing = lacking(config, run.device, run.cache)
    if missing:
        raise RuntimeError("; ".join(missing))
    source, origin, about = _source(config, run, texts, items)
    added = tuple(about.get("tokens", tokens))
    model_config = transformers.AutoConfig.from_pretrained(source, local_files_only=True)
    family = family_of(model_config.model_type)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        model = _load_model(source, config, family, model_config, run.device)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
        if added:
            add_tokens(model, tokenizer, added, config)
        choose_trained(model, family, config, tokenizer, added)
    model.to(run.device)
    trained = Path(config.backbone) / TRAINED
    if about:
        put_trained(model, load_file(trained, device=run.device))
    return Backbone(model, tokenizer, family, config, source, origin, added)


def _source(
    config: BackboneConfig, run: Run, texts: Iterable[str], items: Items | None
) -> tuple[Path, str, dict[str, Any]]:
    """The folder of the weights before adaptation, the ``Backbone.origin`` of these, and what
    ``Backbone.save`` wrote, if it did.
    """
    if config.family:
        run.scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="backbone-", dir=run.scratch))
        build_tiny(config, texts, run.seed, folder)
        return folder, "", {}
    if config.assembled:
        from mmbench.vlm.caption import taught_on  # which builds on this module

        if items is None:
            raise ValueError(
                f"{config.backbone} is taught to see on a catalogue: give load_backbone its items"
            )
        return taught_on(items, config.image_size, run), "", {}
    found = weights.require(config.source, run.cache)
    if not (found / ABOUT).exists():
        return found, weights.lasting(config.source, run.cache), {}
    about = json.loads((found / ABOUT).read_text(encoding="utf-8"))
    if about["base"] is None:
        return found / "base", "", about
    origin = weights.join(about["base"]["backbone"], about["base"].get("revision", ""))
    return weights.require(origin, run.cache), origin, about


def _load_model(
    source: Path, config: BackboneConfig, family: Family, model_config: Any, device: str
) -> Any:
    """The model in its precision, on the CPU or, in 4 bits, on the device."""
    options: dict[str, Any] = {"dtype": weight_type(config, device), "local_files_only": True}
    attention = _attention(config, family, device)
    if attention:
        options["attn_implementation"] = attention
    auto = (
        transformers.AutoModelForCausalLM
        if family.vision is None
        else transformers.AutoModelForImageTextToText
    )
    if config.quantization == "nf4":
        options["quantization_config"] = nf4_config(
            auto, model_config, family, arithmetic(config, device)
        )
        options["device_map"] = {"": device}
    model = auto.from_pretrained(source, **options)
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def weight_type(config: BackboneConfig, device: str) -> torch.dtype:
    """The precision of weights: weights that are trained are float32, bfloat16 stands still."""
    return torch.float32 if config.trained in ("language", "all") else arithmetic(config, device)


def _attention(config: BackboneConfig, family: Family, device: str) -> str:
    """The attention in transformers' words, empty to let it choose."""
    if config.attention != "auto":
        return config.attention
    half = arithmetic(config, device) == torch.bfloat16
    flash = is_flash_attn_2_available()
    if torch.device(device).type == "cuda" and half and flash and not family.prefix:
        return "flash_attention_2"
    return ""
