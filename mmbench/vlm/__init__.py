"""A toolkit for plugins that are built on vision-language models; needs ``mmbench[vlm]``.

A plugin says which backbone it wants and how it is adapted (``BackboneConfig``), writes prompts of
text and pictures (``Prompt``), and its own loss. The rest is here, the same for every family of
models: loading or building, placeholders and chat formats, padding, positions, the cache of what
the vision tower saw, a training loop, embedding of many prompts, and sampling::

    backbone = vlm.load_backbone(config, run, texts=items.fields["title"])
    pictures = vlm.Pictures(backbone, items.images)
    prompt = vlm.Prompt(["Describe this item in one word: ", title, vlm.Image(7)])
    vectors = vlm.embed(backbone, [prompt], pictures)          # float32[1, backbone.dim]

The names are loaded when first used: the two configs and the prompts' parts need no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.toolkit.training import seeded
    from mmbench.vlm.backbones import Backbone
    from mmbench.vlm.batches import Batch
    from mmbench.vlm.beams import beam_search
    from mmbench.vlm.config import BackboneConfig, TrainingConfig
    from mmbench.vlm.embedding import embed, last_token, mean_over
    from mmbench.vlm.exact import exact_scores
    from mmbench.vlm.generation import Generated, generate
    from mmbench.vlm.loading import load_backbone
    from mmbench.vlm.lower import LowerStates, lower_states
    from mmbench.vlm.needs import fetch, lacking, sources
    from mmbench.vlm.new_tokens import Tokens, code_ids, code_tokens, write_tokens
    from mmbench.vlm.pictures import Pictures
    from mmbench.vlm.prompts import Encoded, Image, Part, Prompt, Span
    from mmbench.vlm.rates import seconds_for
    from mmbench.vlm.training import train
    from mmbench.vlm.trie import Trie

# peft imports bitsandbytes, and that torch's compiler, which starts a process for each core at once
# where triton is installed; with one thread it compiles in the process that asks
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

HOMES = {
    "config": ("BackboneConfig", "TrainingConfig"),
    "needs": ("fetch", "lacking", "sources"),
    "backbones": ("Backbone",),
    "loading": ("load_backbone",),
    "rates": ("seconds_for",),
    "prompts": ("Encoded", "Image", "Part", "Prompt", "Span"),
    "pictures": ("Pictures",),
    "batches": ("Batch",),
    "embedding": ("embed", "last_token", "mean_over"),
    "training": ("seeded", "train"),
    "lower": ("LowerStates", "lower_states"),
    "generation": ("Generated", "generate"),
    "new_tokens": ("Tokens", "code_ids", "code_tokens", "write_tokens"),
    "trie": ("Trie",),
    "beams": ("beam_search",),
    "exact": ("exact_scores",),
}

__all__ = [
    "Backbone",
    "BackboneConfig",
    "Batch",
    "Encoded",
    "Generated",
    "Image",
    "LowerStates",
    "Part",
    "Pictures",
    "Prompt",
    "Span",
    "Tokens",
    "TrainingConfig",
    "Trie",
    "beam_search",
    "code_ids",
    "code_tokens",
    "embed",
    "exact_scores",
    "fetch",
    "generate",
    "lacking",
    "last_token",
    "load_backbone",
    "lower_states",
    "mean_over",
    "seconds_for",
    "seeded",
    "sources",
    "train",
    "write_tokens",
]


def __getattr__(name: str) -> Any:
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"mmbench.vlm.{module}"), name)
    raise AttributeError(f"module 'mmbench.vlm' has no attribute {name!r}")
