"""Teaches the assembled model to see: its projector, on a catalogue's pictures and their words.

``assemble`` puts EfficientNet-Lite0 and SmolLM2 together; ``teach`` trains what joins them, in two
steps, on (picture, caption): first so that a picture's vectors point to the caption's words in the
language model's own table, which needs no language model and takes a minute; then so that the
language model, which stands still, writes the caption after the picture. A tenth of the pictures is
held out, and ``look_at`` says whether the eyes are used: the loss of a caption after its own
picture must be below that after none, and below that after another's.

The backbone ``assembled:effnet-smollm2`` is all of this in one (``taught_on``), once for each
catalogue. By hand, what ``teach`` writes is a folder, to be taken as ``backbone`` by any plugin::

    folder = caption.assemble(text, eyes, place)
    config = vlm.BackboneConfig(backbone=str(folder), trained="none", chat=False)
    backbone = vlm.load_backbone(config, run)
    sight = caption.teach(backbone, items, captions_of(items), CaptionConfig(), run, taught)
    vlm.BackboneConfig(backbone=str(taught))
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from mmbench.toolkit import encodings, weights
from mmbench.toolkit.efficientnet import load_lite0
from mmbench.toolkit.training import seeded
from mmbench.views import Items, Run
from mmbench.vlm.assembled import (
    PIXELS,
    AssembledConfig,
    AssembledForConditionalGeneration,
    Projector,
)
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import Batch
from mmbench.vlm.config import PARTS, BackboneConfig, TrainingConfig
from mmbench.vlm.families import PLACE
from mmbench.vlm.loading import load_backbone
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Image, Prompt
from mmbench.vlm.training import train

ABOUT = "caption.json"
SHARPNESS = 0.07  # cosines with words are divided by it
HELD = 10  # one picture of so many is held out
AHEAD = "Image:"  # stands before a picture


@dataclass(frozen=True)
class CaptionConfig(TrainingConfig):
    """How the projector is taught; of the loop, ``learning_rate`` is that of the second step.

    Attributes:
        word_epochs: most passes of the first step; the best by the held-out pictures is kept.
        word_rate: its learning rate.
        word_decay: its weight decay.
    """

    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 1e-3
    schedule: str = "linear"  # type: ignore[assignment]
    checkpoint_every: int = 0
    word_epochs: int = 8
    word_rate: float = 5e-4
    word_decay: float = 0.05


@dataclass(frozen=True)
class Sight:
    """Mean losses of held-out captions, nats a token.

    Attributes:
        own: after the own picture.
        none: after no picture.
        another: after another's.
        pictures: how many.
    """

    own: float
    none: float
    another: float
    pictures: int

    @property
    def sees(self) -> bool:
        """Whether the eyes are used."""
        return self.own < min(self.none, self.another)


def assemble(text: Path, eyes: Path, folder: Path, image_size: int = 96) -> Path:
    """Write the model whose projector knows nothing yet; returns the folder.

    Args:
        text: SmolLM2's folder, from ``weights.require``.
        eyes: EfficientNet-Lite0's file, from there.
        folder: where to.
        image_size: of the pictures; a token for each 32 pixels on a side.

    Raises OSError.
    """
    language = transformers.AutoModelForCausalLM.from_pretrained(text, local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(text, local_files_only=True)
    config = AssembledConfig(
        text_config=language.config.to_dict(),
        image_size=image_size,
        image_token_id=tokenizer.convert_tokens_to_ids(PLACE),
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AssembledForConditionalGeneration(config)
    body: Any = model.model
    body.language_model.load_state_dict(language.model.state_dict())
    body.tower.load_state_dict(load_lite0(eyes, "cpu").state_dict())
    with torch.no_grad():
        body.projector.scale.copy_(body.language_model.embed_tokens.weight.pow(2).mean().sqrt())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor: Any = transformers.CLIPImageProcessorPil
    processor(**PIXELS).save_pretrained(folder)
    return folder


def captions_of(items: Items, fields: Sequence[str] = ()) -> dict[int, str]:
    """The words of each item that has a picture and some: the columns' values, in lower case.

    Default are all columns but the title, which tells what no picture does, or it where there is
    no other.
    """
    images = items.images
    others = [name for name in items.fields if name != "title"] or ["title"]
    columns = [items.fields[name] for name in fields or others]
    said = {
        item: ", ".join(
            column[item].replace("|", ", ").lower() for column in columns if column[item]
        )
        for item in (images.items().tolist() if images is not None else [])
    }
    return {item: words for item, words in said.items() if words}


class Cells(Pictures):
    """Pictures as the tower sees them, before the projector: ``images`` of a batch are these."""

    def __init__(self, backbone: Backbone, items: Items, shown: Sequence[int], run: Run) -> None:
        """Look at the pictures of ``shown``; what was seen is kept in ``run.encodings``."""
        super().__init__(backbone, None)
        self._images = items.images
        body = backbone.model.model
        contents = [self.content(item) for item in shown]

        def encode(places: Sequence[int]) -> np.ndarray:
            pixels = self._pixels([self._open(shown[place]) for place in places])
            with torch.inference_mode():
                found = body.cells(pixels.to(backbone.device, backbone.model.dtype))
            answer: np.ndarray = found.float().flatten(1).cpu().numpy()
            return answer

        about = {"part": "cells", **backbone.vision_identity()}
        rows = encodings.cached(run.encodings, about, contents, encode)
        self._features = torch.from_numpy(rows).view(len(shown), backbone.image_tokens, -1)
        self._row = {item: row for row, item in enumerate(shown)}


class Captioner(nn.Module):
    """The loss of captions, of which the projector alone is trained."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.projector: Projector = backbone.model.model.projector
        self.projector.requires_grad_(True)

    def forward(self, batch: Batch) -> Tensor:
        """Nats a token of the answers, their ends not among them."""
        batch = batch.to(self.backbone.device)
        if batch.images is not None:
            batch = replace(batch, images=self.projector(batch.images))
        hidden = self.backbone(batch)
        told = batch.answer[:, 1:].clone()
        told[:, -1] = False  # the token that ends it
        logits = self.backbone.logits(hidden[:, :-1][told])
        return functional.cross_entropy(logits, batch.ids[:, 1:][told])


