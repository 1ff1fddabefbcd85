"""Tiny models: small, with random weights, of the same classes as the checkpoints.

A tiny model is written to a folder in the form of a checkpoint and loaded from there by the code
that loads checkpoints. Its tokenizer is a byte-level BPE trained on the given texts, with the
family's own special tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from mmbench.vlm import assembled
from mmbench.vlm.config import BackboneConfig
from mmbench.vlm.families import FAMILIES, Family

PATCH = 14
SIDE = 56  # of a tiny model's pictures where none is asked for
POSITIONS = 8192
SYMBOLS = "0123456789 .,:;!?()[]{}'\"-/&+%#"


def build_tiny(config: BackboneConfig, texts: Iterable[str], seed: int, folder: Path) -> None:
    """Write a tiny model of ``config.family`` to a folder, in the form of a checkpoint.

    The same config, texts and seed give the same weights. Raises ValueError for an unknown family
    and for sizes that do not go together.
    """
    family = FAMILIES.get(config.family)
    if family is None:
        raise ValueError(
            f"no family {config.family!r} for {config.backbone!r}; known are {', '.join(FAMILIES)}"
        )
    _check_sizes(config)
    tokenizer = train_tokenizer(family, texts, config.vocabulary)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BUILDERS[family.name](config, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if family.vision is not None:
        processor = getattr(transformers, family.vision.processor)
        options: dict[str, Any] = (
            {"patch_size": PATCH, "merge_size": 2} if family.vision.grid else {}
        )
        if family.name == "effnet-smollm2":
            options = assembled.PIXELS
        processor(**options).save_pretrained(folder)


def train_tokenizer(
    family: Family, texts: Iterable[str], vocabulary: int
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer that can write any text; at most ``vocabulary`` tokens of it."""
    specials = list(dict.fromkeys(family.specials))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([*texts, SYMBOLS], trainer)
    pad, end, begin = family.specials[:3]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=end,
        bos_token=begin,
        additional_special_tokens=list(family.specials[3:]),
    )


