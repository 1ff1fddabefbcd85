"""Captions: what a vision-language model says of each item's picture."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmbench import ImageError, Items, Run, vlm
from mmbench.toolkit import encodings, texts, weights
from mmbench_trialigngr import pixels
from mmbench_trialigngr.configs import PIXELS, TriAlignConfig

PROMPT = (
    "Describe the product in the image in one or two sentences: type, colour, material, style, "
    "visible text, intended use."
)
LEAD = "Image:"  # what the assembled model was taught to write captions after

logger = logging.getLogger("mmbench_trialigngr")


def captioner(config: TriAlignConfig) -> vlm.BackboneConfig:
    """What writes captions; ``tiny:pixels`` is none."""
    return vlm.BackboneConfig(
        backbone=config.caption_backbone,
        trained="none",
        image_size=config.caption_pixels,
        chat=not _assembled(config),
    )


def _assembled(config: TriAlignConfig) -> bool:
    """Whether it is put together here: such a one knows no chat."""
    return vlm.BackboneConfig(backbone=config.caption_backbone).assembled


def make_captions(
    config: TriAlignConfig, items: Items, run: Run, chosen: Sequence[int]
) -> list[str]:
    """A caption for each item, index 0 is padding; empty without a picture that can be read.

    They are kept in ``run.encodings`` under the picture, the weights, the prompt and the settings.

    Args:
        config: which model, and how long.
        items: the catalogue.
        run: where to keep them; the device.
        chosen: the items that are captioned.
    """
    captions = [""] * (items.n_items + 1)
    digests = picture_digests(items, chosen)
    if not digests:
        return captions
    shown = list(digests)
    write = _by_pixels(items, shown)
    if config.caption_backbone != PIXELS:
        write = _by_model(config, items, run, shown)
    told = about(config, items, run)
    run.example("how captions were made", **{name: str(value) for name, value in told.items()})
    found = texts.kept(
        run.encodings,
        told,
        list(digests.values()),
        write,
        progress=lambda done, total: run.progress(done, total, "captions"),
    )
    for item, caption in zip(shown, found, strict=True):
        captions[item] = " ".join(caption.split())
    return captions


def about(config: TriAlignConfig, items: Items, run: Run) -> dict[str, Any]:
    """All that a caption depends on beside the picture: the asset's card."""
    if config.caption_backbone == PIXELS:
        return {"kind": "captions", "by": PIXELS, "version": pixels.VERSION}
    told = describe_weights(captioner(config), items, run)
    settings = {"tokens": config.caption_tokens, "pixels": config.caption_pixels}
    return {"kind": "captions", "prompt": _words(config), "decoding": "greedy", **settings, **told}


def describe_weights(backbone: vlm.BackboneConfig, items: Items, run: Run) -> dict[str, Any]:
    """Names and digests of weights; the seed of a tiny model, what an assembled one learnt on."""
    told: dict[str, Any] = {
        "by": backbone.backbone,
        "weights": [weights.identity(source, run.cache) for source in backbone.sources],
    }
    if backbone.family:
        told["seed"] = run.seed
    if backbone.assembled or backbone.family:
        words = [text for column in items.fields.values() for text in column]
        shown = picture_digests(items, range(1, items.n_items + 1)) if backbone.assembled else {}
        told["catalogue"] = encodings.digest(*words, *shown.values())
    return told


def picture_digests(items: Items, chosen: Sequence[int]) -> dict[int, str]:
    """The digest of each chosen item's picture, of those that have one that can be read."""
    found: dict[int, str] = {}
    if items.images is None:
        return found
    for item in chosen:
        if item in items.images:
            try:
                found[item] = encodings.digest(items.images.read(item))
            except ImageError as error:
                logger.warning("item %d has no caption: %s", item, error)
    return found


def _words(config: TriAlignConfig) -> str:
    return LEAD if _assembled(config) else PROMPT


def _by_pixels(items: Items, shown: Sequence[int]) -> Callable[[Sequence[int]], list[str]]:
    def write(places: Sequence[int]) -> list[str]:
        found = []
        for place in places:
            try:
                assert items.images is not None
                found.append(pixels.describe(items.images.open(shown[place])))
            except ImageError as error:
                logger.warning("item %d has no caption: %s", shown[place], error)
                found.append("")
        return found

    return write


def _by_model(
    config: TriAlignConfig, items: Items, run: Run, shown: Sequence[int]
) -> Callable[[Sequence[int]], list[str]]:
    """Loads the model when the first caption is wanted."""

    @functools.cache
    def loaded() -> tuple[vlm.Backbone, vlm.Pictures]:
        own = replace(run, scratch=run.scratch / "captioner")
        words = [*next(iter(items.fields.values())), PROMPT]
        backbone = vlm.load_backbone(captioner(config), own, texts=words, items=items)
        if backbone.family.vision is None:
            raise ValueError(
                f"caption_backbone is {config.caption_backbone}, which sees no pictures"
            )
        return backbone, vlm.Pictures(backbone, items.images)

    def write(places: Sequence[int]) -> list[str]:
        backbone, pictures = loaded()
        asked = [place for place in places if shown[place] in pictures]
        answers = vlm.generate(
            backbone,
            [_prompt(config, shown[place]) for place in asked],
            pictures,
            seeds=[0] * len(asked),
            new_tokens=config.caption_tokens,
            temperature=0.0,
            batch_size=config.asset_batch,
        )
        said: Mapping[int, str] = {
            place: answer[0].text for place, answer in zip(asked, answers, strict=True)
        }
        return [said.get(place, "") for place in places]

    return write


def _prompt(config: TriAlignConfig, item: int) -> vlm.Prompt:
    words = _words(config)
    return vlm.Prompt([words, vlm.Image(item)] if words == LEAD else [vlm.Image(item), words])
