"""What VLM2Rec's two losses cost beside InfoNCE: the time of a training step of each.

    python benchmarks/objectives.py --steps 40

Both objectives take the same tiny backbone and the same batches of ``demo``, step by step in turn,
forward and backward. The clock is processor time of one thread; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from data import describe_machine  # sets one thread; before torch is loaded

# isort: split
import torch
from mmbench_vlm2rec.configs import PRESETS
from mmbench_vlm2rec.embedder import Embedder, texts_of
from mmbench_vlm2rec.examples import make_examples
from mmbench_vlm2rec.objective import Objective
from mmbench_vlm2rec.training import collate

from mmbench import vlm
from mmbench.data import load
from mmbench.protocol import get_protocol, split
from mmbench.testing import make_run


def main() -> None:
    """Print the two medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=PRESETS["tiny"].batch_size)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        medians = measure(Path(folder), options.steps, options.batch)
    print(describe_machine())
    print("| objective | ms a step | x sft-ext |\n|:--|--:|--:|")
    for name, seconds in medians.items():
        print(f"| {name} | {1000 * seconds:.1f} | {seconds / medians['sft-ext']:.3f} |")


def measure(folder: Path, steps: int, batch_size: int) -> dict[str, float]:
    """Median processor seconds of a step of each, on the same batches."""
    log = load("demo")
    examples = make_examples(split(log, get_protocol("loo@2")).train)
    config = replace(PRESETS["tiny"], batch_size=batch_size)
    run = make_run(folder)
    backbone = vlm.load_backbone(config, run, texts=texts_of(log.items))
    embedder = Embedder(backbone, config, log.items)
    objectives = {
        "sft-ext": Objective(backbone, PRESETS["sft-ext/tiny"]),
        "vlm2rec": Objective(backbone, config),
    }
    times: dict[str, list[float]] = {name: [] for name in objectives}
    for step in range(steps + 2):  # two to warm up
        start = step * batch_size % max(len(examples) - batch_size, 1)
        sides = collate(embedder, examples[start : start + batch_size])
        for name in sorted(objectives, reverse=bool(step % 2)):
            begun = time.process_time()
            objectives[name](sides)["loss"].backward()
            if step >= 2:
                times[name].append(time.process_time() - begun)
            objectives[name].zero_grad()
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
