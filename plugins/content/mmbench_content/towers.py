"""Frozen networks: texts and pictures to vectors. Importing this loads torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Float32 = NDArray[np.float32]


def text_tower(folder: Path, device: str, max_length: int, batch_size: int) -> Callable[..., Any]:
    """A function from texts to float32[m, d]: unit means of the last layer over attended tokens.

    That is how sentence-transformers' own models are read (Reimers and Gurevych, 2019). Texts of
    like length are encoded together.

    Args:
        folder: of a model and its tokenizer.
        device: where to run, in torch's words.
        max_length: tokens that are read.
        batch_size: texts at a time.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = _load(folder, device)

    @torch.inference_mode()
    def encode(texts: Sequence[str]) -> Float32:
        rows: list[Any] = [None] * len(texts)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), batch_size):
            index = order[start : start + batch_size]
            inputs = tokenizer(
                [texts[place] for place in index],
                padding=True,
                padding_side="right",
                truncation=True,
                max_length=max_length,
                return_tensors="pt",
            ).to(device)
            states = model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"][..., None].float()
            means = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            for place, row in zip(index, normalize(means, dim=1).cpu().numpy(), strict=True):
                rows[place] = row
        return np.stack(rows)

    return encode


def image_tower(folder: Path, device: str) -> Callable[..., Any]:
    """A function from a batch of pictures to float32[m, d]: unit image features.

    CLIP and SigLIP answer ``get_image_features``; networks of pictures alone, such as DINOv2, their
    pooled output.

    Args:
        folder: of a model and its image processor, which is used in its Pillow form.
        device: where to run, in torch's words.
    """
    processor = transformers.AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        folder, local_files_only=True, backend="pil"
    )
    model = _load(folder, device)
    look = getattr(model, "get_image_features", model)

    @torch.inference_mode()
    def encode(pictures: Sequence[Picture]) -> Float32:
        pixels = processor(images=list(pictures), return_tensors="pt")["pixel_values"].to(device)
        features = look(pixel_values=pixels).pooler_output.float()
        found: Float32 = normalize(features, dim=1).cpu().numpy()
        return found

    return encode


def _load(folder: Path, device: str) -> Any:
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = transformers.AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return model.eval().to(device)
