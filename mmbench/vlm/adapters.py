"""What is trained: adapters, the language model, or all; 4-bit weights; new tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmbench.vlm.config import BackboneConfig
from mmbench.vlm.families import Family

NOISE = 0.02  # of new tokens' vectors, as a share of the table's standard deviation


def language_of(model: Any, family: Family) -> nn.Module:
    """The language model without its head."""
    found: nn.Module = getattr(model.model, family.language) if family.language else model.model
    return found


def language_linears(model: Any, family: Family, top: int = 0) -> list[str]:
    """Full names of the language model's linear layers, the head not among them.

    ``top`` takes those of so many layers at the top, 0 those of all.
    """
    language: Any = language_of(model, family)
    parts = language.layers[-top:] if top else [language]
    inside = {id(module) for part in parts for module in part.modules()}
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) in inside
    ]


def nf4_config(auto: Any, model_config: Any, family: Family, compute: torch.dtype) -> Any:
    """What transformers needs to load the language model's linear layers in 4 bits."""
    from transformers import BitsAndBytesConfig

    with torch.device("meta"):
        outline = auto.from_config(model_config)
    keep = set(language_linears(outline, family))
    others = [
        name
        for name, module in outline.named_modules()
        if isinstance(module, nn.Linear) and name not in keep
    ]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=others,
    )


def add_tokens(model: Any, tokenizer: Any, tokens: Sequence[str], config: BackboneConfig) -> None:
    """Add entries to the vocabulary; their vectors are the others' mean with a little noise.

    Raises ValueError for entries that are there already, and where nothing would train them.
    """
    if config.trained == "none":
        raise ValueError("new tokens mean nothing to a model of which nothing is trained")
    before = len(tokenizer)
    if tokenizer.add_tokens(list(tokens), special_tokens=True) != len(tokens):
        raise ValueError("some of the new tokens are in the vocabulary already")
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    if before + len(tokens) > len(tables[0].weight):
        model.resize_token_embeddings(before + len(tokens), mean_resizing=False)
        tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    with torch.no_grad():
        for table in {id(table.weight): table for table in tables}.values():
            old = table.weight[:before].float()
            noise = NOISE * float(old.std()) * torch.randn(len(tokens), old.shape[1])
            new = old.mean(0) + noise.to(old.device)
            table.weight[before : before + len(tokens)] = new.to(table.weight.dtype)


def choose_trained(
    model: Any, family: Family, config: BackboneConfig, tokenizer: Any, tokens: Sequence[str]
) -> None:
    """Mark what is trained, and put adapters in place."""
    model.requires_grad_(config.trained == "all")
    if config.trained == "language":
        language_of(model, family).requires_grad_(True)
        model.get_output_embeddings().requires_grad_(True)
    elif config.trained == "lora":
        language: Any = language_of(model, family)
        if config.lora_layers > len(language.layers):
            raise ValueError(
                f"lora_layers is {config.lora_layers}, but {config.backbone} has "
                f"{len(language.layers)} layers; 0 is all of them"
            )
        from peft import LoraConfig, inject_adapter_in_model

        rows = [tokenizer.convert_tokens_to_ids(token) for token in tokens]
        tables = ["embed_tokens"]  # and the head, where it has a table of its own
        if model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
            tables.append("lm_head")
        # by peft alone: transformers' own way asks for releases of peft that it does not need
        inject_adapter_in_model(
            LoraConfig(
                r=config.lora_rank,
                lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # a ratio is as good
                lora_dropout=config.lora_dropout,
                target_modules=language_linears(model, family, config.lora_layers),
                trainable_token_indices=dict.fromkeys(tables, rows) if rows else None,
            ),
            model,
        )
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()


def take_trained(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all trained weights, by name, on the CPU."""
    return {
        name: weight.detach().to("cpu", copy=True).contiguous()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def put_trained(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put back what ``take_trained`` took.

    Raises ValueError where the model trains other weights, or of other sizes.
    """
    own = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    wrong = sorted(own.keys() ^ weights.keys())
    wrong += [
        name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape
    ]
    if wrong:
        raise ValueError(
            f"the saved weights are of another model: {len(wrong)} differ, such as {wrong[0]}; "
            "is trained, lora_rank, lora_layers or a size not what it was?"
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(weights[name])
