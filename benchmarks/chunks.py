"""What a step of PixRec takes whose batch is computed in chunks: passes saved in the backward pass.

    python benchmarks/chunks.py

A batch of 8 windows of the demo's users goes through the towers in chunks of 4, 2 or 1, forward and
backward, with and without gradient checkpointing of the layers. *before*: every chunk's states are
forgotten and computed again, beside what the layers compute again. *now*: the last chunk's stay,
and where the layers compute their states again, no chunk does. The gradients of both are compared.

The backbone is a tiny model, deeper and wider than that of ``smollm2/tiny``. Times are of the
processor, one thread; the ways take turns, and the least of several is taken.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

from data import describe_machine, load  # sets one thread; before torch is loaded

# isort: split
import torch
from mmbench_pixrec.configs import PRESETS
from mmbench_pixrec.generator import Generator
from mmbench_pixrec.network import Pair, Towers

import mmbench
from mmbench.protocol import get_protocol, split


class Before(Towers):
    """Towers that compute every chunk again."""

    layers_forget = False

    def _forgets(self, last: bool) -> bool:
        return True


def main() -> None:
    """Print a row for each size of the chunks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(describe_machine())
    print("| chunk | layers forget | before, s | now, s | before / now | largest difference |")
    print("|--:|:--|--:|--:|--:|--:|")
    for forget in (False, True):
        for chunk in (4, 2, 1):
            with tempfile.TemporaryDirectory() as folder:
                before, now, apart = measure(given, chunk, forget, Path(folder))
            row = (chunk, "yes" if forget else "no", f"{before:.2f}", f"{now:.2f}")
            row = (*row, f"{before / now:.2f}", f"{apart:.1e}")
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def measure(
    given: argparse.Namespace, chunk: int, forget: bool, folder: Path
) -> tuple[float, float, float]:
    """Seconds before and now, and the largest difference of a gradient."""
    log = load("demo")
    train = split(log, get_protocol("loo@2")).train
    config = dataclasses.replace(
        PRESETS["smollm2/tiny"],
        **{"dim": given.dim, "layers": given.layers, "trained": "lora", "window": 6},
        **{"batch_chunk": chunk, "gradient_checkpointing": forget},
    )
    run = mmbench.Run(
        **{"seed": 0, "device": "cpu", "preset": "tiny"},
        **{"scratch": folder / "scratch", "cache": folder / "cache"},
        **{"validate": lambda limit=None: 0.0, "log": lambda step, **values: None},
        progress=lambda *_: None,
    )
    made = Generator(config, train, log.items, run)
    made.towers.train()
    long = [items for items in train.sequences() if len(items) > config.window][:8]
    batch = made._batch([(items[: config.window - 1], int(items[-1])) for items in long])
    seconds: dict[type, float] = {}
    gradients: dict[type, list[torch.Tensor]] = {}
    for _ in range(given.rounds):
        for kind in (Before, Towers):
            made.towers.__class__ = kind
            took, gradients[kind] = step(made.towers, batch)
            seconds[kind] = min(took, seconds.get(kind, took))
    pairs = zip(gradients[Before], gradients[Towers], strict=True)
    apart = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
    return seconds[Before], seconds[Towers], apart


def step(towers: Towers, batch: list[Pair]) -> tuple[float, list[torch.Tensor]]:
    """Processor seconds of a loss and its gradients, and these."""
    towers.zero_grad()
    torch.manual_seed(0)  # the same units drop out
    begun = time.process_time()
    towers(batch)["loss"].backward()
    took = time.process_time() - begun
    return took, [one.grad.clone() for one in towers.parameters() if one.grad is not None]


if __name__ == "__main__":
    main()
