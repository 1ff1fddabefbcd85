"""Interests: two to four short phrases of who would want an item, from a chain of thought."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmbench import Items, Run, vlm
from mmbench.toolkit import encodings, texts
from mmbench_trialigngr.captions import describe_weights
from mmbench_trialigngr.configs import WORDS, TriAlignConfig

FEWEST, MOST = 2, 4
RETRY = 0.7  # the temperature of the second attempt
SEED = 0  # no run's chance: the same tags for all seeds
PROMPT = (
    "{}\n\nThink step by step about who would buy this item and why: which needs, tastes and "
    "habits it serves beyond what it plainly is. Then end with a JSON list of 2 to 4 short noun "
    'phrases that name these deep interests, such as ["home barista", "quiet mornings"].'
)


@dataclass(frozen=True, slots=True)
class Mined:
    """Tags of all items, index 0 is padding.

    Attributes:
        tags: of each item, 2 to 4 where a model found them; categories, or nothing, else.
        first, second: items whose first, or second, attempt could be read.
        fallen: items of which neither could.
    """

    tags: list[tuple[str, ...]]
    first: int
    second: int
    fallen: int


def miner(config: TriAlignConfig) -> vlm.BackboneConfig:
    """What thinks of interests; ``tiny:words`` is none."""
    return vlm.BackboneConfig(backbone=config.interest_backbone, trained="none")


def read_tags(answer: str) -> tuple[str, ...]:
    """The last JSON list of texts in an answer, at most ``MOST`` of them, each once; or nothing.

    A list with anything but texts in it is none.
    """
    for found in reversed(re.findall(r"\[[^\[\]]*\]", answer)):
        try:
            values = json.loads(found)
        except json.JSONDecodeError:
            continue
        if values and all(isinstance(value, str) for value in values):
            tags = dict.fromkeys(" ".join(value.split()) for value in values if value.strip())
            return tuple(tags)[:MOST]
    return ()


def mine(
    config: TriAlignConfig,
    items: Items,
    told: Sequence[str],
    categories: Sequence[tuple[str, ...]],
    run: Run,
    chosen: Sequence[int],
) -> Mined:
    """Tags of each item.

    What the model wrote, thoughts and all, is kept in ``run.encodings`` under what it was told, the
    weights, the prompt and the settings; tags are read from it. An answer without two tags is asked
    for once more at temperature ``RETRY``; where that fails too, the categories stand in.

    Args:
        config: which model, and how long.
        items: the catalogue.
        told: what the model is told of each item; index 0 is padding.
        categories: what stands in.
        run: where to keep them; the device.
        chosen: the items that are asked about.
    """
    tags = [names[:MOST] for names in categories]
    asked = [item for item in chosen if told[item]]
    if config.interest_backbone == WORDS:
        for item in asked:
            tags[item] = own_words(told[item]) or tags[item]
        return Mined(tags, len(asked), 0, 0)
    how = about(config, items, run)
    run.example("how interests were mined", **{name: str(value) for name, value in how.items()})
    found = texts.kept(
        run.encodings,
        how,
        [encodings.digest(told[item]) for item in asked],
        _thinking(config, items, run, [told[item] for item in asked]),
        progress=lambda done, total: run.progress(done, total, "interests"),
    )
    if found:
        attempts = {f"attempt {n}": text for n, text in enumerate(json.loads(found[0]), start=1)}
        run.example(f"what was thought of item {asked[0]}", **attempts)
    counts = [0, 0, 0]
    for item, written in zip(asked, found, strict=True):
        attempts = json.loads(written)
        read = read_tags(attempts[-1])
        fine = len(read) >= FEWEST
        counts[len(attempts) - 1 if fine else 2] += 1
        if fine:
            tags[item] = read
    return Mined(tags, *counts)


def about(config: TriAlignConfig, items: Items, run: Run) -> dict[str, Any]:
    """All that tags depend on beside what is told of an item: the asset's card."""
    told = describe_weights(miner(config), items, run)
    settings = {"tokens": config.interest_tokens, "retry": RETRY, "seed of the retry": SEED}
    return {"kind": "interests", "prompt": PROMPT, **settings, **told}


def own_words(text: str) -> tuple[str, ...]:
    """What stands in for tags in tiny models: the first four different ones of a text."""
    words = list(dict.fromkeys(re.findall(r"\w{3,}", text)))
    return tuple(words[:MOST])


def _thinking(
    config: TriAlignConfig, items: Items, run: Run, told: Sequence[str]
) -> Callable[[Sequence[int]], list[str]]:
    """Writes the attempts at each item as a JSON list; loads the model when first asked."""

    @functools.cache
    def loaded() -> vlm.Backbone:
        own = replace(run, scratch=run.scratch / "miner")
        return vlm.load_backbone(miner(config), own, texts=[*told, PROMPT], items=items)

    def answer(places: Sequence[int], temperature: float) -> list[str]:
        prompts = [vlm.Prompt([PROMPT.format(told[place])]) for place in places]
        seeds = [int(encodings.digest(told[place])[:8], 16) + SEED for place in places]
        found = vlm.generate(
            loaded(),
            prompts,
            seeds=seeds,
            new_tokens=config.interest_tokens,
            temperature=temperature,
            batch_size=config.asset_batch,
        )
        return [one[0].text for one in found]

    def write(places: Sequence[int]) -> list[str]:
        attempts = [[text] for text in answer(places, 0.0)]
        failed = [n for n, one in enumerate(attempts) if len(read_tags(one[0])) < FEWEST]
        if failed:
            again = answer([places[number] for number in failed], RETRY)
            for number, text in zip(failed, again, strict=True):
                attempts[number].append(text)
        return [json.dumps(one, ensure_ascii=False) for one in attempts]

    return write
