"""What a second thread is worth to ``sequential``: to its softmax, and to its networks.

    python benchmarks/threads.py --threads 2

Softmax: ``full_loss`` with a lane for each thread, beside one lane. Networks: forward and backward
with torch's own threads, beside one. The clock is wall time, so the cores must be free; variants
take turns and the best pass of each counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from data import describe_machine

# isort: split
import torch
from mmbench_sequential.attention import SASRec
from mmbench_sequential.configs import FMLPRecConfig, LRURecConfig, SASRecConfig
from mmbench_sequential.filters import FMLPRec
from mmbench_sequential.lru import LRURec
from mmbench_sequential.network import Network
from mmbench_sequential.softmax import full_loss
from mmbench_sequential.training import narrow_type

from mmbench.toolkit.training import keep_freed_blocks

CPU = torch.device("cpu")


def main() -> None:
    """Print a line for the softmax and one for each network and number of positions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--items", type=int, default=12_101)
    parser.add_argument("--positions", type=int, nargs="+", default=[500, 2000, 4000, 12800])
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    keep_freed_blocks()
    print(describe_machine(f"one or {options.threads} threads"))
    print(f"| what | 1 thread, ms | {options.threads} threads, ms | x |\n|:--|--:|--:|--:|")

    def report(name: str, work: Callable[[int], None]) -> None:
        one, more = best_times(work, (1, options.threads), options.repeats)
        print(f"| {name} | {1000 * one:.1f} | {1000 * more:.1f} | {more / one:.2f} |", flush=True)

    report(f"softmax, 440 x {options.items}", softmax(440, options.items))
    for name, network, width in (
        ("lrurec", LRURec(options.items, LRURecConfig()), 10),
        ("sasrec-ce", SASRec(options.items, SASRecConfig()), 10),
        ("fmlprec", FMLPRec(options.items, FMLPRecConfig()), 50),
    ):
        for positions in options.positions:
            history = torch.randint(1, options.items + 1, (positions // width, width))
            report(f"{name}, {positions} positions", reading(network, history))


def softmax(rows: int, items: int) -> Callable[[int], None]:
    """The loss with its gradients, in as many lanes as there are threads."""
    hidden, table = torch.randn(rows, 64) / 8, torch.randn(items, 64) / 8
    target = torch.randint(items, (rows,))

    def work(threads: int) -> None:
        torch.set_num_threads(1)
        full_loss(hidden, table, target, dtype=narrow_type("auto", CPU), lanes=threads)

    return work


def reading(network: Network, history: torch.Tensor) -> Callable[[int], None]:
    """Forward and backward, as in training."""
    narrow = narrow_type("auto", CPU)

    def work(threads: int) -> None:
        torch.set_num_threads(threads)
        with torch.autocast("cpu", narrow, enabled=narrow is not None):
            states = network.train()(history)
        states.float().sum().backward()

    return work


def best_times(work: Callable[[int], None], threads: tuple[int, ...], repeats: int) -> list[float]:
    """Seconds of the best of ``repeats`` passes with each number of threads; one more warms up."""
    best = dict.fromkeys(threads, float("inf"))
    for turn in range(repeats + 1):
        for number in threads:
            begun = time.perf_counter()
            work(number)
            if turn:
                best[number] = min(best[number], time.perf_counter() - begun)
    return list(best.values())


if __name__ == "__main__":
    main()
