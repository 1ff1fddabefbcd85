"""Backbones: a model of any family behind one face, adapted, saved and loaded.

The forward pass is the same for all families: token embeddings, with the pictures' features put
in the placeholders' rows, go through the language model with explicit positions. So a picture that
is in memory need not be seen again, and nothing depends on how a family merges its inputs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn

import mmbench.vlm.assembled  # makes its kind known to transformers
import mmbench.vlm.quiet  # noqa: F401
from mmbench.vlm.adapters import (
    language_of,
    take_trained,
)
from mmbench.vlm.batches import Batch, collate
from mmbench.vlm.config import BackboneConfig
from mmbench.vlm.families import Family
from mmbench.vlm.lower import LowerStates, lower_layers, upper_layers
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Encoded, Prompt, Writer

ABOUT = "backbone.json"  # what ``Backbone.save`` writes, for ``load_backbone`` to read
TRAINED = "trained.safetensors"
KNOWN = 100_000  # texts whose tokens are remembered


def arithmetic(config: BackboneConfig, device: str) -> torch.dtype:
    """The precision of products: ``precision``, where ``auto`` asks the device."""
    if config.precision == "auto":
        return torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32
    found: torch.dtype = getattr(torch, config.precision)
    return found


class Backbone(nn.Module):
    """A language model that sees, or one that only reads.

    Attributes:
        model: the Hugging Face model, with its head; adapters are in place.
        tokenizer: its tokenizer.
        family: what is special about it.
        config: as it was loaded.
        origin: a name under which the same weights are found for ever, ``org/name@commit`` or
            ``package:<distribution>``; empty for what has none.
        dim: width of a hidden state.
        image_size: the side of the pictures in pixels, 0 for a model that only reads.
        image_tokens: placeholders for a picture.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        family: Family,
        config: BackboneConfig,
        source: Path,
        origin: str = "",
        tokens: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.family = family
        self.config = config
        self.source = source
        self.origin = origin
        self.tokens = tokens
        self._known: dict[tuple[str, bool], list[int]] = {}
        self.dim = int(model.config.get_text_config().hidden_size)
        self.pad = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
        self.end = self._tokenise(family.chat.closing, True)[0]
        self.processor: Any = None
        self.image_size, side = 0, 0
        if family.vision is not None:
            processor = getattr(transformers, family.vision.processor)
            self.processor = processor.from_pretrained(source, local_files_only=True)
            self.image_size = self._image_size()
            side = self.image_size // family.vision.cell(model.config)
        self.image_tokens = side * side
        self.writer = Writer(family, self._tokenise, side, config.chat)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        found: torch.device = next(self.model.parameters()).device
        return found

    @property
    def sees_the_same(self) -> bool:
        """Whether the vision tower and the projector stay as they are."""
        return self.family.vision is not None and self.config.trained != "all"

    @property
    def still_layers(self) -> int:
        """How many layers at the bottom, and all that is below them, never change."""
        if self.config.trained != "lora" or not self.config.lora_layers or self.tokens:
            return 0
        return len(self._language.layers) - self.config.lora_layers

    @property
    def _language(self) -> Any:
        return language_of(self.model, self.family)

    def train(self, mode: bool = True) -> Backbone:
        """As of any module, but what is not trained never drops out."""
        super().train(mode and self.config.trained != "none")
        if self.training and self.sees_the_same:
            for name, module in self.model.model.named_children():
                if name != self.family.language:
                    module.eval()
        return self

    def encode(self, prompt: Prompt) -> Encoded:
        """A prompt in tokens. Raises ValueError where it is longer than the model can read."""
        encoded = self.writer.encode(prompt)
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most is not None and len(encoded) > most:
            raise ValueError(
                f"a prompt has {len(encoded)} tokens, {self.config.backbone} reads {most}: show "
                "fewer items (max_history) or smaller pictures (image_size), or cut texts with "
                "Backbone.cut"
            )
        return encoded

    def encode_text(self, text: str) -> list[int]:
        """Token ids of a text of ours, in which special and new tokens are read as such."""
        return list(self._tokenise(text, True))

    def cut(self, text: str, tokens: int) -> str:
        """The first so many tokens of a text."""
        ids = self._tokenise(text, False)
        return text if len(ids) <= tokens else str(self.tokenizer.decode(ids[:tokens]))

    def batch(
        self,
        encoded: Sequence[Encoded],
        pictures: Pictures | None = None,
        still: bool = False,
        lower: LowerStates | None = None,
    ) -> Batch:
        """Prompts as one left-padded batch, with the pictures that they show, each once.

        ``still`` says that no gradient is wanted, so a tower sees no picture twice with the same
        weights. With ``lower`` the batch has the states below the trained layers instead of
        pictures. Raises ValueError where a prompt shows a picture that ``pictures`` has not.
        """
        return collate(encoded, self.pad, pictures, still, lower)

    def forward(self, batch: Batch) -> Tensor:
        """float32[b, L, dim]: the last layer's states after its norm."""
        return self.run_language(batch).last_hidden_state.float()  # type: ignore[no-any-return]

    def run_language(self, batch: Batch, **options: Any) -> Any:
        """The language model's own output; ``options`` such as ``use_cache`` go to its forward."""
        batch = batch.to(self.device)
        with self.autocast():
            if batch.lower is not None:
                with upper_layers(self._language, batch.lower, self.still_layers):
                    return self._run(batch.lower, batch, options)
            embedded = self.model.get_input_embeddings()(batch.ids)
            if batch.images is not None:
                features = batch.images if batch.seen else self.look(batch.images)
                features = features.to(embedded)[batch.rows].flatten(0, 1)
                embedded = embedded.masked_scatter(batch.pictured[..., None], features)
            return self._run(embedded, batch, options)

    def run_lower(self, batch: Batch) -> Tensor:
        """[b, L, dim]: the states below the trained layers, in the precision of the weights."""
        with lower_layers(self._language, self.still_layers) as caught:
            self.run_language(batch)
        return caught[0]

    def _run(self, embedded: Tensor, batch: Batch, options: dict[str, Any]) -> Any:
        if self.family.prefix:
            options["token_type_ids"] = batch.answer.long()
        return self.model.model(
            inputs_embeds=embedded,
            attention_mask=batch.attended,
            position_ids=batch.positions,
            **{"use_cache": False, **options},
        )

    def look(self, pixels: Tensor) -> Tensor:
        """float[k, image_tokens, dim]: what the tower and the projector make of k pictures.

        Args:
            pixels: as the family's processor makes them, of k pictures.

        Raises ValueError where these are not as many vectors as a prompt has room for.
        """
        assert self.family.vision is not None
        with self.autocast(), torch.no_grad() if self.sees_the_same else nullcontext():
            features = self.family.vision.features(
                self.model.model, pixels.to(self.device, self.model.dtype)
            )
        if features.shape[1] != self.image_tokens:
            raise ValueError(
                f"{self.config.backbone} makes {features.shape[1]} vectors of a picture of "
                f"{self.image_size} pixels, {self.image_tokens} were expected"
            )
        return features

    def logits(self, hidden: Tensor) -> Tensor:
        """float32[..., vocabulary] for hidden states [..., dim]; ask only where you need them."""
        head = self.model.get_output_embeddings()
        with self.autocast():
            found: Tensor = head(hidden.to(head.weight.dtype)).float()
        cap = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        return found if cap is None else cap * torch.tanh(found / cap)

    def autocast(self) -> torch.autocast:
        """The precision of the arithmetic, as a context."""
        half = self.arithmetic == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)

    @property
    def arithmetic(self) -> torch.dtype:
        """The precision of products."""
        return arithmetic(self.config, str(self.device))

    def identity(self) -> dict[str, Any]:
        """All that an embedding depends on beside the prompt, for ``mmbench.toolkit.encodings``."""
        # its name stands for the weights that are not trained
        counted = take_trained(self.model) if self.origin else self.model.state_dict()
        return {
            **self._sight(),
            "quantization": self.config.quantization,
            "chat": self.config.chat,
            "weights": _digest(counted),
        }

    def vision_identity(self) -> dict[str, Any]:
        """All that a picture's features depend on beside it, where nothing of that is trained."""
        counted = {} if self.origin else self._eyes(self.model.state_dict().items())
        return {**self._sight(), "weights": _digest(counted)}

    def lower_identity(self) -> dict[str, Any]:
        """All that a prompt's states below the trained layers depend on beside its content."""
        still = {} if self.origin else self._still()
        return {
            **self._sight(),
            "quantization": self.config.quantization,
            "layers": self.still_layers,
            "weights": _digest(still),
        }

    def _still(self) -> dict[str, Tensor]:
        named = self.model.named_parameters()
        return {name: weight for name, weight in named if not weight.requires_grad}

    def vision_versions(self) -> tuple[int, ...]:
        """Other numbers as soon as a weight that a picture's features depend on was written to."""
        return tuple(
            weight._version for weight in self._eyes(self.model.named_parameters()).values()
        )

    def _eyes(self, named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
        words = (f"model.{self.family.language}.", "lm_head.")
        return {name: value for name, value in named if not name.startswith(words)}

    def _sight(self) -> dict[str, Any]:
        return {
            "backbone": self.origin or self.family.name,
            "precision": str(self.arithmetic),
            "image_size": self.image_size,
        }

    def save(self, folder: Path) -> None:
        """Write what ``load_backbone(replace(config, backbone=str(folder)), run)`` brings back.

        The folder holds the trained weights and, unless the model has an ``origin``, a copy of it
        as it was before. Raises OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        base = None
        if self.origin:
            base = {"backbone": self.origin}
        else:
            shutil.copytree(self.source, folder / "base", dirs_exist_ok=True)
        about = {"base": base, "tokens": list(self.tokens), "trained": self.config.trained}
        save_file(take_trained(self.model), folder / TRAINED)
        (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")

    def _image_size(self) -> int:
        vision, asked = self.family.vision, self.config.image_size
        assert vision is not None
        made_for, cell = vision.side(self.model.config), vision.cell(self.model.config)
        if asked and vision.fixed and asked != made_for:
            raise ValueError(
                f"image_size is {asked}, but {self.config.backbone} takes {made_for} and no other"
            )
        if asked % cell:
            raise ValueError(
                f"image_size is {asked}; {self.config.backbone} takes multiples of {cell}"
            )
        return asked or made_for

    def _tokenise(self, text: str, ours: bool) -> list[int]:
        """Token ids; special tokens are read in our own text only."""
        if (text, ours) not in self._known:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[text, ours] = self.tokenizer(
                text, add_special_tokens=False, split_special_tokens=not ours
            )["input_ids"]
        return self._known[text, ours]


def _digest(named: Mapping[str, Tensor]) -> str:
    """The sha256 of names, types, shapes and values."""
    found = hashlib.sha256()
    for name, value in sorted(named.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        found.update(value.detach().cpu().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
