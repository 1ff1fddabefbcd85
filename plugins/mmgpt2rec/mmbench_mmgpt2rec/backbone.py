"""GPT-2, pretrained or with random weights, without its words. Importing this loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from mmbench.toolkit import weights
from mmbench_mmgpt2rec.configs import RANDOM, MMGPT2RecConfig

ADAPTED = ("c_attn", "c_proj", "c_fc")  # GPT-2's maps; it calls both outward ones c_proj


def load_gpt2(config: MMGPT2RecConfig, cache: Path) -> tuple[Any, float]:
    """GPT-2 that reads vectors, and the standard deviation of its table of words.

    The table itself is dropped: items take its place. That of random weights was never made, and
    its deviation is the one that GPT-2 draws it with.

    Args:
        config: which weights, what is trained.
        cache: of the model's weights.

    Raises:
        WeightsError: they are not there.
        ValueError: they are not GPT-2's, or see fewer events than ``max_history``.
    """
    rates: dict[str, Any] = dict.fromkeys(
        ("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout
    )
    if config.backbone == RANDOM:
        shape = transformers.GPT2Config(
            vocab_size=1,
            n_positions=config.max_history,
            n_embd=config.dim,
            n_layer=config.layers,
            n_head=config.heads,
            bos_token_id=None,
            eos_token_id=None,
            **rates,
        )
        model: Any = transformers.GPT2Model(shape)
        deviation = shape.initializer_range
    else:
        folder = weights.require(config.backbone, cache)
        shape = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        if shape.model_type != "gpt2":
            raise ValueError(f"{config.backbone} is a {shape.model_type}; it must be a gpt2")
        if shape.n_positions < config.max_history:
            raise ValueError(
                f"max_history is {config.max_history}, and {config.backbone} has "
                f"{shape.n_positions} positions"
            )
        shape.update(rates)
        model = transformers.GPT2Model.from_pretrained(
            folder, config=shape, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        deviation = float(model.wte.weight.detach().std())
    model.wte = nn.Identity()  # never asked: inputs are vectors
    if config.trained == "lora":
        _adapt(model, config)
    return model, deviation


def _adapt(model: Any, config: MMGPT2RecConfig) -> None:
    """Freeze GPT-2 and put adapters on all its maps, which hold their weights transposed."""
    from peft import LoraConfig, inject_adapter_in_model

    model.requires_grad_(False)
    inject_adapter_in_model(
        LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # a ratio is as good
            lora_dropout=config.lora_dropout,
            target_modules=list(ADAPTED),
            fan_in_fan_out=True,
        ),
        model,
    )
