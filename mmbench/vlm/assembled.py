"""A small model that sees, put together: EfficientNet-Lite0's grid, a projector, SmolLM2.

Both halves ship in Python packages, so it needs no download. What joins them, the projector, knows
nothing until it is trained on pictures and their texts: see ``mmbench.vlm.caption``, which writes a
folder that is a ``backbone`` like any other. Importing this makes the kind known to transformers.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, layer_norm
from transformers import initialization
from transformers.modeling_outputs import BaseModelOutputWithPooling, CausalLMOutputWithPast

from mmbench.toolkit.efficientnet import MIDDLE, SPREAD, WIDTH, EfficientNetLite0

KIND = "effnet_smollm2"
# what makes CLIP's image processor show the tower pixels as it was trained on them
PIXELS = {"image_mean": [MIDDLE / 255] * 3, "image_std": [SPREAD / 255] * 3}


class AssembledConfig(transformers.PretrainedConfig):  # type: ignore[no-untyped-call]
    """The sizes of both halves.

    Attributes:
        text_config: SmolLM2's.
        image_size: side of a picture in pixels.
        cell: pixels on a side for a token; the grid is averaged over cells.
        projector_dim: width within the projector.
    """

    model_type = KIND
    sub_configs = {"text_config": transformers.LlamaConfig}  # as transformers has it

    def __init__(
        self,
        text_config: Any = None,
        image_size: int = 96,
        cell: int = 32,
        projector_dim: int = 256,
        **more: Any,
    ) -> None:
        if not isinstance(text_config, transformers.PretrainedConfig):
            text_config = transformers.LlamaConfig(**(text_config or {}))
        self.text_config = text_config
        self.image_size = image_size
        self.cell = cell
        self.projector_dim = projector_dim
        super().__init__(**{"tie_word_embeddings": True, **more})


class _Assembled(transformers.PreTrainedModel):
    """What both classes share."""

    config_class = AssembledConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True

    def _init_weights(self, module: nn.Module) -> None:
        """As transformers does, but convolutions keep a signal's size: there are fifty in a row."""
        if isinstance(module, nn.Conv2d):
            initialization.kaiming_normal_(module.weight, nonlinearity="relu")
        else:
            super()._init_weights(module)  # type: ignore[no-untyped-call]


class Projector(nn.Module):
    """Features of places to vectors that stand where a word's would, of a word's size."""

    def __init__(self, config: AssembledConfig) -> None:
        super().__init__()
        dim = config.text_config.hidden_size
        self.within = nn.Linear(WIDTH, config.projector_dim)
        self.out = nn.Linear(config.projector_dim, dim)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """float[..., dim] for features float[..., 1280]; their mean square is ``scale`` squared."""
        inner = nn.functional.gelu(self.within(layer_norm(features, (WIDTH,))))
        found: Tensor = self.scale * layer_norm(self.out(inner), (self.out.out_features,))
        return found


class AssembledModel(_Assembled):
    """Without the head. The tower stands still in training too: its norms keep their statistics."""

    def __init__(self, config: AssembledConfig) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        self.tower = EfficientNetLite0()
        self.projector = Projector(config)
        self.language_model = transformers.LlamaModel(config.text_config)
        self.post_init()  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> AssembledModel:
        """As of any module, but the tower's norms never count a batch."""
        super().train(mode)
        self.tower.eval()
        return self

    def get_input_embeddings(self) -> nn.Module:
        """Of the language model."""
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: Any) -> None:
        """Of the language model."""
        self.language_model.embed_tokens = value

    def cells(self, pixels: Tensor) -> Tensor:
        """float[k, tokens, 1280]: the tower's features of each cell, row after row."""
        side = pixels.shape[-1] // self.config.cell
        found: Tensor = adaptive_avg_pool2d(self.tower.grid(pixels), side)
        return found.flatten(2).transpose(1, 2)

    def get_image_features(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """``pooler_output``: float[k, tokens, dim]."""
        features = self.cells(pixel_values)
        return BaseModelOutputWithPooling(pooler_output=self.projector(features))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """The language model's own output; pictures fill the placeholders in order."""
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.get_input_embeddings()(input_ids)
            if pixel_values is not None:
                seen: Any = self.get_image_features(pixel_values).pooler_output
                features = seen.flatten(0, 1)
                places = (input_ids == self.config.image_token_id)[..., None]
                inputs_embeds = inputs_embeds.masked_scatter(places, features.to(inputs_embeds))
        return self.language_model(inputs_embeds=inputs_embeds, **options)


class AssembledForConditionalGeneration(_Assembled, transformers.GenerationMixin):
    """With the head, which is the table of words."""

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}

    def __init__(self, config: AssembledConfig) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        text = config.text_config
        self.model = AssembledModel(config)
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        head: nn.Module = self.lm_head
        return head

    def forward(self, **given: Any) -> Any:
        """As transformers' models do; no loss."""
        found = self.model(**given)
        return CausalLMOutputWithPast(
            logits=self.lm_head(found.last_hidden_state), hidden_states=found.hidden_states
        )


transformers.AutoConfig.register(KIND, AssembledConfig)
transformers.AutoModelForImageTextToText.register(
    AssembledConfig, AssembledForConditionalGeneration
)
