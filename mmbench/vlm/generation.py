"""Sampled answers: prompts are read once, and each has a stream of chance of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast

from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import Batch, by_length
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Prompt

Allowed = Callable[[int, Sequence[int]], Sequence[int]]

LEAVE = 0.25

# transformers 5.24 renamed what a model remembers of the tokens that it has read
CACHE = "cache" if hasattr(BaseModelOutputWithPast(), "cache") else "past_key_values"


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer.

    Attributes:
        text: without special tokens.
        ids: its tokens, without the one that ends it.
        logp: the sum of the tokens' log-probabilities as the model gives them, that of the end
            token among them: before temperature, penalty and constraint.
        ended: whether the model ended it, or ``new_tokens`` did.
    """

    text: str
    ids: tuple[int, ...]
    logp: float
    ended: bool


def generate(
    backbone: Backbone,
    prompts: Sequence[Prompt],
    pictures: Pictures | None = None,
    *,
    seeds: Sequence[int],
    samples: int = 1,
    new_tokens: int = 32,
    temperature: float = 1.0,
    repetition_penalty: float = 1.0,
    allowed: Allowed | None = None,
    batch_size: int = 8,
) -> list[list[Generated]]:
    """``samples`` answers to each prompt.

    Args:
        backbone: what answers; it is in eval mode meanwhile.
        prompts: open ones, without an answer.
        pictures: for prompts that show some.
        seeds: one for each prompt. An answer depends on it and on the prompt, not on the batch, but
            for rounding.
        samples: independent draws.
        new_tokens: at most so many tokens.
        temperature: logits are divided by it; 0 takes the best token.
        repetition_penalty: of tokens that the prompt or the answer holds already: positive logits
            are divided by it, negative ones multiplied (Keskar et al., 2019).
        allowed: (the prompt's number, the answer so far) to the tokens that may follow, at least
            one. ``backbone.end`` ends an answer.
        batch_size: prompts that are read together.

    Raises:
        ValueError: a prompt has an answer already, or nothing is allowed to follow.
    """
    closed = [number for number, prompt in enumerate(prompts) if prompt.answer is not None]
    if closed:
        raise ValueError(f"prompt {closed[0]} has an answer already")
    encoded = [backbone.encode(prompt) for prompt in prompts]
    answers: list[list[Generated]] = [[] for _ in prompts]
    training = backbone.training
    backbone.eval()
    try:
        for rows in by_length([len(prompt) for prompt in encoded], batch_size):
            batch = backbone.batch([encoded[row] for row in rows], pictures, still=True).to(
                backbone.device
            )
            draw = _Draw(temperature, repetition_penalty, allowed)
            asked = [(int(row), seeds[row]) for row in rows]
            with torch.inference_mode():
                found = _answer(backbone, batch, draw, asked, samples, new_tokens)
            for place, row in enumerate(rows):
                answers[row] = found[place * samples : (place + 1) * samples]
    finally:
        backbone.train(training)
    return answers


@dataclass(frozen=True, slots=True)
class _Draw:
    """How a token is chosen."""

    temperature: float
    penalty: float
    allowed: Allowed | None

    def token(
        self,
        logits: Tensor,
        used: Tensor,
        answers: Sequence[tuple[int, Sequence[int]]],
        chance: Tensor,
    ) -> Tensor:
        """int64[n]: the next token of each answer.

        Args:
            logits: float32[n, vocabulary].
            used: bool[n, vocabulary], what prompt and answer hold already.
            answers: the number of the prompt and the answer so far, n times.
            chance: float64[n], uniform in [0, 1).
        """
        if self.penalty != 1:
            punished = torch.where(logits > 0, logits / self.penalty, logits * self.penalty)
            logits = torch.where(used, punished, logits)
        if self.allowed is not None:
            logits = logits + self._barred(logits, answers, self.allowed)
        if not self.temperature:
            return logits.argmax(1)
        steps = torch.softmax(logits.double() / self.temperature, dim=1).cumsum(1)
        # within (0, 1] of the total, so that a token of probability 0 is never hit
        goal = (1 - chance.to(steps.device)) * steps[:, -1]
        return torch.searchsorted(steps, goal[:, None])[:, 0]

    def _barred(
        self, logits: Tensor, answers: Sequence[tuple[int, Sequence[int]]], allowed: Allowed
    ) -> Tensor:
        barred = torch.full_like(logits, -torch.inf)
        for row, (number, answer) in enumerate(answers):
            follow = list(allowed(number, answer))
            if not follow:
                raise ValueError(f"nothing is allowed to follow {list(answer)} in prompt {number}")
            barred[row, follow] = 0.0
        return barred


