"""What beams find of the exact answer, where a model was trained: TIGER on a dataset's titles.

    MMBENCH_DATA=... python benchmarks/beams_trained.py --data beauty --prompts 100

Fits ``trialigngr/tiger-text/tiny`` with ids of 256 codes a level, wider and longer than the preset,
and asks for the next item of the first users by so many beams, and by the likelihood of every id
(``vlm.exact_scores``). ndcg@10 is that of the whole catalogue, the history among it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from beams import TOP, agreement
from data import describe_machine  # sets one thread; before torch is loaded

# isort: split
import torch
from mmbench_trialigngr.configs import PRESETS
from mmbench_trialigngr.models import TriAlignGR

from mmbench.data import load
from mmbench.grid.question import ask_question
from mmbench.protocol import get_protocol
from mmbench.testing import make_run


def main() -> None:
    """Fit, ask, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--beams", type=int, nargs="+", default=[20, 50, 100])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--codes", type=int, default=256, help="of each of three levels")
    given = parser.parse_args()
    torch.set_num_threads(1)
    question = ask_question(load(given.data), get_protocol("loo@2"))
    config = replace(
        PRESETS["tiger-text/tiny"],
        id_sizes=(given.codes,) * 3,
        dim=given.dim,
        heads=2,
        epochs=given.epochs,
        max_history=10,
        validate_every=0,
    )
    print(describe_machine(), "\n")
    with tempfile.TemporaryDirectory() as name:
        run = make_run(Path(name))
        for folder in (run.scratch, run.cache):
            folder.mkdir()
        model, begun = TriAlignGR(config), time.process_time()
        model.fit(question.train, question.items, run)
        print(f"{given.data}, {given.epochs} epochs, {time.process_time() - begun:.0f} s of fit")
        asked = question.split.test
        histories = [row[row > 0].tolist() for row in asked.queries.history[: given.prompts]]
        writer = model.writer
        prompts = [writer.write("next", history, None) for history in histories]
        print(f"{len(prompts)} prompts, {writer.trie}\n")
        targets = np.asarray(asked.target[: given.prompts], np.int64)
        found = agreement(writer.backbone, prompts, writer.trie, given.beams, targets)
    print(f"| beams | of the exact best {TOP}, found | ndcg@10 | ndcg@10, exact |")
    print("|--:|--:|--:|--:|")
    for beams, values in found.items():
        shared, near = values[f"overlap@{TOP}"], values["ndcg@10"]
        print(f"| {beams} | {shared:.1%} | {near:.4f} | {values['exact ndcg@10']:.4f} |")


if __name__ == "__main__":
    main()
