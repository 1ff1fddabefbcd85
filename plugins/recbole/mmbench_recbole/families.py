"""Which of RecBole's models train from interactions alone, and why the others do not."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from mmbench import Interactions, Run
from mmbench_recbole import shims
from mmbench_recbole.configs import FamilyConfig
from mmbench_recbole.general import Feed, General
from mmbench_recbole.sequential import Sequential
from mmbench_recbole.shims import AbstractRecommender, InputType, ModelType

USERS = frozenset({"MultiDAE", "MultiVAE", "MacridVAE", "CDAE", "ENMF", "DiffRec"})

OWN_NAME = {"Pop": "pop", "ItemKNN": "itemknn", "BERT4Rec": "bert4rec"}
FEATURES = "it needs side features of items or users beside the interactions"
GRAPH = "it needs a knowledge graph beside the interactions"
TRAINER = "it needs a training schedule of its own, which RecBole keeps in its trainer"
REFUSED = {
    **dict.fromkeys(("DIN", "DIEN", "FDSA", "GRU4RecF", "S3Rec", "SASRecF"), FEATURES),
    **dict.fromkeys(("GRU4RecKG", "KSR"), GRAPH),
    **dict.fromkeys(("NCL", "RaCT", "RecVAE"), TRAINER),
    "FEARec": "it looks rows of the same target up in RecBole's own augmented data set",
    "LDiffRec": "it needs a file of pretrained item embeddings",
    "Random": "it draws new scores for every batch, so a score would depend on the batch",
    "SimpleX": "it needs many negatives grouped by user, which only RecBole's loader makes",
    "LightGBM": "it is a decision tree on side features",
    "XGBoost": "it is a decision tree on side features",
}
CONTEXT = "it is context-aware: it needs features of users, items or events"
BY_TYPE = {ModelType.CONTEXT: CONTEXT, ModelType.KNOWLEDGE: GRAPH}


def every_model() -> dict[str, type[AbstractRecommender]]:
    """RecBole's model classes by name, without the two that wrap decision trees."""
    found: dict[str, Any] = {}
    with shims.quiet_import():
        for folder in ("general", "sequential", "context_aware", "knowledge_aware"):
            module = importlib.import_module(f"recbole.model.{folder}_recommender")
            found.update(vars(module))
    return {
        name: kind
        for name, kind in sorted(found.items())
        if isinstance(kind, type) and issubclass(kind, AbstractRecommender)
    }


def supported() -> dict[str, list[str]]:
    """Names that ``recbole:<name>`` takes, by RecBole's own word for their kind."""
    names: dict[str, list[str]] = {}
    for name, kind in every_model().items():
        if name not in REFUSED and name not in OWN_NAME and kind.type not in BY_TYPE:
            names.setdefault(kind.type.name.lower(), []).append(name)
    return names


def find(name: str) -> type[AbstractRecommender]:
    """The class behind ``recbole:<name>``.

    Raises ValueError, with the reason and the names that would do, before any work is done.
    """
    models = every_model()
    if name in OWN_NAME:
        raise ValueError(f"recbole:{name} is the model {OWN_NAME[name]!r} here: ask for that")
    kind = models.get(name)
    unknown = kind is None and name not in REFUSED
    reason = "RecBole has no such model" if unknown else REFUSED.get(name)
    if kind is not None and reason is None:
        reason = BY_TYPE.get(kind.type)
        if reason is None:
            return kind
    known = supported()
    flat = [word for names in known.values() for word in names]
    close = difflib.get_close_matches(name, flat, 1, 0.5)
    hint = f" Did you mean recbole:{close[0]}?" if close and unknown else ""
    lists = "; ".join(f"{word}: {', '.join(names)}" for word, names in sorted(known.items()))
    raise ValueError(f"recbole:{name} cannot be run: {reason}.{hint} These can. {lists}")


def feed_of(name: str, kind: type[AbstractRecommender]) -> Feed:
    """What a general model's training batches must hold."""
    if kind.type == ModelType.TRADITIONAL:
        return "nothing"
    if name in USERS:
        return "users"
    return "pairs" if kind.input_type == InputType.PAIRWISE else "labels"


def check_settings(name: str, settings: dict[str, Any]) -> None:
    """Raise ValueError for a setting that the model does not have; RecBole would ignore it."""
    known = set(shims.make_config(name, {}, "cpu").internal_config_dict)
    for key in settings:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"recbole:{name} has no setting {key!r}{hint}")


def build(config: FamilyConfig, train: Interactions, run: Run) -> General | Sequential:
    """The untrained model behind ``recbole:<name>`` with its batches. Raises ValueError."""
    name, settings = config.model, config.parsed()
    kind = find(name)
    check_settings(name, settings)
    if kind.type == ModelType.SEQUENTIAL:
        return Sequential(
            name,
            settings,
            train,
            run,
            max_history=config.max_history,
            batch_size=config.batch_size,
        )
    feed = feed_of(name, kind)
    return General(name, settings, train, run, feed=feed, batch_size=config.batch_size)
