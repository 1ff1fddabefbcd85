"""wandb: Weights & Biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mmbench import hookimpl
from mmbench_trackers.tracker import End, Told, Tracker, settings


@dataclass(frozen=True)
class WandbConfig:
    """Where runs go.

    Attributes:
        project: the project that runs are put into.
        entity: the user or team; by default that of the login.
        group: what runs are grouped by; by default the dataset and the protocol.
        tags: of each run.
        mode: online, offline (send it later with wandb sync) or disabled; by default what
            WANDB_MODE says.
        folder: where wandb keeps its files.
    """

    project: str = "mmbench"
    entity: str | None = None
    group: str = ""
    tags: tuple[str, ...] = ()
    mode: Literal["online", "offline", "disabled"] | None = None
    folder: str = "."


class Wandb(Tracker):
    """Tells Weights & Biases: a run for each cell, with its curves, figures and cost."""

    Config = WandbConfig
    library = extra = "wandb"

    @hookimpl
    def prepare(self) -> None:
        """Raise where wandb is not here, or nobody has logged in."""
        super().prepare()
        import wandb

        if (self.config.mode or wandb.setup().settings.mode) != "online":
            return
        try:
            wandb.login()
        except wandb.errors.UsageError as error:
            raise PermissionError(
                "nobody is logged in to wandb here: wandb login, WANDB_API_KEY, or "
                f"--observer wandb:mode=offline ({error})"
            ) from error

    def start(self, cell: Told) -> Any:
        """Begin a run of its own, beside those of other cells."""
        import wandb

        config = self.config
        run = wandb.init(
            project=config.project,
            entity=config.entity,
            group=config.group or f"{cell['dataset']} {cell['protocol']}",
            name=f"{cell['label']}, seed {cell['seed']}",
            tags=[*config.tags, *(["replayed"] if cell["replayed"] else [])],
            config=settings(cell),
            mode=config.mode,
            dir=config.folder,
            reinit="create_new",
            save_code=False,
            # nothing of this process is of interest: cells run in others
            settings=wandb.Settings(console="off", disable_git=True, x_disable_stats=True),
        )
        # models log curves one after the other, and wandb's own steps cannot go back
        run.define_metric("*", step_metric="step")
        return run

    def point(self, run: Any, step: int, values: Told) -> None:
        """Log a point."""
        run.log({"step": step, **values})

    def end(self, run: Any, end: End) -> None:
        """Put the figures into the run's summary."""
        words = {"status": end.status, **({"reason": end.reason} if end.reason else {})}
        run.summary.update({**words, **end.figures, **end.where})
        run.finish(exit_code=0 if end.status in ("done", "not-applicable") else 1)