def teach(
    backbone: Backbone,
    items: Items,
    captions: Mapping[int, str],
    config: CaptionConfig,
    run: Run,
    folder: Path | None = None,
) -> Sight:
    """Teach the projector; the backbone sees with it from then on.

    Args:
        backbone: of the family ``effnet-smollm2``, with ``trained="none"``.
        items: their pictures.
        captions: the words of items.
        config: how.
        run: seed, device, and where pictures' features are kept.
        folder: where to write the model that has been taught, with the settings, the digest of the
            captions and the ``Sight`` beside it. What stands there already of the same is not
            taught again, and the backbone not changed.

    Raises ValueError where there are too few pictures to hold some out.
    """
    shown = sorted(captions)
    few = f"{len(shown)} pictures with captions are too few to hold some out"
    if len(shown) < HELD:
        raise ValueError(few)
    cells = Cells(backbone, items, shown, run)
    about = {
        **backbone.vision_identity(),
        "captions": encodings.digest(*(cells.content(item) + captions[item] for item in shown)),
        "config": asdict(config),
        "seed": run.seed,
    }
    if folder is not None and (folder / ABOUT).is_file():
        known = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if known["about"] == about:
            return Sight(**known["sight"])
    held = [item for item in shown if int(cells.content(item), 16) % HELD == 0]
    learned = sorted(set(shown) - set(held))
    if len(held) < 2 or not learned:
        raise ValueError(few)
    captioner = Captioner(backbone)
    with seeded(run):
        _align(captioner.projector, backbone, cells, captions, learned, held, config)
    asked = [ask(item, captions[item]) for item in learned]

    def collate(chosen: list[Prompt], rng: np.random.Generator) -> Batch:
        return backbone.batch([backbone.encode(prompt) for prompt in chosen], cells)

    train(
        captioner,
        asked,
        collate,
        config,
        run,
        lengths=[len(backbone.encode(prompt)) for prompt in asked],
        validate=lambda: -look_at(captioner, cells, captions, held).own,
    )
    sight = look_at(captioner, cells, captions, held)
    if folder is not None:
        backbone.model.save_pretrained(folder)
        backbone.tokenizer.save_pretrained(folder)
        backbone.processor.save_pretrained(folder)
        told = {"about": about, "sight": asdict(sight)}
        (folder / ABOUT).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return sight


