"""One trial: fit with some settings, and what the validation fold says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mmbench.files import temporary_folder
from mmbench.grid.fitting import fit_model
from mmbench.grid.host import Host, PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.question import Question
from mmbench.grid.runner import (
    Circumstances,
    Job,
    OnEvent,
    demand_same_weights,
    open_gates,
)
from mmbench.grid.spaces import embed_catalogue
from mmbench.protocol import AnswerError
from mmbench.tune.blind import blind


class TrialFailed(Exception):
    """A trial has no figure; the message says why."""


@dataclass(slots=True)
class Trials:
    """Runs trials on one blind question.

    Attributes:
        question: as it is asked; only what ``blind`` leaves of it is used.
        how: limits and places.
        embedded: item embeddings of models that others start from, by the id of their cell:
            fitted once, and nothing of them is scored.
    """

    question: Question
    how: Circumstances
    embedded: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.question = blind(self.question)

    def run(self, job: Job, on_event: OnEvent = lambda event: None) -> float:
        """ndcg@10 on the validation fold after a fit. Raises TrialFailed, Interrupted, OSError."""
        return self._fit(job, on_event, lambda host, validate: validate(None))

    def _fit(
        self,
        job: Job,
        on_event: OnEvent,
        look: Callable[[Host, Callable[[int | None], float]], float],
    ) -> float:
        features = self._features(job, on_event)
        with temporary_folder() as scratch:
            host = launch(
                scratch,
                isolated=self.how.isolated,
                limits=self.how.limits,
                on_event=on_event,
                stop=self.how.stop,
                environment=self.how.environment,
                gates=open_gates(job, self.question, self.how, None),
            )
            try:
                fitted = fit_model(host, job, self.question, scratch, self.how, features=features)
                value = look(host, fitted.validate)
                demand_same_weights(job, self.how)
                return value
            except PluginFailure as failure:
                raise TrialFailed(f"{failure.kind}: {failure.reason}") from failure
            except AnswerError as error:
                raise TrialFailed(str(error)) from error
            finally:
                host.close()

    def _features(self, job: Job, on_event: OnEvent) -> dict[str, np.ndarray]:
        """What a job starts from: its upstream is fitted here, as its stored cell may not exist."""
        named, upstream = job.declared.upstream, job.upstream
        if upstream is None or named is None:
            return {}
        key = upstream.cell.id
        if key not in self.embedded:
            name = f"{upstream.plugin.name} ({upstream.plugin.distribution})"

            def keep(host: Host, validate: Callable[[int | None], float]) -> float:
                embedded = embed_catalogue(host, name, self.question.items.n_items)
                self.embedded[key] = embedded.fused(name)
                return 0.0

            self._fit(upstream, on_event, keep)
        return {named.field: self.embedded[key]}
