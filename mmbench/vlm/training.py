"""One training loop for all plugins, on transformers' Trainer.

The plugin brings a module that returns its loss. Order, schedule, several devices, checkpoints and
the random streams are the Trainer's and accelerate's; choosing the epoch is the harness's
validation. The Trainer writes nothing but its checkpoints, and prints nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

import mmbench.vlm.quiet  # noqa: F401
from mmbench.toolkit.training import seeded
from mmbench.views import Run
from mmbench.vlm.adapters import put_trained, take_trained
from mmbench.vlm.batches import shuffled_by_length
from mmbench.vlm.config import TrainingConfig

SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}
OPTIMIZERS = {"adamw": "adamw_torch", "adamw8bit": "adamw_bnb_8bit"}
FOLDER = "training"
NOW, BEST, COURSE = "trained.safetensors", "best.safetensors", "course.json"

Example = Any
Collate = Callable[[list[Example], np.random.Generator], Any]


def train(
    module: nn.Module,
    examples: Sequence[Example],
    collate: Collate,
    config: TrainingConfig,
    run: Run,
    *,
    lengths: Sequence[int] | None = None,
    learning_rates: Mapping[str, float] | None = None,
    refresh: Callable[[], None] = lambda: None,
    validate: Callable[[], float] | None = None,
    watch: Callable[[int, int], None] = lambda step, steps: None,
) -> None:
    """Train until ``patience`` validations in a row brought no gain; leaves the best state.

    With checkpoints of the same training in ``run.scratch``, it goes on from the last, and ends as
    if it had never stopped.

    Args:
        module: ``module(batch)`` returns the loss, a scalar, or a mapping with ``loss`` and other
            scalars, all of which are logged as means over an epoch. What does not require a
            gradient is neither trained nor kept.
        examples: what is trained on, each once an epoch.
        collate: (examples, generator) to a batch. The generator depends on the seed, the epoch and
            the batch alone. A batch is a ``Batch``, a tensor, or lists, tuples and dicts of those.
        config: the loop.
        run: seed, device, scratch, validation and where to log.
        lengths: the tokens of each example; those of like lengths share batches, and
            ``config.training_tokens`` counts them.
        learning_rates: for weights whose names begin so, instead of ``config.learning_rate``.
        refresh: called before each validation, and at the end when the best state is back: the
            place to encode the catalogue anew.
        validate: instead of ``run.validate``; higher is better.
        watch: called after each step, in the first process, with its number and that of all steps.

    Raises:
        ValueError: no examples, nothing to train, or a limit of tokens without ``lengths``.
        FloatingPointError: the loss is not finite.
    """
    if not len(examples):
        raise ValueError("there are no examples to train on; do histories have two events?")
    if not any(weight.requires_grad for weight in module.parameters()):
        raise ValueError("nothing in the module requires a gradient: is trained set to 'none'?")
    if config.training_tokens:
        if lengths is None:
            raise ValueError("training_tokens is a limit of tokens, and no lengths were given")
        kept = within(lengths, config.training_tokens // config.epochs, run.seed)
        examples = [examples[number] for number in kept]
        lengths = [lengths[number] for number in kept]
        run.log(0, **{"examples": len(kept), "training tokens": config.epochs * sum(lengths)})
    folder = run.scratch / FOLDER
    limit = config.validate_limit or None
    course = Course(config, run, validate or (lambda: run.validate(limit=limit)), refresh, watch)
    with seeded(run):
        trainer = _Trainer(
            model=module,
            args=_arguments(config, run, folder),
            train_dataset=_Numbered(examples),
            data_collator=_Collator(collate, run.seed),
            callbacks=[course],
        )
        trainer.prepare(course, lengths, learning_rates or {})
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    if course.state:
        put_trained(module, course.state)
    module.eval()
    refresh()


def within(lengths: Sequence[int], tokens: int, seed: int) -> list[int]:
    """Indices, rising, of a sample by chance that has at most so many tokens, but one example.

    All of them where they fit. Else examples are taken in an order by chance as long as they fit.
    """
    length = np.asarray(lengths)
    if length.sum() <= tokens:
        return list(range(len(length)))
    order = np.random.default_rng([seed, tokens]).permutation(len(length))
    count = int((np.cumsum(length[order]) <= tokens).sum())
    return sorted(order[: max(count, 1)].tolist())


def _arguments(config: TrainingConfig, run: Run, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        str(folder),
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        lr_scheduler_type=SCHEDULES[config.schedule],
        max_grad_norm=config.clip,
        optim=OPTIMIZERS[config.optimizer],
        seed=run.seed,
        use_cpu=torch.device(run.device).type == "cpu",
        save_strategy="no",  # the course says when
        save_total_limit=1,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=True,
    )


def _last_checkpoint(folder: Path) -> str | None:
    """The last checkpoint that was finished: the Trainer writes its state last."""
    done = folder.glob("checkpoint-*/trainer_state.json")
    found = sorted(done, key=lambda path: int(path.parent.name.split("-")[1]))
    return str(found[-1].parent) if found else None


@dataclass
class Course(TrainerCallback):
    """How a training goes: losses, validations, the best state, and when to stop.

    Attributes:
        config: the loop.
        run: where to log.
        validate: higher is better.
        refresh: called before it.
        watch: called after each step.
        best: the best value.
        idle: validations since then.
        state: the trained weights of that time; empty where nothing is validated.
        sums: of what the module answered in this epoch, by name.
        count: of how many batches.
    """

    config: TrainingConfig
    run: Run
    validate: Callable[[], float]
    refresh: Callable[[], None]
    watch: Callable[[int, int], None]
    best: float = -math.inf
    idle: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def note(self, values: Mapping[str, Tensor]) -> None:
        """Count a batch. Raises FloatingPointError where its loss is not finite."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1
        if not math.isfinite(self.sums["loss"]):
            raise FloatingPointError(
                f"the loss became {float(values['loss'].detach())}: lower learning_rate (now "
                f"{self.config.learning_rate}) or clip (now {self.config.clip})"
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the bar, call the watcher."""
        if state.is_world_process_zero:
            self.run.progress(state.global_step, state.max_steps, "steps")
            self.watch(state.global_step, state.max_steps)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Log, validate, keep the best, stop, ask for a checkpoint."""
        epoch = round(state.epoch or 0)
        if state.is_world_process_zero:
            means = {name: total / max(self.count, 1) for name, total in self.sums.items()}
            self.run.log(epoch, **means)
        self.sums, self.count = {}, 0
        last = epoch >= self.config.epochs
        if self.config.validate_every and (last or epoch % self.config.validate_every == 0):
            self._judge(more["model"], epoch, state.is_world_process_zero)
            control.should_training_stop = self.idle >= self.config.patience
        done = last or control.should_training_stop
        every = self.config.checkpoint_every
        control.should_save = bool(every) and epoch % every == 0 and not done

    def _judge(self, model: nn.Module, epoch: int, first: bool) -> None:
        """Validate in the first process; all processes hear the value."""
        module = _bare(model)
        module.eval()
        values = [math.nan]
        if first:
            self.refresh()
            values = [float(self.validate())]
            self.run.log(epoch, **{"valid ndcg@10": values[0]})
        (value,) = broadcast_object_list(values)
        module.train()
        if value > self.best:
            self.best, self.idle, self.state = value, 0, take_trained(module)
        else:
            self.idle += 1

    def save(self, folder: Path) -> None:
        """Write where we are beside a checkpoint."""
        if self.state:
            save_file(self.state, folder / BEST)
        course = {"best": self.best if self.state else None, "idle": self.idle}
        (folder / COURSE).write_text(json.dumps(course), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Go on from what ``save`` wrote."""
        course = json.loads((folder / COURSE).read_text(encoding="utf-8"))
        self.idle = course["idle"]
        if course["best"] is not None:
            self.best, self.state = course["best"], load_file(folder / BEST)


class _Trainer(Trainer):
    """The Trainer with our loss, our order, and checkpoints of what is trained alone."""

    course: Course
    lengths: Sequence[int]
    rates: Mapping[str, float]

    def prepare(
        self, course: Course, lengths: Sequence[int] | None, rates: Mapping[str, float]
    ) -> None:
        """What the Trainer's own constructor does not take."""
        self.course, self.rates = course, rates
        self.lengths = lengths if lengths is not None else [0] * len(self.train_dataset)  # type: ignore[arg-type]
        self.model_accepts_loss_kwargs = False  # the loss is a mean over the batch
        self.args._n_gpu = 1  # several devices by processes, never by threads

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> Tensor:
        """The module's own."""
        answer = model(inputs["batch"])
        values = answer if isinstance(answer, Mapping) else {"loss": answer}
        self.course.note(values)
        loss: Tensor = values["loss"]
        return loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[tuple[int, int]]:
        return _Order(
            self.lengths, self.args.train_batch_size * self.args.world_size, self.args.seed
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW; weight decay for matrices only, learning rates by name."""
        if self.optimizer is None:
            groups: dict[tuple[float, float], list[Tensor]] = {}
            for name, weight in _bare(self.model).named_parameters():
                if weight.requires_grad:
                    rates = [rate for start, rate in self.rates.items() if name.startswith(start)]
                    rate = rates[0] if rates else self.args.learning_rate
                    decay = self.args.weight_decay if weight.ndim > 1 else 0.0
                    groups.setdefault((rate, decay), []).append(weight)
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(
                [
                    {"params": weights, "lr": rate, "weight_decay": decay}
                    for (rate, decay), weights in groups.items()
                ],
                **options,
            )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file(take_trained(_bare(self.model)), folder / NOW)
        self.course.save(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        put_trained(_bare(self.model), load_file(folder / NOW))
        self.course.load(folder)


def _bare(model: Any) -> nn.Module:
    """The plugin's module inside accelerate's wrapper."""
    found: nn.Module = getattr(model, "module", model)
    return found


class _Order(Sampler[tuple[int, int]]):
    """(epoch, index) of all examples, in batches of like lengths; a function of seed and epoch."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        for index in shuffled_by_length(self.lengths, self.batch_size, rng):
            yield self.epoch, int(index)


class _Numbered(Dataset[tuple[int, int, Example]]):
    """Examples with the epoch and the index that they were asked by."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, place: tuple[int, int]) -> tuple[int, int, Example]:
        epoch, index = place
        return epoch, index, self.examples[index]


@dataclass(frozen=True)
class _Collator:
    """The plugin's collate function with a generator of the batch's own."""

    collate: Collate
    seed: int

    def __call__(self, numbered: list[tuple[int, int, Example]]) -> dict[str, Any]:
        epoch, index, _ = numbered[0]
        rng = np.random.default_rng([self.seed, epoch, index])
        return {"batch": self.collate([example for _, _, example in numbered], rng)}
