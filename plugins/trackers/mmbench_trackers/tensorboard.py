"""tensorboard: event files for TensorBoard."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench_trackers.tracker import End, Told, Tracker, settings


@dataclass(frozen=True)
class TensorBoardConfig:
    """Where event files go.

    Attributes:
        folder: what tensorboard --logdir is given; each cell has a folder of its own below it.
    """

    folder: str = "runs"


@dataclass(frozen=True)
class Run:
    """A cell's event file, and its settings."""

    writer: Any
    told: Mapping[str, Any]


class TensorBoard(Tracker):
    """Writes event files for TensorBoard: curves, figures and cost, and its table of settings."""

    Config = TensorBoardConfig
    library = extra = "tensorboard"

    def start(self, cell: Told) -> Run:
        """Open a file; what an earlier run of the same cell wrote is not shown any more."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        parts = (cell["dataset"], cell["protocol"], cell["label"], f"{cell['seed']}-{cell['id']}")
        folder = Path(self.config.folder).joinpath(*map(_plain, parts))
        run = Run(EventFileWriter(str(folder)), settings(cell))
        _add(run, 0, session_log=SessionLog(status=SessionLog.START))
        return run

    def point(self, run: Run, step: int, values: Told) -> None:
        """Write a point, and let it be seen."""
        _add_scalars(run, step, values)
        run.writer.flush()

    def end(self, run: Run, end: End) -> None:
        """Write the figures, and the cell's line in the table of settings."""
        _add_scalars(run, 0, end.figures)
        for summary in _table_line(run.told, end):
            _add(run, 0, summary=summary)
        run.writer.close()


def _add(run: Run, step: int, **what: Any) -> None:
    from tensorboard.compat.proto.event_pb2 import Event

    run.writer.add_event(Event(wall_time=time.time(), step=step, **what))


def _add_scalars(run: Run, step: int, values: Mapping[str, float]) -> None:
    from tensorboard.compat.proto.summary_pb2 import Summary

    points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    _add(run, step, summary=Summary(value=points))


def _table_line(told: Mapping[str, Any], end: End) -> list[Any]:
    """The summaries that TensorBoard's tab HPARAMS reads: columns, this run's settings, its end."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import (
        Experiment,
        HParamInfo,
        MetricInfo,
        MetricName,
        Status,
    )
    from tensorboard.plugins.hparams.plugin_data_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )

    start = SessionStartInfo(start_time_secs=time.time())
    for name, value in {**told, "status": end.status}.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = str(value)
    columns = Experiment(
        hparam_infos=[HParamInfo(name=name) for name in start.hparams],
        metric_infos=[MetricInfo(name=MetricName(tag=name)) for name in end.figures],
    )
    good = end.status in ("done", "not-applicable")
    status = Status.Value("STATUS_SUCCESS" if good else "STATUS_FAILURE")
    ended = SessionEndInfo(status=status, end_time_secs=time.time())
    version = metadata.PLUGIN_DATA_VERSION
    parts = {
        metadata.EXPERIMENT_TAG: HParamsPluginData(experiment=columns, version=version),
        metadata.SESSION_START_INFO_TAG: HParamsPluginData(
            session_start_info=start, version=version
        ),
        metadata.SESSION_END_INFO_TAG: HParamsPluginData(session_end_info=ended, version=version),
    }
    summaries = []
    for tag, part in parts.items():
        data = SummaryMetadata.PluginData(
            plugin_name=metadata.PLUGIN_NAME, content=part.SerializeToString()
        )
        value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=data))
        summaries.append(Summary(value=[value]))
    return summaries


def _plain(name: str) -> str:
    """A name as a folder's."""
    return re.sub(r"[^\w.@=,()\[\] -]+", "-", name).strip(" .-") or "unnamed"
