"""How many users a second are ranked: mmbench, RecBole, ranx and torch.topk, in one run.

    python benchmarks/ranking.py                        # random vectors, Amazon Beauty's size
    python benchmarks/ranking.py --data beauty          # real histories and targets, SVD vectors

All get the same scores, made chunk by chunk by the same matrix product, whose time is listed apart.
"mmbench, products" are those of ``mmbench.products`` without a rank: equal items are looked for,
the product is made block by block, and of equal items one score is copied to the others; the last
column says what that costs beside the bare product. ``OPENBLAS_CORETYPE=Haswell`` measures AVX2.
Times are of the processor (``time.process_time``, one thread): neighbours on the machine make no
difference, as they would to a wall clock.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from data import PROTOCOL, Task, describe_machine, random_task, real_task

from mmbench.products import Products
from mmbench.protocol import Asked, evaluate, summarise
from mmbench.protocol.rank import TOP, WHOLE, Engine, has_numba, numba_engine, numpy_engine
from mmbench.toolkit.training import keep_freed_blocks
from mmbench.views import Answer, Float32, Vectors

CHUNK = 64  # rows of scores that are made at a time; RecBole gets the better of this and 512


@dataclass
class Row:
    """A line of the table: seconds for the product and for what came after it."""

    name: str
    users: int
    product: float
    ranking: float


def chunked(task: Task, chunk: int, padded: bool = False) -> Iterator[tuple[slice, Float32, float]]:
    """Chunks of scores in one buffer, with the seconds that each took.

    ``padded`` keeps column 0, for the padding item.
    """
    items = task.items if padded else task.items[1:]
    buffer = np.empty((chunk, len(items)), np.float32)
    for start in range(0, len(task.queries), chunk):
        rows = slice(start, min(start + chunk, len(task.queries)))
        begun = time.process_time()
        scores = np.matmul(task.queries[rows], items.T, out=buffer[: rows.stop - rows.start])
        yield rows, scores, time.process_time() - begun


def timed(
    task: Task, name: str, rank: Callable[[slice, Float32], None], chunk: int, padded: bool = False
) -> Row:
    """Run a method over all users, after one chunk that nobody times."""
    product = ranking = 0.0
    for warm in (True, False):
        for rows, scores, seconds in chunked(task, chunk, padded):
            begun = time.process_time()
            rank(rows, scores)
            ranking += time.process_time() - begun
            product += seconds
            if warm:
                product = ranking = 0.0
                break
    return Row(name, len(task.queries), product, ranking)


def level_products(task: Task, share: float = 0.0) -> Row:
    """Products alone, as ``evaluate`` makes them, with a ``share`` of the items like others."""
    rng = np.random.default_rng(0)
    items = task.items[1:].copy()
    like = rng.permutation(len(items))[: round(share * len(items))]
    items[like] = items[np.setdiff1d(np.arange(len(items)), like)[: len(like)]]
    begun = time.process_time()
    products = Products(items)
    scores = np.empty((products.rows, len(items)), np.float32)
    for start in range(0, len(task.queries), products.rows):
        products.fill(task.queries[start : start + products.rows], 0, scores)
    seconds = time.process_time() - begun
    name = "mmbench, products" + (f", {share:.0%} of the items like others" if share else "")
    return Row(name, len(task.queries), 0.0, seconds)


def count_only(task: Task, engine: Engine) -> Row:
    """The bare ranks of the whole catalogue."""
    column = task.split.test.target.astype(np.int64) - 1
    counts = np.empty((2, len(column)), np.int32)

    def rank(rows: slice, scores: Float32) -> None:
        part = np.empty((2, len(scores)), np.int32)
        engine.count_rows(scores, column[rows], part)
        counts[:, rows] = part

    return timed(task, f"mmbench, ranks ({engine.name})", rank, CHUNK)


def all_sets(task: Task, engine: Engine) -> Row:
    """What a record holds: ranks in each candidate set and two lists of 20."""
    fold = task.split.test

    def rank(rows: slice, scores: Float32) -> None:
        counts = np.empty((len(WHOLE), 2, len(scores)), np.int32)
        top = np.empty((len(WHOLE), len(scores), TOP), np.int32)
        offsets = fold.seen_offsets[rows.start : rows.stop + 1]
        engine.rank_rows(scores, fold.target[rows], offsets, fold.seen, counts, top)
        for candidates in fold.candidates.values():
            engine.among_rows(scores, fold.target[rows], candidates[rows], counts[0])

    sets = len(PROTOCOL.candidate_sets)
    return timed(task, f"mmbench, {sets} sets and 2 lists ({engine.name})", rank, CHUNK)


def whole_evaluation(task: Task) -> Row:
    """``evaluate`` as a cell calls it, product included, answered with vectors."""

    def ask(what: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        for rows in slices:
            yield Vectors(task.queries[rows], task.items)

    begun = time.process_time()
    ranks = evaluate(task.split.test, task.n_items, ask, PROTOCOL)
    summarise(ranks)
    seconds = time.process_time() - begun
    return Row(f"mmbench, evaluate() and metrics ({ranks.engine})", len(task.queries), 0.0, seconds)


def torch_topk(task: Task, k: int = 50) -> Row:
    """The best 50 of each row: what finding a cut-off's hits costs at the least in torch."""
    import torch

    torch.set_num_threads(1)

    def rank(rows: slice, scores: Float32) -> None:
        torch.topk(torch.from_numpy(scores), min(k, scores.shape[1]), dim=1)

    return timed(task, f"torch.topk, {k}", rank, CHUNK)


