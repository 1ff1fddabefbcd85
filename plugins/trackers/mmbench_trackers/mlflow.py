"""mlflow: MLflow tracking."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmbench_trackers.tracker import IDENTITY, End, Told, Tracker, settings

STATES = {"done": "FINISHED", "not-applicable": "FINISHED", "stopped": "KILLED"}
PARAMS, METRICS, LONGEST = 100, 1000, 6000  # what mlflow takes at once, and in one value


@dataclass(frozen=True)
class MLflowConfig:
    """Where runs go.

    Attributes:
        uri: of the store, as in http://host:5000 or sqlite:///file.db; by default what
            MLFLOW_TRACKING_URI says, else mlflow.db here.
        experiment: the experiment that runs are put into.
    """

    uri: str | None = None
    experiment: str = "mmbench"


class MLflow(Tracker):
    """Tells MLflow: a run for each cell, with its curves, figures and cost."""

    Config = MLflowConfig
    library = extra = "mlflow"

    def __init__(self, config: MLflowConfig) -> None:
        super().__init__(config)
        self.client: Any = None

    def start(self, cell: Told) -> Any:
        """Create a run."""
        from mlflow import MlflowClient
        from mlflow.entities import Param, RunTag

        if self.client is None:
            self.client = MlflowClient(tracking_uri=self.config.uri)
        name = f"{cell['label']}, seed {cell['seed']}"
        run = self.client.create_run(self._experiment(), run_name=name).info.run_id
        told = settings(cell)
        tags = {key: str(told[key]) for key in IDENTITY} | {"replayed": str(cell["replayed"])}
        self.client.log_batch(run, tags=[RunTag(*pair) for pair in tags.items()])
        params = [Param(plain(key), str(value)[:LONGEST]) for key, value in told.items()]
        for some in _parts(params, PARAMS):
            self.client.log_batch(run, params=some)
        return run

    def point(self, run: Any, step: int, values: Told) -> None:
        """Log a point."""
        self._log(run, values, step)

    def end(self, run: Any, end: End) -> None:
        """Log the figures, as metrics without a step, and end the run."""
        from mlflow.entities import RunTag

        self._log(run, end.figures, 0)
        told = {"status": end.status, **end.where, **({"reason": end.reason} if end.reason else {})}
        tags = [RunTag(plain(key), value[:LONGEST]) for key, value in told.items()]
        self.client.log_batch(run, tags=tags)
        self.client.set_terminated(run, STATES.get(end.status, "FAILED"))

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.config.experiment)
        made = (
            found.experiment_id if found else self.client.create_experiment(self.config.experiment)
        )
        return str(made)

    def _log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(plain(name), value, now, step) for name, value in values.items()]
        for some in _parts(metrics, METRICS):
            self.client.log_batch(run, metrics=some)


def plain(name: str) -> str:
    """A name that MLflow takes: ``unseen/ndcg@10`` becomes ``unseen/ndcg_at_10``."""
    text = re.sub(r"[^\w/.: -]", "_", name.replace("@", "_at_"))
    parts = [part for part in text.split("/") if part.strip(" .")]
    return "/".join(parts)[:250] or "_"


def _parts(values: Sequence[Any], most: int) -> Iterator[list[Any]]:
    """The values, at most so many at once."""
    yield from (list(values[at : at + most]) for at in range(0, len(values), most))
