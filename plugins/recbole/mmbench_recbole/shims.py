"""RecBole 1.2.0 beside the libraries of today. Each shim says what happens without it.

This is the only module that imports RecBole; the others take its names from here.

Nothing here touches RecBole's data sets, samplers, trainers or evaluators: they are not used.
RecBole's trainer and logger are what write ``log/``, ``log_tensorboard/`` and ``saved/`` into the
working directory, so leaving them alone is the cure for that too.
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from mmbench_recbole.softmax import softmax_loss


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import RecBole without its side effects.

    Its sources hold invalid escapes and deprecated names, which warn; and importing the sequential
    models switches autograd's anomaly detection on for the whole process (``sine.py``, line 25),
    which doubles the time of every training step of every model.
    """
    anomaly = torch.is_anomaly_enabled()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.autograd.set_detect_anomaly(anomaly)


with quiet_import():
    from recbole.config import Config
    from recbole.data.interaction import Interaction
    from recbole.data.transform import MaskItemSequence, construct_transform
    from recbole.model.abstract_recommender import AbstractRecommender, AutoEncoderMixin
    from recbole.model.general_recommender.itemknn import ComputeSimilarity
    from recbole.model.general_recommender.pop import Pop
    from recbole.model.sequential_recommender.bert4rec import BERT4Rec
    from recbole.utils import InputType, ModelType, get_model

__all__ = [
    "AbstractRecommender",
    "AutoEncoderMixin",
    "ComputeSimilarity",
    "CountingPop",
    "InputType",
    "Interaction",
    "MaskedBERT4Rec",
    "ModelType",
    "Network",
    "make_config",
    "make_model",
    "model_class",
    "quiet_import",
    "row_transform",
    "seed_everything",
]

Network = Any  # a RecBole model or its class: RecBole has no types


def add_numpy_aliases() -> None:
    """Give NumPy 2 the three names that ``Config.compatibility_settings`` reads.

    Without them every ``Config`` raises AttributeError.
    """
    for name, kind in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
        if name not in vars(np):
            setattr(np, name, kind)


def add_dok_update() -> None:
    """Give SciPy (1.13 and later) ``dok_matrix._update`` back.

    LightGCN, NGCF, NCL, GCMC and others build their graph with it.
    """
    if not hasattr(sp.dok_matrix, "_update"):
        sp.dok_matrix._update = lambda self, entries: self._dict.update(entries)


class QuietConfig(Config):  # type: ignore[misc]
    """RecBole's ``Config`` that takes settings from its arguments alone."""

    def _load_cmd_line(self) -> dict[str, Any]:
        # RecBole lets ``--epochs=99`` of whatever program is running override the settings, and
        # raises SyntaxError where a flag appears twice (``pytest --cov=a --cov=b``).
        return {}

    def _convert_config_dict(self, settings: dict[str, Any]) -> dict[str, Any]:
        # RecBole runs ``eval`` on every string among the settings.
        return settings

    def _init_device(self) -> None:
        # RecBole overwrites CUDA_VISIBLE_DEVICES, and with it the choice of whoever started us.
        self.final_config_dict.update(single_spec=True, local_rank=0)


def model_class(name: str) -> Network:
    """RecBole's class of this name. Raises ValueError if there is none."""
    with quiet_import():
        return get_model(name)


def make_config(name: str, settings: Mapping[str, Any], device: str) -> Config:
    """RecBole's defaults for a model with ``settings`` on top; reads no file but RecBole's own."""
    add_numpy_aliases()
    add_dok_update()
    # RecBole refuses full-softmax losses unless its negative sampler is switched off; the negatives
    # of the other losses are drawn by our loop.
    given = {"train_neg_sample_args": None, **settings, "device": torch.device(device)}
    with quiet_import():
        return QuietConfig(model=name, dataset="mmbench", config_dict=given)


def make_model(kind: Network, config: Config, world: Any) -> Network:
    """An untrained model on its device. Graph models use names that torch warns of."""
    with quiet_import():
        return kind(config, world).to(config["device"])


def row_transform(config: Config) -> Callable[[Any, Any], Any]:
    """What RecBole does to a batch before this model sees it (for most, nothing).

    It also writes field names into ``config`` without which BERT4Rec and SHAN cannot be built, so
    it comes before the model. BERT4Rec's draw of a negative for each masked item is replaced: the
    softmax loss never reads them, and RecBole draws for ever where a user has had the whole
    catalogue.
    """
    transform: Callable[[Any, Any], Any] = construct_transform(config)
    if isinstance(transform, MaskItemSequence):
        transform._neg_sample = lambda items, n_items: 0
    return transform


class CountingPop(Pop):  # type: ignore[misc]
    """Pop that counts every event.

    RecBole's ``item_cnt[item] += 1`` counts an item once a batch: of [5, 5, 5, 7] it learns
    one 5 and one 7.
    """

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        item = interaction[self.ITEM_ID]
        self.item_cnt.index_add_(0, item, torch.ones_like(item)[:, None])
        self.max_cnt = self.item_cnt.max(dim=0)[0]
        loss: torch.Tensor = self.fake_loss.sum()
        return loss


class MaskedBERT4Rec(BERT4Rec):  # type: ignore[misc]
    """BERT4Rec without its idle work: same loss, same scores."""

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """RecBole's loss, with logits for the masked positions only.

        RecBole rates the catalogue for ``mask_ratio * MAX_ITEM_LIST_LENGTH`` slots of every row and
        gives the empty ones no weight. Like there, a mask at position 0 carries no loss; a batch
        without any other mask costs 0 here, and is NaN there.
        """
        index = interaction[self.MASK_INDEX]
        masked = index > 0
        row = torch.arange(len(index), device=index.device)[:, None].expand_as(index)
        hidden = self.forward(interaction[self.MASK_ITEM_SEQ])[row[masked], index[masked]]
        if not len(hidden):
            nothing: torch.Tensor = hidden.sum() + 0.0 * self.output_bias.sum()
            return nothing
        items = self.item_embedding.weight[: self.n_items]
        return softmax_loss(hidden, items, interaction[self.POS_ITEMS][masked], self.output_bias)

    def reconstruct_test_data(self, item_seq: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """RecBole's way to append the mask token, without its Python loop over the queries."""
        longer = torch.nn.functional.pad(item_seq, (0, 1))
        return longer.scatter(1, length[:, None], self.mask_token)[:, 1:]


def seed_everything(seed: int) -> None:
    """Seed the three global streams that RecBole's models and transforms draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
