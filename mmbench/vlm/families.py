"""What families of models do differently: names, chat formats, placeholders, pictures, positions.

Everything else in the toolkit is the same for all. Chat formats and placeholders are those of the
checkpoints' own processors; tests compare prompts and hidden states with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class Chat:
    """How a question and its answer are written. All may hold special tokens.

    Attributes:
        opening: stands before the user's turn.
        bridge: between the user's turn and the answer.
        closing: ends an answer.
        start: stands before a prompt that is not in chat format.
        lead: stands before the user's turn where it begins with text.
        answer_lead: stands before an answer that begins with text.
    """

    opening: str
    bridge: str
    closing: str
    start: str = ""
    lead: str = ""
    answer_lead: str = ""


@dataclass(frozen=True)
class Vision:
    """How a family sees.

    Attributes:
        before: stands before a picture's tokens.
        token: the placeholder; it is repeated for each vector that the projector answers.
        after: stands after them.
        processor: transformers' image processor, the one that needs Pillow alone.
        side: the pictures' side in pixels that a checkpoint was made for, from its config.
        fixed: no other side will do.
        cell: pixels on a side for one token; the side is a multiple of it.
        pixels: (processor, k pictures) to the tower's input, whose first axis is k.
        features: (the model without its head, pixels) to float[k, tokens, dim].
        first: pictures of a turn stand before its text.
        grid: positions have three axes: time, row and column (rotary embeddings of Qwen2-VL).
    """

    before: str
    token: str
    after: str
    processor: str
    side: Callable[[Any], int]
    cell: Callable[[Any], int]
    pixels: Callable[[Any, list[Picture]], torch.Tensor]
    features: Callable[[Any, torch.Tensor], torch.Tensor]
    fixed: bool = False
    first: bool = False
    grid: bool = False


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        name: as in ``tiny:<name>``.
        model_type: the name that transformers writes into ``config.json``.
        chat: its chat format.
        vision: how it sees, or nothing for text alone.
        language: the attribute of the model without head that is the language model, empty where
            that model is nothing else.
        prefix: the question is seen in both directions, only the answer causally (PaliGemma).
        specials: the tokens that the tiny model's tokenizer must know: padding, end, begin (or the
            end again), then the others.
    """

    name: str
    model_type: str
    chat: Chat
    specials: tuple[str, ...]
    vision: Vision | None = None
    language: str = "language_model"
    prefix: bool = False


def _plain_pixels(processor: Any, pictures: list[Any], **options: Any) -> torch.Tensor:
    found = processor(pictures, return_tensors="pt", do_resize=False, **options)
    pixels: torch.Tensor = found["pixel_values"]
    return pixels


def _clip_pixels(processor: Any, pictures: list[Picture]) -> torch.Tensor:
    return _plain_pixels(processor, pictures, do_center_crop=False)


def _tile_pixels(processor: Any, pictures: list[Picture]) -> torch.Tensor:
    return _plain_pixels(processor, pictures, crop_to_patches=False)


def _idefics_pixels(processor: Any, pictures: list[Picture]) -> torch.Tensor:
    edge = {"longest_edge": pictures[0].width}
    rows = [[picture] for picture in pictures]
    found = _plain_pixels(processor, rows, do_image_splitting=False, size=edge, max_image_size=edge)
    return found[:, 0]


def _qwen_pixels(processor: Any, pictures: list[Picture]) -> torch.Tensor:
    patches = _plain_pixels(processor, pictures)  # all pictures' patches in a row
    return patches.reshape(len(pictures), -1, patches.shape[-1])


def _plain_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    import torch

    found = model.get_image_features(pixels, return_dict=True).pooler_output
    return found if isinstance(found, torch.Tensor) else torch.stack(list(found))


def _idefics_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    return _plain_features(model, pixels[:, None])


def _qwen_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    import torch

    side = int(pixels.shape[1] ** 0.5)
    grid = torch.tensor([[1, side, side]] * len(pixels), device=pixels.device)
    found = model.get_image_features(pixels.flatten(0, 1), grid, return_dict=True).pooler_output
    return torch.stack(list(found))


def _side(config: Any) -> int:
    """The pictures' side of a tower with positions for one size."""
    size = config.vision_config.image_size
    return int(size if isinstance(size, int) else size[0])


def _patch(config: Any) -> int:
    size = config.vision_config.patch_size
    return int(size if isinstance(size, int) else size[0])


def _qwen_side(config: Any) -> int:
    """Any side will do; 8 x 8 vectors a picture unless a tiny model says otherwise."""
    cells = 8 * _patch(config) * int(config.vision_config.spatial_merge_size)
    return int(getattr(config.vision_config, "image_size", cells))


def _qwen_vision() -> Vision:
    return Vision(
        before="<|vision_start|>",
        token="<|image_pad|>",
        after="<|vision_end|>",
        processor="Qwen2VLImageProcessorPil",
        side=_qwen_side,
        cell=lambda config: _patch(config) * config.vision_config.spatial_merge_size,
        pixels=_qwen_pixels,
        features=_qwen_features,
        grid=True,
    )


