"""Several files that look like parts of one log: what they may be, and in which order they stand.

Files of train, valid and test may be one log, or a published split of it. Then they can also become
a local protocol, see ``mmbench.protocol.local``: a table that says of which fold each event is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.data.log import DataError
from mmbench.data.looks import Look
from mmbench.data.spec import MARKS, PROTOCOL
from mmbench.data.tables import parquet_bytes
from mmbench.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

FOLDS = {
    "train": {"train", "training", "trainset", "trn"},
    "valid": {"valid", "validation", "validate", "validset", "val", "dev"},
    "test": {"test", "testing", "testset", "tst"},
}


class Several(DataError):
    """Which of several files hold the events, a person must say.

    Attributes:
        names: of the files, train before validation before test.
        joinable: whether they have the same columns, so that they can be read as one log.
        folds: whether they are the files of a whole published split.
    """

    def __init__(self, folder: Path, looks: Sequence[Look]) -> None:
        self.names = tuple(sorted((one.name for one in looks), key=part_order))
        kinds = {(one.reading.format, frozenset(one.columns)) for one in looks}
        self.joinable = len(kinds) == 1
        self.folds = self.joinable and {fold_of(name) for name in self.names} == set(FOLDS)
        both = "both" if len(self.names) == 2 else "all"
        together = shlex.quote(",".join(self.names))
        said = (
            f"{folder}: {', '.join(self.names[:-1])} and {self.names[-1]} {both} look like "
            "interactions; name one (`file` under [interactions] in dataset.toml, --interactions)"
        )
        said += f", or, if they are parts of one log, join them: --join {together}"
        if not self.joinable:
            said += " (as far as they have the same columns)"
        if self.folds:
            said += " (with --local-split, which keeps the split as a protocol of your own)"
        super().__init__(said)


def fold_of(text: str) -> str:
    """``train``, ``valid`` or ``test``, as a file's name or a cell tells; empty where none does.

    The name of a file tells before those of its folders; one that tells two folds tells none.
    """
    for part in reversed(text.lower().split("/")):
        words = set(re.findall(r"[a-z]+", part))
        found = [fold for fold, known in FOLDS.items() if words & known]
        if found:
            return found[0] if len(found) == 1 else ""
    return ""


def part_order(name: str) -> tuple[int, str]:
    """Train before validation before test, then by name; what is none of these comes first."""
    fold = fold_of(name)
    return list(FOLDS).index(fold) if fold else -1, name


def fold_marks(identity: str, events: pd.DataFrame) -> dict[str, list[str | int]]:
    """The columns of a table that says of which fold each event is.

    The time is one of them only where a user has an item twice.

    Args:
        identity: the dataset's id, for messages.
        events: as ``RawDataset.events``, with the column ``split``: a file's name, or a cell.

    Raises DataError where that tells no split of three folds.
    """
    if "split" not in events:
        raise DataError(
            f"{identity}: no split is published with these events: join its files (--join "
            "train.csv,valid.csv,test.csv), or name a file with a column that tells the fold"
        )
    values = {str(value) for value in events["split"].unique()}
    told = {value: fold_of(value) for value in values}
    if values == {"0", "1", "2"}:  # MMRec's x_label
        told = dict(zip(sorted(values), FOLDS, strict=True))
    wrong = next((value for value, fold in told.items() if not fold), None)
    if wrong is not None:
        raise DataError(
            f"{identity}: {wrong!r} tells no fold of a split, as train, valid and test do, or the "
            "numbers 0, 1 and 2 for these"
        )
    lacking = [fold for fold in FOLDS if fold not in told.values()]
    if lacking:
        raise DataError(
            f"{identity}: its published split has no fold {lacking[0]!r}, and a protocol needs "
            "train, valid and test; import the events without --local-split"
        )
    marks: dict[str, list[str | int]] = {
        "user_id": events["user"].tolist(),
        "item_id": events["item"].tolist(),
        "split": [told[str(value)] for value in events["split"]],
    }
    if events.duplicated(["user", "item"]).any():
        marks["time"] = events["time"].tolist()
    return marks


def write_split(folder: Path, identity: str, marks: Mapping[str, Sequence[str | int]]) -> Path:
    """Write ``fold_marks`` as a local protocol into a folder, and return its path."""
    import pyarrow as pa
    import tomli_w

    write_atomically(folder / MARKS, parquet_bytes(pa.table(dict(marks)), {}, level=3))
    lines = {
        "name": identity[:40],
        "about": f"The split that is published with {identity}.",
        "split": "column",
        "file": MARKS,
        "user": "user_id",
        "item": "item_id",
    }
    lines |= {"time": "time"} if "time" in marks else {}
    write_atomically(folder / PROTOCOL, tomli_w.dumps(lines).encode("utf-8"))
    return folder / PROTOCOL
