"""RecBole's sequential models: right-padded rows in, catalogue scores out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch

from mmbench import Interactions, Queries, Run
from mmbench_recbole import shims
from mmbench_recbole.negatives import Negatives
from mmbench_recbole.rows import Rows, batches, right_padded, trained, windows
from mmbench_recbole.shims import Network
from mmbench_recbole.softmax import softmax_loss
from mmbench_recbole.users import settle
from mmbench_recbole.world import (
    ITEM,
    LENGTH,
    NEGATIVE,
    SEQUENCE,
    USER,
    World,
    interaction,
    query_columns,
    to_answer,
)

TRAINED = "trained"
SCORING_ROWS = 256


def every_position(kind: Network) -> Network:
    """A subclass of a causal RecBole model that trains all positions of a row in one pass.

    RecBole's SASRec and GRU4Rec compute a state for every position and then keep the one at
    ``length - 1``, as each prefix is a row of its own. Both look only back, so the state at
    position ``k`` is the one that the prefix of ``k + 1`` events would get: keeping them all gives
    the loss of all those rows from one.
    """

    class EveryPosition(kind):  # type: ignore[misc]
        _trained: torch.Tensor | None = None

        def calculate_loss(self, batch: Any) -> Any:
            self._trained = batch[TRAINED]
            try:
                if self.loss_type != "CE":
                    return super().calculate_loss(batch)
                states = self.forward(batch[self.ITEM_SEQ], batch[self.ITEM_SEQ_LEN])
                return softmax_loss(states, self.item_embedding.weight, batch[self.POS_ITEM_ID])
            finally:
                self._trained = None

        def gather_indexes(self, output: torch.Tensor, index: torch.Tensor) -> Any:
            if self._trained is None:
                return super().gather_indexes(output, index)
            return output[self._trained]

    EveryPosition.__name__ = kind.__name__
    return EveryPosition


class Sequential:
    """One RecBole sequential model, its training rows and its scores.

    Args:
        name: RecBole's class.
        settings: what its ``Config`` gets.
        max_history: events that the model sees.
        batch_size: training positions in a step.
        mode: ``positions`` (SASRec and GRU4Rec only) trains all positions of a row in one pass,
            ``prefixes`` makes each prefix a row, as RecBole does.
        stride: with ``positions``, how far the window moves on in sequences that are longer than
            ``max_history``, and in ``MaskedSequential`` how far in all; 1 is exactly RecBole's set
            of rows.
        trim: cut a batch's common padding off; exact for models that ignore what follows a row.
    """

    trainable = True

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        train: Interactions,
        run: Run,
        *,
        max_history: int,
        batch_size: int,
        mode: Literal["positions", "prefixes"] = "prefixes",
        stride: int = 1,
        trim: bool = False,
    ) -> None:
        shims.seed_everything(run.seed)
        self.rng = np.random.default_rng(run.seed)
        self.device, self.max_history, self.batch_size = run.device, max_history, batch_size
        self.train, self.trim, self.n_items = train, trim, train.n_items
        self.every, self.stride = mode == "positions", stride
        self.width = self.widest_row()
        self.world = World(train, self.width)
        all_settings = {"MAX_ITEM_LIST_LENGTH": self.width, **settings}
        config = shims.make_config(name, all_settings, run.device)
        self.transform = shims.row_transform(config)
        self.model = shims.make_model(self.network(name), config, self.world)
        self.negatives = None if config["loss_type"] == "CE" else Negatives(train)
        self.rows = self.training_rows()
        if not len(self.rows):
            raise ValueError(
                "no user has two training events, so there is no next event to learn from; "
                "use a dataset with longer histories, or a model without order such as pop"
            )

    def widest_row(self) -> int:
        return self.max_history

    def network(self, name: str) -> Network:
        kind = shims.model_class(name)
        return every_position(kind) if self.every else kind

    def training_rows(self) -> Rows:
        """One row for each prefix, or one for all prefixes that fit in a window."""
        offsets = self.train.offsets()
        inputs = np.diff(offsets) - 1
        head, stride = (self.width, self.stride) if self.every else (1, 1)
        return windows(offsets[:-1], inputs, self.width, head, stride)

    def ready(self) -> None:
        """Make the model fit for scoring after its weights changed."""
        settle(self.model, self.world)

    def epoch(self) -> Iterator[Any]:
        """The batches of one epoch."""
        for index in batches(self.rows, self.batch_size, self.rng, alike=self.trim):
            yield self.batch(self.rows.take(index))

    def batch(self, rows: Rows) -> Any:
        """A RecBole batch of rows; targets lie flat, in the order of rows and positions."""
        width = int(rows.length.max()) if self.trim else self.width
        mask = trained(rows, width)
        target = right_padded(self.train.item, rows.start + 1, rows.length, width)[mask]
        user = self.train.user[rows.start].astype(np.int64) + 1
        columns = {
            USER: user,
            SEQUENCE: right_padded(self.train.item, rows.start, rows.length, width),
            LENGTH: rows.length,
            ITEM: target,
            TRAINED: mask,
        }
        if self.negatives is not None:
            columns[NEGATIVE] = self.negatives.draw(np.repeat(user - 1, mask.sum(1)), self.rng)
        return self.transform(self.world, interaction(columns)).to(self.device)

    def score(self, queries: Queries) -> np.ndarray:
        """float32[b, n_items]. Queries of like length are scored together.

        Scores are rounded as torch does it, which depends on the processor and on the batch.
        """
        self.model.eval()
        columns = query_columns(queries, self.max_history)
        length = columns[LENGTH]
        answer = np.empty((len(queries), self.n_items), dtype=np.float32)
        order = np.argsort(length, kind="stable")
        for start in range(0, len(order), SCORING_ROWS):
            index = order[start : start + SCORING_ROWS]
            part = {name: column[index] for name, column in columns.items()}
            if self.trim:
                part[SEQUENCE] = part[SEQUENCE][:, : length[index].max()]
            answer[index] = self.predict(part)
        return answer

    @torch.inference_mode()
    def predict(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """RecBole's ``full_sort_predict``, without the column of the padding item."""
        batch = self.transform(self.world, interaction(columns)).to(self.device)
        scores = self.model.full_sort_predict(batch)
        return to_answer(scores, len(columns[LENGTH]), self.n_items)


