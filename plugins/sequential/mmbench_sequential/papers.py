"""Published figures: PRIME, table 2 (full ranking, history not masked, leave-one-out, 5-core)."""

from __future__ import annotations

from mmbench import Published

SOURCE = "PRIME, table 2"
METRICS = ("ndcg@5", "hit@5", "ndcg@10", "hit@10")  # the paper's recall is hit: one target
DATASETS = ("amazon2014-beauty", "amazon2014-clothing", "amazon2014-sports", "amazon2014-toys")

Figures = tuple[float, float, float, float]


def _rows(model: str, figures: tuple[Figures, ...], differs: str) -> tuple[Published, ...]:
    return tuple(
        Published(dataset, "full", metric, value, SOURCE, model, differs)
        for dataset, values in zip(DATASETS, figures, strict=True)
        for metric, value in zip(METRICS, values, strict=True)
    )


SASREC = _rows(
    "SASRec",
    (
        (0.0274, 0.0456, 0.0364, 0.0734),
        (0.0075, 0.0134, 0.0104, 0.0227),
        (0.0143, 0.0267, 0.0210, 0.0474),
        (0.0291, 0.0534, 0.0380, 0.0807),
    ),
    "the paper does not state the loss of its SASRec; ours is the softmax over the whole catalogue",
)
LRUREC = _rows(
    "LRURec",
    (
        (0.0339, 0.0565, 0.0438, 0.0871),
        (0.0104, 0.0192, 0.0140, 0.0304),
        (0.0204, 0.0344, 0.0266, 0.0536),
        (0.0366, 0.0601, 0.0463, 0.0901),
    ),
    "the paper searches dropout and weight decay for each dataset; ours is one setting",
)
FMLPREC = _rows(
    "FMLP-Rec",
    (
        (0.0318, 0.0539, 0.0416, 0.0846),
        (0.0091, 0.0167, 0.0123, 0.0266),
        (0.0194, 0.0329, 0.0252, 0.0508),
        (0.0308, 0.0534, 0.0408, 0.0845),
    ),
    "the paper does not state the loss of its FMLP-Rec; ours is the softmax over the whole "
    "catalogue, the original's is binary cross entropy with one negative",
)
