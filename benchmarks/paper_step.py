"""What a step of a backbone of the papers' size costs: memory, steps a second, texts a second.

    python benchmarks/paper_step.py --device cuda            # all backbones
    python benchmarks/paper_step.py --only qwen2.5-vl-3b

Each backbone is written with random weights in a checkpoint's form and in its published sizes (a
tokenizer alone is small, trained on the demo's titles), and loaded, quantised, adapted and trained
by the plugin's own code with its full preset: 4 bits where the preset says so, LoRA, batches of 8.
PixRec then writes texts. The catalogue and the users are the demo's. Costs do not depend on what
weights have learnt; memory is the peak that torch's allocator reserved.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import describe_machine, load

# isort: split
import torch
import transformers
from mmbench_pixrec.configs import PALIGEMMA2, SMOLLM2, SMOLVLM
from mmbench_pixrec.model import PixRec
from mmbench_vlm2rec.configs import PRESETS
from mmbench_vlm2rec.models import VLM2Rec
from torch.optim.optimizer import register_optimizer_step_post_hook

import mmbench
import mmbench.vlm.quiet
from mmbench import vlm
from mmbench.protocol import get_protocol, split
from mmbench.views import Interactions, Queries
from mmbench.vlm.tiny import build_tiny

QWEN_TEXT = {
    **{"vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 11008},
    **{"num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2},
}
QWEN_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}


@dataclass(frozen=True)
class Paper:
    """A backbone of a paper.

    Attributes:
        model: the plugin that uses it, and ``config`` its full preset.
        family: the toolkit's name of its family.
        sizes: what its published ``config.json`` says, by the part that it says it of.
        side: of the pictures that it is shown, in pixels; 0 where it is shown none.
    """

    model: type
    config: Any
    family: str
    sizes: dict[str, dict[str, Any]]
    side: int = 0


PAPERS = {
    "qwen2.5-vl-3b": Paper(
        VLM2Rec,
        PRESETS["paper"],
        "qwen2.5-vl",
        {
            "text_config": QWEN_TEXT | {"rope_parameters": QWEN_ROPE, "rope_scaling": QWEN_ROPE},
            "vision_config": {
                **{"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16},
                **{"out_hidden_size": 2048, "window_size": 112},
                "fullatt_block_indexes": [7, 15, 23, 31],
            },
        },
        224,
    ),
    "qwen2.5-3b": Paper(VLM2Rec, PRESETS["llm-sft"], "qwen2.5", {"": QWEN_TEXT}),
    "paligemma2-3b": Paper(
        PixRec,
        PALIGEMMA2,
        "paligemma2",
        {
            "": {"projection_dim": 2304, "hidden_size": 2304},
            "text_config": {
                **{"vocab_size": 257216, "hidden_size": 2304, "intermediate_size": 9216},
                **{"num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4},
                **{"head_dim": 256, "query_pre_attn_scalar": 256},
            },
            "vision_config": {
                **{"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27},
                **{"num_attention_heads": 16, "image_size": 224, "projection_dim": 2304},
            },
        },
        224,
    ),
    "smolvlm-256m": Paper(
        PixRec,
        SMOLVLM,
        "smolvlm",
        {
            "": {"scale_factor": 4},
            "text_config": {
                **{"vocab_size": 49280, "hidden_size": 576, "intermediate_size": 1536},
                **{"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
            },
            "vision_config": {
                **{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
                **{"num_attention_heads": 12, "image_size": 512, "patch_size": 16},
            },
        },
        512,
    ),
    "smollm2-135m": Paper(
        PixRec,
        dataclasses.replace(SMOLLM2, quantization=""),
        "smollm2",
        {
            "": {
                **{"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536},
                **{"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
            }
        },
    ),
    "smollm2-360m": Paper(
        PixRec,
        SMOLLM2,
        "smollm2",
        {
            "": {
                **{"vocab_size": 49152, "hidden_size": 960, "intermediate_size": 2560},
                **{"num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5},
            }
        },
    ),
}


def main() -> None:
    """Print a row for each backbone."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", choices=PAPERS, nargs="*", default=list(PAPERS))
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="a layer or two of each")
    given = parser.parse_args()
    print(describe_machine())
    if given.device.startswith("cuda"):
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    head = (
        "backbone",
        "parameters",
        "weights",
        "peak MiB, fit",
        "steps/s",
        "texts/s",
        "MiB, write",
    )
    print(f"| {' | '.join(head)} |\n|:--|{'--:|' * (len(head) - 1)}", flush=True)
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            print(
                f"| {name} | {' | '.join(measure(PAPERS[name], given, Path(folder)))} |", flush=True
            )
        gc.collect()


