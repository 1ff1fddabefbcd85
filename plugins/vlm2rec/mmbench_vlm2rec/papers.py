"""Published figures: VLM2Rec, table 2 (Task 1, ranking a target among 100 drawn negatives)."""

from __future__ import annotations

from mmbench import Published

SOURCE = "VLM2Rec, table 2"
METRICS = ("hit@10", "hit@20", "ndcg@10", "ndcg@20")
DATASETS = ("amazon2014-toys", "amazon2014-beauty", "amazon2014-clothing", "amazon2014-sports")
DATA = (
    "the paper's catalogues hold 20 to 30% fewer items (those without a title or a picture), and "
    "its negatives are not published; the temperatures and weights that it chose are not stated"
)

Figures = tuple[float, float, float, float]


def _rows(model: str, figures: tuple[Figures, ...]) -> tuple[Published, ...]:
    return tuple(
        Published(dataset, "neg100", metric, value, SOURCE, model, DATA)
        for dataset, values in zip(DATASETS, figures, strict=True)
        for metric, value in zip(METRICS, values, strict=True)
    )


PAPERS = {
    "": _rows(
        "VLM2Rec",
        (
            (0.5225, 0.6476, 0.3578, 0.3893),
            (0.5644, 0.6822, 0.3824, 0.4121),
            (0.5627, 0.7182, 0.3458, 0.3851),
            (0.5574, 0.6993, 0.3694, 0.4052),
        ),
    ),
    "sft-ext": _rows(
        "VLM-SFT (Ext.)",
        (
            (0.4160, 0.5897, 0.2209, 0.2647),
            (0.4038, 0.6372, 0.2744, 0.3300),
            (0.5022, 0.6474, 0.3164, 0.3531),
            (0.4795, 0.6291, 0.2783, 0.3161),
        ),
    ),
    "sft-int": _rows(
        "VLM-SFT (Int.)",
        (
            (0.3381, 0.5131, 0.1770, 0.2209),
            (0.4100, 0.5794, 0.2941, 0.3498),
            (0.4531, 0.6178, 0.3015, 0.3284),
            (0.4588, 0.6383, 0.2720, 0.3093),
        ),
    ),
    "vanilla-ext": _rows(
        "VLM-Vanilla (Ext.)",
        (
            (0.2659, 0.4222, 0.1426, 0.1817),
            (0.2096, 0.3379, 0.1097, 0.1419),
            (0.2459, 0.3799, 0.1375, 0.1711),
            (0.2538, 0.3803, 0.1203, 0.1761),
        ),
    ),
    "vanilla-int": _rows(
        "VLM-Vanilla (Int.)",
        (
            (0.3184, 0.4245, 0.2093, 0.2360),
            (0.2146, 0.2986, 0.1358, 0.1569),
            (0.2661, 0.3577, 0.1830, 0.2060),
            (0.3045, 0.3840, 0.2113, 0.2313),
        ),
    ),
    "llm-sft": _rows(
        "LLM-SFT",
        (
            (0.4287, 0.5669, 0.2712, 0.3061),
            (0.4963, 0.6347, 0.3085, 0.3434),
            (0.4333, 0.6049, 0.2525, 0.2957),
            (0.4863, 0.6684, 0.2797, 0.3265),
        ),
    ),
    "llm-vanilla": _rows(
        "LLM-Vanilla",
        (
            (0.2419, 0.3597, 0.1452, 0.1747),
            (0.2300, 0.3428, 0.1353, 0.1636),
            (0.2849, 0.4052, 0.1663, 0.1966),
            (0.2225, 0.3471, 0.1264, 0.1577),
        ),
    ),
}
