"""How often PRIME's preference phase needs its ranker.

    MMBENCH_DATA=... python benchmarks/prime_shares.py --data beauty --epochs 20

Trains the retriever for so many epochs, draws two candidate sets at every training position, and
counts where both hold the target (the ranker judges), one does, or none (the target is put in).
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmbench_prime.configs import PRESETS
from mmbench_prime.preference import Shares
from mmbench_prime.retriever import Retriever
from mmbench_prime.sets import draw_pairs
from mmbench_sequential.training import epoch_batches, train, training_rows

from mmbench import Run
from mmbench.data import load
from mmbench.grid.question import ask_question
from mmbench.protocol import get_protocol


def main() -> None:
    """Train, draw, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=25)
    given = parser.parse_args()
    torch.set_num_threads(1)
    events = ask_question(load(given.data), get_protocol("loo@2")).train
    config = replace(
        PRESETS["paper"], retriever_epochs=given.epochs, retriever_patience=given.epochs
    )
    with tempfile.TemporaryDirectory() as folder:
        rising = iter(range(given.epochs + 1))
        run = Run(
            seed=0,
            device="cpu",
            scratch=Path(folder),
            cache=Path(folder),
            preset="paper",
            validate=lambda limit=None: float(next(rising)),  # the last epoch is kept
            log=lambda step, **values: None,
            progress=lambda done, total, unit: None,
        )
        torch.manual_seed(0)
        retriever = Retriever(config, events.n_items, "cpu")
        train(retriever.network, events, retriever.settings, run)
    network = retriever.network.eval()
    rows, rng = training_rows(network, events), np.random.default_rng(0)
    generator, shares = torch.Generator().manual_seed(0), Shares()
    with torch.no_grad():
        for history, target in epoch_batches(network, events, rows, retriever.settings, rng, "cpu"):
            states = network(history)
            right = target[:, -states.shape[1] :]
            logits = network.queries(states[right > 0]) @ network.table().T
            probability = torch.softmax(logits, dim=1)
            shares.count(draw_pairs(probability, right[right > 0] - 1, given.candidates, generator))
    told = shares.told()
    print(f"{given.data}, {given.epochs} epochs, {shares.positions:,} positions\n")
    print("| both hold the target (judged) | one | none (put in) |\n|---|---|---|")
    print(
        "| " + " | ".join(f"{told[n]:.1%}" for n in ("judged", "one holds it", "inserted")) + " |"
    )


if __name__ == "__main__":
    main()
