"""Published figures: MM-GPT2Rec, tables I and II. No figure of ours can be held against them.

The paper's data (four categories of Amazon 2018, 400,000 events) and its split are not published,
and its figures count the end of a list as a product: README.md has the arithmetic.
"""

from __future__ import annotations

from mmbench import Published

DATASET = "amazon2018-mm-gpt2rec"  # nobody has it, so no board prints these rows beside ours
DIFFERS = (
    "not comparable: the paper asks for the next five items, fills short lists up with an end "
    "token, and counts that token as a hit"
)
METRICS_1 = ("hit@5", "precision@5", "ndcg@5", "mrr", "map@5")
METRICS_2 = ("hit@5", "precision@5", "mrr", "ndcg@5")

TABLE_1 = {
    "MM-GPT2Rec": (0.833, 0.297, 0.220, 0.207, 0.113),
    "VBPR": (0.456, 0.455, 0.456, 0.455, 0.457),
    "DeepCoNN": (0.456, 0.455, 0.456, 0.455, 0.457),
    "NRMF": (0.455, 0.455, 0.456, 0.455, 0.457),
    "SASRec": (0.456, 0.455, 0.456, 0.455, 0.457),
    "Content-Based": (0.080, 0.066, 0.129, 0.075, 0.033),
    "Matrix Factorization": (0.093, 0.020, 0.039, 0.064, 0.010),
    "Hybrid": (0.080, 0.020, 0.051, 0.073, 0.010),
    "Collaborative Filtering": (0.011, 0.002, 0.007, 0.007, 0.001),
    "Popularity": (0.034, 0.007, 0.006, 0.010, 0.002),
}
TABLE_2 = {
    "Text-only": (0.137, 0.031, 0.121, 0.132),
    "Multimodal(Concatenation)": (0.049, 0.010, 0.046, 0.047),
    "Multimodal(Weighted)": (0.049, 0.010, 0.046, 0.047),
    "Multimodal(Attention)": (0.049, 0.010, 0.046, 0.047),
}


def _rows(table: str, model: str) -> tuple[Published, ...]:
    values, metrics = (TABLE_1[model], METRICS_1) if table == "I" else (TABLE_2[model], METRICS_2)
    return tuple(
        Published(DATASET, "unseen", metric, value, f"MM-GPT2Rec, table {table}", model, DIFFERS)
        for metric, value in zip(metrics, values, strict=True)
    )


PAPERS = {
    "": _rows("I", "MM-GPT2Rec") + _rows("II", "Multimodal(Concatenation)"),
    "text-only": _rows("II", "Text-only"),
    "weighted": _rows("II", "Multimodal(Weighted)"),
    "attention": _rows("II", "Multimodal(Attention)"),
}
