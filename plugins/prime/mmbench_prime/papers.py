"""Published figures: PRIME, tables 2 to 4 (leave-one-out, the whole catalogue with the history)."""

from __future__ import annotations

from mmbench import Published

DATASETS = ("amazon2014-beauty", "amazon2014-clothing", "amazon2014-sports", "amazon2014-toys")
DIFFERS = (
    "the paper averages over batches, validates the ranker on users whose target was retrieved, "
    "and searches dropout and the weight of the preference for each dataset"
)
LLAMAREC = (
    "the paper's LlamaRec is Llama 2 (7B), masks the history where its other rows do not, and adds "
    "the retriever's figures of missed users"
)

Pair = tuple[float, float]
Four = tuple[float, float, float, float]


def _pairs(
    table: int, model: str, figures: tuple[Pair, ...], differs: str = DIFFERS
) -> tuple[Published, ...]:
    """A row of table 3 or 4: ndcg@10 and recall@10 of each dataset."""
    return tuple(
        Published(dataset, "full", metric, value, f"PRIME, table {table}", model, differs)
        for dataset, values in zip(DATASETS, figures, strict=True)
        for metric, value in zip(("ndcg@10", "hit@10"), values, strict=True)
    )


def _fours(model: str, figures: tuple[Four, ...], differs: str) -> tuple[Published, ...]:
    """A row of table 2."""
    return tuple(
        Published(dataset, "full", metric, value, "PRIME, table 2", model, differs)
        for dataset, values in zip(DATASETS, figures, strict=True)
        for metric, value in zip(("ndcg@5", "hit@5", "ndcg@10", "hit@10"), values, strict=True)
    )


PAPERS = {
    "": _fours(
        "PRIME",
        (
            (0.0525, 0.0736, 0.0609, 0.0998),
            (0.0213, 0.0309, 0.0246, 0.0410),
            (0.0281, 0.0413, 0.0342, 0.0603),
            (0.0599, 0.0831, 0.0695, 0.1128),
        ),
        DIFFERS,
    ),
    "no-preference": _pairs(
        3,
        "PRIME w/o Preference Optim.",
        ((0.0593, 0.0977), (0.0240, 0.0400), (0.0326, 0.0571), (0.0693, 0.1127)),
    ),
    "sasrec": _pairs(
        3,
        "PRIME w/ SASRec Retriever",
        ((0.0497, 0.0942), (0.0214, 0.0373), (0.0325, 0.0563), (0.0603, 0.1017)),
    ),
    "fmlprec": _pairs(
        3,
        "PRIME w/ FMLP-Rec Retriever",
        ((0.0588, 0.1017), (0.0239, 0.0403), (0.0333, 0.0586), (0.0685, 0.1036)),
    ),
    "llava": _pairs(
        3,
        "PRIME w/ Llava Ranker (7B)",
        ((0.0590, 0.0943), (0.0238, 0.0390), (0.0329, 0.0576), (0.0679, 0.1132)),
    ),
    "mantis": _pairs(
        3,
        "PRIME w/ Mantis Ranker (8B)",
        ((0.0599, 0.0973), (0.0242, 0.0406), (0.0321, 0.0589), (0.0680, 0.1128)),
        "the paper's ranker is Mantis (Llama 3, 8B); Qwen2.5-VL (7B) stands in its place",
    ),
    "title-only": _pairs(
        4,
        "PRIME w/ Title Only",
        ((0.0548, 0.0934), (0.0231, 0.0383), (0.0318, 0.0568), (0.0650, 0.1080)),
    ),
    "no-image": _pairs(
        4,
        "PRIME w/o Image",
        ((0.0600, 0.0965), (0.0235, 0.0400), (0.0329, 0.0587), (0.0664, 0.1102)),
    ),
    "no-title": _pairs(
        4,
        "PRIME w/o Title",
        ((0.0526, 0.0897), (0.0190, 0.0350), (0.0301, 0.0542), (0.0614, 0.1049)),
    ),
    "llamarec": _fours(
        "LlamaRec",
        (
            (0.0474, 0.0669, 0.0554, 0.0940),
            (0.0201, 0.0282, 0.0239, 0.0396),
            (0.0257, 0.0383, 0.0326, 0.0590),
            (0.0577, 0.0773, 0.0647, 0.1088),
        ),
        LLAMAREC,
    ),
}