def measure(paper: Paper, given: argparse.Namespace, folder: Path) -> list[str]:
    """The row of a backbone."""
    log = load("demo")
    folds = split(log, get_protocol("loo@2"))
    build(paper, folder / "weights", log.items.fields["title"], given)
    config = dataclasses.replace(
        paper.config,
        backbone=str(folder / "weights"),
        revision="",
        epochs=1,
        image_size=0 if given.tiny else paper.side,
        quantization=paper.config.quantization if given.device.startswith("cuda") else "",
        **({"few": given.users} if paper.model is VLM2Rec else {}),
    )
    run = mmbench.Run(
        **{"seed": 0, "device": given.device, "preset": "paper"},
        **{"scratch": folder / "scratch", "cache": folder / "cache"},
        **{"encodings": folder / "encodings", "validate": lambda limit=None: 0.0},
        **{"log": lambda step, **values: None, "progress": lambda *_, **__: None},
    )
    for place in (run.scratch, run.cache, run.encodings):
        place.mkdir()
    model = paper.model(config)
    with steps() as moments, peak(given.device) as fitting:
        model.fit(first_users(folds.train, given.users), log.items, run)
    pace = 1 / statistics.median(b - a for a, b in itertools.pairwise(moments))
    row = [f"{count(folder / 'weights') / 1e6:,.0f} M", config.quantization or "bfloat16"]
    row += [f"{fitting[0]:,.0f}", f"{pace:.2f}"]
    if paper.model is not PixRec:
        return [*row, "", ""]
    asked = folds.test.queries
    few = Queries(*(values[: given.queries] for values in (asked.user, asked.history, asked.time)))
    with peak(given.device) as writing:
        began = time.perf_counter()
        model.score(few)
        seconds = time.perf_counter() - began
    return [*row, f"{given.queries * config.generations / seconds:.1f}", f"{writing[0]:,.0f}"]


def build(paper: Paper, folder: Path, titles: Any, given: argparse.Namespace) -> None:
    """Write a checkpoint with random weights."""
    small = vlm.BackboneConfig(backbone=f"tiny:{paper.family}")
    build_tiny(small, [text for text in titles if text], 0, folder)
    if given.tiny:
        return
    config = transformers.AutoConfig.from_pretrained(folder)
    about = config.to_dict()
    # the layers' kinds, the heads' widths and the spread of new weights are the tiny model's
    for part in (about, about.get("text_config", {}), about.get("vision_config", {})):
        part.pop("head_dim", None)
    for part, sizes in paper.sizes.items():
        (about[part] if part else about).update(sizes)
    for part in (about, about.get("text_config", {}), about.get("vision_config", {})):
        part.pop("layer_types", None)
        part.update({"initializer_range": 0.02} if "initializer_range" in part else {})
    config = type(config).from_dict(about)
    causal = "text_config" not in about
    auto = transformers.AutoModelForCausalLM if causal else transformers.AutoModelForImageTextToText
    with torch.device(given.device):
        model = auto.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    del model
    gc.collect()
    if given.device.startswith("cuda"):
        torch.cuda.empty_cache()


def first_users(train: Interactions, users: int) -> Interactions:
    """The training events of the first users."""
    kept = train.user < users
    return dataclasses.replace(
        train, user=train.user[kept], item=train.item[kept], time=train.time[kept], n_users=users
    )


def count(folder: Path) -> int:
    """The parameters of a checkpoint, from the heads of its files."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(size))
        for name, about in head.items():
            if name != "__metadata__":
                total += int(torch.Size(about["shape"]).numel())
    return total


@contextmanager
def steps() -> Iterator[list[float]]:
    """When the optimiser's steps ended, in seconds."""
    moments: list[float] = []

    def note(*_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        moments.append(time.perf_counter())

    handle = register_optimizer_step_post_hook(note)
    try:
        yield moments
    finally:
        handle.remove()


@contextmanager
def peak(device: str) -> Iterator[list[float]]:
    """The most that was reserved on the GPU, in MiB; not a number elsewhere."""
    found = [float("nan")]
    if not device.startswith("cuda"):
        yield found
        return
    torch.cuda.reset_peak_memory_stats()
    yield found
    found[0] = torch.cuda.max_memory_reserved() / 2**20


if __name__ == "__main__":
    main()
