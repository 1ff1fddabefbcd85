"""Published figures: PRIME, table 2 (full ranking, history not masked, leave-one-out, 5-core)."""

from __future__ import annotations

from mmbench import Published

SOURCE = "PRIME, table 2"
METRICS = ("ndcg@5", "hit@5", "ndcg@10", "hit@10")  # the paper's recall is hit: one target

SASREC_DIFFERS = (
    "the paper's SASRec code, loss not stated: the figure lies between those that RecBole's users "
    "report for binary cross entropy with one negative (.0281) and full softmax (.0416)"
)
BERT4REC_DIFFERS = (
    "the paper's BERT4Rec code, dropout searched from .4 to .6 where ours is .2; "
    "ours reads the oldest event too"
)


def _rows(dataset: str, model: str, values: tuple[float, ...], differs: str) -> list[Published]:
    return [
        Published(dataset, "full", metric, value, SOURCE, model, differs)
        for metric, value in zip(METRICS, values, strict=True)
    ]


SASREC = (
    *_rows("amazon2014-beauty", "SASRec", (0.0274, 0.0456, 0.0364, 0.0734), SASREC_DIFFERS),
    *_rows("amazon2014-sports", "SASRec", (0.0143, 0.0267, 0.0210, 0.0474), SASREC_DIFFERS),
)
BERT4REC = (
    *_rows("amazon2014-beauty", "BERT4Rec", (0.0275, 0.0420, 0.0350, 0.0653), BERT4REC_DIFFERS),
    *_rows("amazon2014-sports", "BERT4Rec", (0.0137, 0.0215, 0.0181, 0.0355), BERT4REC_DIFFERS),
)