def _check_sizes(config: BackboneConfig) -> None:
    if config.dim % config.heads or (config.dim // config.heads) % 8:
        raise ValueError(
            f"dim is {config.dim} and heads {config.heads}: dim must be heads times a multiple of 8"
        )
    if config.image_size % (2 * PATCH):
        raise ValueError(
            f"image_size is {config.image_size}; a miniature takes multiples of {2 * PATCH}"
        )


def spread(config: BackboneConfig) -> float:
    """Standard deviation of new weights: what keeps a signal's size at this width.

    The families' .02 suits thousands of dimensions; at 64, all prompts would start out alike.
    """
    return float(config.dim**-0.5)


def _text(config: BackboneConfig, tokenizer: Any) -> dict[str, Any]:
    """The language model's sizes."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": config.dim,
        "intermediate_size": 2 * config.dim,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": max(config.heads // 2, 1),
        "max_position_embeddings": POSITIONS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
        "initializer_range": spread(config),
    }


def _tower(config: BackboneConfig, patch: int = PATCH) -> dict[str, Any]:
    """A plain vision transformer's sizes."""
    return {
        "hidden_size": config.dim,
        "intermediate_size": 2 * config.dim,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "image_size": config.image_size or SIDE,
        "patch_size": patch,
        "initializer_range": spread(config),
    }


def _image_token(family: str, tokenizer: Any) -> int:
    vision = FAMILIES[family].vision
    assert vision is not None
    return int(tokenizer.convert_tokens_to_ids(vision.token))


def _qwen_text(config: BackboneConfig, tokenizer: Any) -> dict[str, Any]:
    half = config.dim // config.heads // 2
    section = [half - 2 * (half // 3), half // 3, half // 3]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": section}
    return _text(config, tokenizer) | {"rope_parameters": rope}


def _qwen_ids(tokenizer: Any) -> dict[str, Any]:
    return {
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        # no video is ever shown, so any token that is no picture's will do
        "video_token_id": tokenizer.pad_token_id,
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        "tie_word_embeddings": True,
    }


def _qwen25_vl(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    vision = {
        "depth": config.layers,
        "image_size": config.image_size or SIDE,
        "hidden_size": config.dim,
        "out_hidden_size": config.dim,
        "intermediate_size": 2 * config.dim,
        "num_heads": config.heads,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 8 * PATCH,
        "fullatt_block_indexes": [config.layers - 1],
        "initializer_range": spread(config),
    }
    text = _qwen_text(config, tokenizer)
    return transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config=text, vision_config=vision, **_qwen_ids(tokenizer)
        )
    )


def _qwen2_vl(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    vision = {
        "depth": config.layers,
        "image_size": config.image_size or SIDE,
        "embed_dim": config.dim,
        "hidden_size": config.dim,
        "num_heads": config.heads,
        "mlp_ratio": 2,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "initializer_range": spread(config),
    }
    text = _qwen_text(config, tokenizer)
    return transformers.Qwen2VLForConditionalGeneration(
        transformers.Qwen2VLConfig(text_config=text, vision_config=vision, **_qwen_ids(tokenizer))
    )


def _idefics(kind: str) -> Callable[[BackboneConfig, Any], PreTrainedModel]:
    def build(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
        whole = getattr(transformers, f"{kind}Config")(
            text_config={"model_type": "llama", **_text(config, tokenizer)},
            vision_config=_tower(config),
            image_token_id=_image_token("smolvlm", tokenizer),
            scale_factor=2,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
        model: PreTrainedModel = getattr(transformers, f"{kind}ForConditionalGeneration")(whole)
        return model

    return build


def _paligemma2(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    head = config.dim // config.heads
    text = {
        "model_type": "gemma2",
        **_text(config, tokenizer),
        "head_dim": head,
        "query_pre_attn_scalar": head,
        "sliding_window": 4096,
    }
    vision = {
        "model_type": "siglip_vision_model",
        "projection_dim": config.dim,
        "vision_use_head": False,
        **_tower(config),
    }
    return transformers.PaliGemmaForConditionalGeneration(
        transformers.PaliGemmaConfig(
            text_config=text,
            vision_config=vision,
            image_token_index=_image_token("paligemma2", tokenizer),
            projection_dim=config.dim,
            hidden_size=config.dim,
        )
    )


def _llava(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    vision = {"model_type": "clip_vision_model", "projection_dim": config.dim, **_tower(config)}
    return transformers.LlavaForConditionalGeneration(
        transformers.LlavaConfig(
            text_config={"model_type": "llama", **_text(config, tokenizer)},
            vision_config=vision,
            image_token_index=_image_token("llava", tokenizer),
            vision_feature_layer=-2 if config.layers > 1 else -1,
        )
    )


def _internvl3(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    return transformers.InternVLForConditionalGeneration(
        transformers.InternVLConfig(
            text_config={"model_type": "qwen2", **_text(config, tokenizer)},
            vision_config=_tower(config),
            image_token_id=_image_token("internvl3", tokenizer),
            downsample_ratio=0.5,
        )
    )


def _effnet_smollm2(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    return assembled.AssembledForConditionalGeneration(
        assembled.AssembledConfig(
            text_config=_text(config, tokenizer),
            image_size=config.image_size or SIDE,
            cell=2 * PATCH,
            projector_dim=config.dim,
            image_token_id=_image_token("effnet-smollm2", tokenizer),
            initializer_range=spread(config),
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _qwen25(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**_text(config, tokenizer)))


def _smollm2(config: BackboneConfig, tokenizer: Any) -> PreTrainedModel:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**_text(config, tokenizer)))


BUILDERS: dict[str, Callable[[BackboneConfig, Any], PreTrainedModel]] = {
    "qwen2.5-vl": _qwen25_vl,
    "qwen2-vl": _qwen2_vl,
    "smolvlm": _idefics("SmolVLM"),
    "idefics3": _idefics("Idefics3"),
    "paligemma2": _paligemma2,
    "llava": _llava,
    "internvl3": _internvl3,
    "effnet-smollm2": _effnet_smollm2,
    "qwen2.5": _qwen25,
    "smollm2": _smollm2,
}