class MaskedSequential(Sequential):
    """BERT4Rec: rows that are masked anew in each epoch by RecBole's transform."""

    def widest_row(self) -> int:
        """One place more than the history has: the mask that stands for the next event needs it."""
        return self.max_history + 1

    def network(self, name: str) -> Network:
        return shims.MaskedBERT4Rec

    def training_rows(self) -> Rows:
        """A row for each event but a user's first: the events up to it, itself included.

        Where the last event alone is masked, these are the histories and targets of ``prefixes``;
        with one row a user, a user's last event would be the only target that follows all that the
        row shows. A row counts once in a batch, however many events are masked.
        """
        offsets = self.train.offsets()
        length = np.where(np.diff(offsets) > 1, np.diff(offsets), 0)
        rows = windows(offsets[:-1], length, self.width, head=2, stride=self.stride)
        return Rows(rows.start, rows.length, rows.length - 1)

    def batch(self, rows: Rows) -> Any:
        """Rows with the event that they end with, some events masked."""
        items = right_padded(self.train.item, rows.start, rows.length, int(rows.length.max()))
        columns = {SEQUENCE: items, LENGTH: rows.length}
        return self.transform(self.world, interaction(columns)).to(self.device)

    @torch.inference_mode()
    def predict(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The history with a mask after it.

        RecBole appends the mask and then drops the first place, so that a full history fits; that
        loses the oldest event of short histories too, and all of a history of one. A padding place
        in front is what gets dropped here.
        """
        sequence = np.pad(columns[SEQUENCE], ((0, 0), (1, 0)))
        length = (columns[SEQUENCE] > 0).sum(1) + 1
        shifted = {**columns, SEQUENCE: sequence, LENGTH: length}
        scores = self.model.full_sort_predict(interaction(shifted, self.device))
        return to_answer(scores, len(length), self.n_items)