def taught_on(items: Items, image_size: int, run: Run) -> Path:
    """The folder of the assembled model that was taught on a catalogue, now or before.

    It is kept in ``run.encodings`` by all that it depends on: the weights of both halves, pictures,
    words and settings. The seed is 0 whatever the run's, so that all cells start from one model.
    The losses of held-out captions are logged: ``caption own``, ``another`` and ``none``.

    Args:
        items: pictures and words.
        image_size: see ``assemble``; 0 is its default.
        run: device, scratch, encodings and where to log.

    Raises:
        ValueError: there are too few pictures to hold some out.
        WeightsError: the weights are not there.
        OSError: the disk does not take it.
    """
    captions, settings = captions_of(items), CaptionConfig()
    images, shown = items.images, sorted(captions)
    seen = [encodings.digest(images.read(item)) if images is not None else "" for item in shown]
    key = encodings.digest(
        *(weights.identity(part, run.cache) for part in PARTS),
        json.dumps([image_size, asdict(settings)]),
        *(digest + captions[item] for item, digest in zip(shown, seen, strict=True)),
    )
    folder = (run.encodings or run.scratch) / "assembled" / key[: encodings.NAME]
    if not (folder / ABOUT).is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        own = replace(run, seed=0, log=lambda step, **values: None)  # its curves are not the fit's
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            text, eyes = (weights.require(part, run.cache) for part in PARTS)
            size = {"image_size": image_size} if image_size else {}
            blank = assemble(text, eyes, Path(place) / "blank", **size)
            config = BackboneConfig(backbone=str(blank), trained="none", chat=False)
            own = replace(own, scratch=Path(place) / "scratch")
            teach(
                load_backbone(config, own), items, captions, settings, own, Path(place) / "taught"
            )
            try:
                (Path(place) / "taught").rename(folder)
            except OSError:
                if not (folder / ABOUT).is_file():  # no other process was as quick
                    raise
    sight = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["sight"]
    run.log(0, **{f"caption {name}": sight[name] for name in ("own", "another", "none")})
    return folder


def ask(item: int | None, words: str) -> Prompt:
    """A caption after a picture, or after none."""
    return Prompt([AHEAD, *([] if item is None else [Image(item)])], [f" {words}"])


def look_at(
    captioner: Captioner, cells: Cells, captions: Mapping[int, str], held: Sequence[int]
) -> Sight:
    """Whether captions are likelier after their own pictures; another's is the next one's."""
    backbone = captioner.backbone
    others = [*held[1:], held[0]]
    losses = []
    for shown in (held, [None] * len(held), others):
        prompts = [ask(item, captions[own]) for item, own in zip(shown, held, strict=True)]
        total, count = 0.0, 0
        for start in range(0, len(prompts), 32):
            encoded = [backbone.encode(prompt) for prompt in prompts[start : start + 32]]
            tokens = sum(int(one.answer.sum()) - 1 for one in encoded)
            with torch.inference_mode():
                total += tokens * float(captioner(backbone.batch(encoded, cells)))
            count += tokens
        losses.append(total / count)
    own, none, another = losses
    return Sight(own, none, another, len(held))


def _align(
    projector: Projector,
    backbone: Backbone,
    cells: Cells,
    captions: Mapping[int, str],
    learned: Sequence[int],
    held: Sequence[int],
    config: CaptionConfig,
) -> None:
    """The first step: the mean of a picture's vectors is near its caption's words by cosine."""
    tokens = {item: backbone.encode_text(f" {words}") for item, words in captions.items()}
    comma = set(backbone.encode_text(", ,"))
    words = sorted({token for ids in tokens.values() for token in ids} - comma)
    column = {token: place for place, token in enumerate(words)}
    table = backbone.model.get_input_embeddings().weight[words].detach().float()
    directions = functional.normalize(table, dim=1)
    shares = {}
    for item, ids in tokens.items():
        row = torch.zeros(len(words))
        row[[column[token] for token in ids if token in column]] = 1
        shares[item] = row / row.sum().clamp(min=1)

    def loss(chosen: Sequence[int]) -> Tensor:
        seen = projector(cells.take(chosen).to(directions)).mean(1)
        cosine = functional.normalize(seen, dim=1) @ directions.T / SHARPNESS
        wanted = torch.stack([shares[item] for item in chosen]).to(directions)
        return -(wanted * functional.log_softmax(cosine, dim=1)).sum(1).mean()

    weights = [weight for name, weight in projector.named_parameters() if name != "scale"]
    optimizer = torch.optim.AdamW(weights, lr=config.word_rate, weight_decay=config.word_decay)
    best, state = float("inf"), {name: v.clone() for name, v in projector.state_dict().items()}
    for _ in range(config.word_epochs):
        order = torch.randperm(len(learned)).tolist()
        for start in range(0, len(order), config.batch_size):
            optimizer.zero_grad()
            value = loss([learned[place] for place in order[start : start + config.batch_size]])
            torch.autograd.backward(value)
            optimizer.step()
        with torch.no_grad():
            found = float(loss(held))
        if found < best:
            best, state = found, {name: v.clone() for name, v in projector.state_dict().items()}
    projector.load_state_dict(state)