def _idefics_vision(processor: str) -> Vision:
    return Vision(
        before="<fake_token_around_image><global-img>",
        token="<image>",
        after="<fake_token_around_image>",
        processor=processor,
        side=_side,
        cell=lambda config: _patch(config) * config.scale_factor,
        pixels=_idefics_pixels,
        features=_idefics_features,
    )


QWEN_SYSTEM = "<|im_start|>system\n{}<|im_end|>\n"
TURN = {"bridge": "<|im_end|>\n<|im_start|>assistant\n", "closing": "<|im_end|>"}
QWEN_CHAT = Chat(
    opening=QWEN_SYSTEM.format("You are a helpful assistant.") + "<|im_start|>user\n", **TURN
)
SMOLLM2_OPENING = (
    QWEN_SYSTEM.format("You are a helpful AI assistant named SmolLM, trained by Hugging Face")
    + "<|im_start|>user\n"
)
PLACE = "<empty_output>"  # a token of SmolLM2's that no prompt of ours has
IDEFICS_CHAT = Chat(
    opening="<|im_start|>User:",
    bridge="<end_of_utterance>\nAssistant:",
    closing="<end_of_utterance>",
    lead=" ",
    answer_lead=" ",
)
QWEN_SPECIALS = ("<|endoftext|>", "<|im_end|>", "<|im_end|>", "<|im_start|>")
QWEN_VL_SPECIALS = (*QWEN_SPECIALS, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
IDEFICS_SPECIALS = (
    *("<|endoftext|>", "<end_of_utterance>", "<|im_start|>"),
    *("<fake_token_around_image>", "<image>", "<global-img>"),
)

_ALL = (
    Family("qwen2.5-vl", "qwen2_5_vl", QWEN_CHAT, QWEN_VL_SPECIALS, _qwen_vision()),
    Family("qwen2-vl", "qwen2_vl", QWEN_CHAT, QWEN_VL_SPECIALS, _qwen_vision()),
    Family(
        "smolvlm",
        "smolvlm",
        IDEFICS_CHAT,
        IDEFICS_SPECIALS,
        _idefics_vision("SmolVLMImageProcessorPil"),
        language="text_model",
    ),
    Family(
        "idefics3",
        "idefics3",
        IDEFICS_CHAT,
        IDEFICS_SPECIALS,
        _idefics_vision("Idefics3ImageProcessorPil"),
        language="text_model",
    ),
    Family(
        "paligemma2",
        "paligemma",
        Chat(opening="<bos>", bridge="\n", closing="<eos>", start="<bos>"),
        ("<pad>", "<eos>", "<bos>", "<image>"),
        Vision(
            before="",
            token="<image>",
            after="",
            processor="SiglipImageProcessorPil",
            side=_side,
            cell=_patch,
            pixels=_plain_pixels,
            features=_plain_features,
            fixed=True,
            first=True,
        ),
        prefix=True,
    ),
    Family(
        "llava",
        "llava",
        Chat("<s>USER: ", " ASSISTANT:", "</s>", start="<s>", answer_lead=" "),
        ("<pad>", "</s>", "<s>", "<image>"),
        Vision(
            before="",
            token="<image>",
            after="\n",
            processor="CLIPImageProcessorPil",
            side=_side,
            cell=_patch,
            pixels=_clip_pixels,
            features=_plain_features,
            fixed=True,
        ),
    ),
    Family(
        "internvl3",
        "internvl",
        Chat("<|im_start|>user\n", **TURN),
        (*QWEN_SPECIALS, "<img>", "</img>", "<IMG_CONTEXT>"),
        Vision(
            before="<img>",
            token="<IMG_CONTEXT>",
            after="</img>\n",
            processor="GotOcr2ImageProcessorPil",
            side=_side,
            cell=lambda config: round(_patch(config) / config.downsample_ratio),
            pixels=_tile_pixels,
            features=_plain_features,
            fixed=True,
        ),
    ),
    Family(
        "effnet-smollm2",
        "effnet_smollm2",
        Chat(SMOLLM2_OPENING, **TURN),
        (*QWEN_SPECIALS, PLACE),
        Vision(
            before="",
            token=PLACE,
            after="",
            processor="CLIPImageProcessorPil",
            side=lambda config: int(config.image_size),
            cell=lambda config: int(config.cell),
            pixels=_clip_pixels,
            features=_plain_features,
        ),
    ),
    Family(
        "qwen2.5",
        "qwen2",
        Chat(
            QWEN_SYSTEM.format(
                "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
            )
            + "<|im_start|>user\n",
            **TURN,
        ),
        QWEN_SPECIALS,
        language="",
    ),
    Family(
        "smollm2",
        "llama",
        Chat(SMOLLM2_OPENING, **TURN),
        QWEN_SPECIALS,
        language="",
    ),
)
FAMILIES = {family.name: family for family in _ALL}


def family_of(model_type: str) -> Family:
    """The family of a checkpoint. Raises ValueError for one that is not known here."""
    for family in _ALL:
        if family.model_type == model_type:
            return family
    raise ValueError(
        f"models of type {model_type!r} are not supported; known are "
        + ", ".join(f"{family.name} ({family.model_type})" for family in _ALL)
    )
