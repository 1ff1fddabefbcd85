"""Published figures: PixRec, table 3 (Subscription Boxes of Amazon 2023)."""

from __future__ import annotations

from mmbench import Published

SOURCE = "PixRec, table 3"
METRICS = ("ndcg@10", "hit@1", "hit@10", "mrr")  # the paper's recall is hit: one target
DIFFERS = (
    "the reference code tests on the users that it trains on, with a random window of each, trains "
    "without the shift of equation 1 and, one example a step, without contrast; a miss counts "
    "1/11 or 1/21 in its mrr"
)
FIGURES = {
    "SmolLM2 (text)": (0.0086, 0.0013, 0.0222, 0.0936),
    "SmolVLM (text+image)": (0.0062, 0.0026, 0.0104, 0.112),
    "PaliGemma2 (text+image)": (0.0103, 0.0045, 0.0313, 0.112),
}


def _row(model: str) -> tuple[Published, ...]:
    return tuple(
        Published("amazon2023-pixrec", "full", metric, value, SOURCE, model, DIFFERS)
        for metric, value in zip(METRICS, FIGURES[model], strict=True)
    )


PIXREC = {
    "": _row("PaliGemma2 (text+image)"),
    "paligemma2": _row("PaliGemma2 (text+image)"),
    "smolvlm": _row("SmolVLM (text+image)"),
    "smollm2": _row("SmolLM2 (text)"),
}