def _answer(
    backbone: Backbone,
    batch: Batch,
    draw: _Draw,
    asked: Sequence[tuple[int, int]],
    samples: int,
    new_tokens: int,
) -> list[Generated]:
    """The answers to a batch, ``samples`` of each prompt in turn.

    ``asked`` has the number and the seed of each prompt. Returns that have ended leave the batch as
    soon as they are a share of ``LEAVE`` of it.
    """
    read = backbone.run_language(batch, use_cache=True)
    cache, hidden = getattr(read, CACHE), read.last_hidden_state[:, -1]
    streams = [torch.Generator().manual_seed(seed) for _, seed in asked]
    count = len(batch) * samples
    if samples > 1:
        cache.batch_repeat_interleave(samples)
    hidden = hidden.repeat_interleave(samples, 0)
    step = _first_step(batch, samples)
    used = torch.zeros(count, 0, dtype=torch.bool)
    ids: list[list[int]] = [[] for _ in range(count)]
    logp = [0.0] * count
    ended = [False] * count
    rows = list(range(count))  # those that are in the batch
    for _ in range(new_tokens):
        logits = backbone.logits(hidden)
        if not used.shape[1]:
            used = _occurring(batch, logits.shape[1]).repeat_interleave(samples, 0)
        chance = torch.cat(
            [torch.rand(samples, generator=stream, dtype=torch.float64) for stream in streams]
        )
        # an answer that has ended asks for nothing: it stays as it is
        so_far = [(asked[row // samples][0], [] if ended[row] else ids[row]) for row in rows]
        chosen = draw.token(logits, used, so_far, chance[rows])
        gained = torch.log_softmax(logits, 1).gather(1, chosen[:, None])[:, 0].tolist()
        used.scatter_(1, chosen[:, None], True)
        for row, token, gain in zip(rows, chosen.tolist(), gained, strict=True):
            if ended[row]:
                continue
            logp[row] += gain
            ended[row] = token == backbone.end
            if not ended[row]:
                ids[row].append(token)
        going = [place for place, row in enumerate(rows) if not ended[row]]
        if not going:
            break
        if len(going) <= (1 - LEAVE) * len(rows):
            kept = torch.tensor(going, device=chosen.device)
            rows, chosen, used = [rows[place] for place in going], chosen[kept], used[kept]
            step = _select(step, kept)
            cache.batch_select_indices(kept)
        step = _next_step(step, chosen)
        read = backbone.run_language(step, use_cache=True, **{CACHE: cache})
        hidden = read.last_hidden_state[:, -1]
    texts = backbone.tokenizer.batch_decode(ids, skip_special_tokens=True)
    return [
        Generated(text, tuple(answer), gain, done)
        for text, answer, gain, done in zip(texts, ids, logp, ended, strict=True)
    ]


def _occurring(batch: Batch, vocabulary: int) -> Tensor:
    """bool[b, vocabulary]: the tokens of each prompt; padding is none."""
    found = torch.zeros(len(batch), vocabulary, device=batch.ids.device)
    return found.scatter_add_(1, batch.ids, batch.attended.to(found)) > 0


def _first_step(batch: Batch, samples: int) -> Batch:
    """The batch once for each answer, its pictures gone: they are in the cache."""
    return Batch(
        ids=batch.ids[:, -1:].repeat_interleave(samples, 0),
        attended=batch.attended.repeat_interleave(samples, 0),
        positions=batch.positions.amax(-1, keepdim=True).repeat_interleave(samples, -2),
        answer=torch.ones_like(batch.answer[:, -1:]).repeat_interleave(samples, 0),
        pictured=torch.zeros_like(batch.pictured[:, -1:]).repeat_interleave(samples, 0),
        spans={},
    )


def _select(step: Batch, kept: Tensor) -> Batch:
    """Some rows of a step, by their places."""
    return replace(
        step,
        ids=step.ids[kept],
        attended=step.attended[kept],
        positions=step.positions.index_select(-2, kept),
        answer=step.answer[kept],
        pictured=step.pictured[kept],
    )


def _next_step(step: Batch, chosen: Tensor) -> Batch:
    """One token more; all axes of its position go on from the highest."""
    positions = step.positions
    if positions.ndim == 3:
        positions = positions.amax(0, keepdim=True).expand_as(positions)
    return replace(
        step,
        ids=chosen[:, None],
        attended=torch.cat([step.attended, torch.ones_like(step.attended[:, :1])], 1),
        positions=positions + 1,
    )