def recbole(task: Task) -> Row:
    """RecBole's Collector and Evaluator, four metrics at four cut-offs, with the better chunk."""
    import torch
    from mmbench_recbole import shims

    with shims.quiet_import():
        from recbole.evaluator import Collector, Evaluator
    torch.set_num_threads(1)
    keep_freed_blocks()
    settings = {
        "loss_type": "CE",
        "metrics": ["Recall", "NDCG", "MRR", "Hit"],
        "topk": [1, 5, 10, min(50, task.n_items)],
    }
    target = torch.from_numpy(task.split.test.target.astype(np.int64))

    def with_chunk(chunk: int) -> Row:
        config = shims.make_config("SASRec", settings, "cpu")
        collector, evaluator = Collector(config), Evaluator(config)

        def rank(rows: slice, scores: Float32) -> None:
            scores[:, 0] = -np.inf
            index = torch.arange(len(scores))
            users = shims.Interaction({"user_id": index})
            found = torch.from_numpy(scores)
            collector.eval_batch_collect(found, users, index, target[rows])

        row = timed(
            task, f"RecBole, Collector and Evaluator (chunks of {chunk})", rank, chunk, True
        )
        begun = time.process_time()
        evaluator.evaluate(collector.get_data_struct())
        row.ranking += time.process_time() - begun
        return row

    return min((with_chunk(chunk) for chunk in (CHUNK, 512)), key=lambda row: row.ranking)


def ranx(task: Task, k: int = 100) -> Row:
    """Rates a run of the best 100 of each user with ranx, whose compiler is warmed up first."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ranx import Qrels, Run
        from ranx import evaluate as rate
    metrics = ["hit_rate@10", "ndcg@10", "mrr"]
    rate(Qrels({"0": {"1": 1}}), Run({"0": {"1": 1.0}}), metrics)
    run: dict[str, dict[str, float]] = {}
    target = task.split.test.target

    def rank(rows: slice, scores: Float32) -> None:
        value, item = torch.topk(torch.from_numpy(scores), min(k, scores.shape[1]), dim=1)
        names = (item.numpy() + 1).astype(str).tolist()
        for row, keys, values in zip(
            range(rows.start, rows.stop), names, value.tolist(), strict=True
        ):
            run[str(row)] = dict(zip(keys, values, strict=True))

    row = timed(task, f"ranx, runs of {k}", rank, CHUNK)
    begun = time.process_time()
    relevant = Qrels({str(user): {str(item): 1} for user, item in enumerate(target.tolist())})
    rate(relevant, Run(run), metrics)
    row.ranking += time.process_time() - begun
    return row


def measure(task: Task, repeats: int, without: Sequence[str] = ()) -> list[Row]:
    """Each method ``repeats`` times, the best time of each; methods take turns."""
    engines = [numba_engine()] if has_numba() else []
    engines.append(numpy_engine())
    methods: list[Callable[[], Row]] = [
        lambda: level_products(task),
        lambda: level_products(task, 0.1),
        lambda: level_products(task, 0.5),
        *(lambda engine=engine: count_only(task, engine) for engine in engines),
        *(lambda engine=engine: all_sets(task, engine) for engine in engines),
        lambda: whole_evaluation(task),
    ]
    for package, method in (("torch", torch_topk), ("mmbench_recbole", recbole), ("ranx", ranx)):
        if importlib.util.find_spec(package) and package not in without:
            methods.append(lambda method=method: method(task))
        else:
            print(f"{package} is not measured")
    rounds = [[method() for method in methods] for _ in range(repeats)]
    return [
        min(rows, key=lambda row: row.product + row.ranking) for rows in zip(*rounds, strict=True)
    ]


def show(task: Task, rows: list[Row]) -> None:
    """The table in markdown."""
    product = min(row.product for row in rows if row.product)
    users = rows[0].users
    rival = next((row for row in rows if row.name.startswith("RecBole")), None)
    print(f"\n{task.name}; the matrix product alone: {users / product:,.0f} users/s\n")
    print(
        "| method | ranking alone, users/s | x RecBole | product + ranking, users/s | x product |"
    )
    print("|:--|--:|--:|--:|--:|")
    for row in rows:
        alone, both = row.ranking, row.product + row.ranking
        ratio = f"{rival.ranking / alone:.1f}" if rival and row.product else ""
        rate = f"{users / alone:,.0f}" if row.product else ""
        base = row.product or product
        print(f"| {row.name} | {rate} | {ratio} | {users / both:,.0f} | {both / base:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="random", help="random, or a dataset's name")
    parser.add_argument("--users", type=int, default=22_363)
    parser.add_argument("--items", type=int, default=12_101)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="torch, mmbench_recbole, ranx")
    given = parser.parse_args()
    if given.data == "random":
        task = random_task(given.users, given.items, given.dim)
    else:
        task = real_task(given.data, given.dim)
    print(describe_machine())
    show(task, measure(task, given.repeats, given.without))


if __name__ == "__main__":
    main()
