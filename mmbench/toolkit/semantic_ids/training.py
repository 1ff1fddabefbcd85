"""The training of RQ-VAE. Importing this loads torch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmbench.toolkit.semantic_ids.config import SemanticIdConfig
from mmbench.toolkit.semantic_ids.kmeans import residual_kmeans
from mmbench.toolkit.semantic_ids.learned import Learned
from mmbench.toolkit.semantic_ids.network import RQVAE, nearest
from mmbench.views import Float32

CHUNK = 65_536  # vectors that are encoded at a time where no gradient is wanted
EXACT = 1e-6  # beside the mean square, an error that is none


def train_rqvae(
    vectors: Float32,
    sizes: tuple[int, ...],
    config: SemanticIdConfig,
    rng: np.random.Generator,
    *,
    device: str,
    log: Callable[..., None],
    progress: Callable[..., None],
) -> Learned:
    """Train until ``config.epochs``; keeps the state with the fewest collisions.

    Code-books start from k-means of the whole catalogue's latents, level after level. Every
    ``validate_every`` epochs ids are looked at. Collisions are fewest where little is learned yet,
    so only the last quarter of the training is chosen from, which is ours; of states with equally
    many the last is kept. It computes in one thread.

    Args:
        vectors: float32[n, d], finite. Before they are learned from they are centred, and scaled
            so that their squared length is 1 in the mean.
        sizes: of the code-books.
        config: the rest.
        rng: chance.
        device: in torch's words.
        log: ``log(epoch, name=value, ...)``.
        progress: ``progress(done, total, unit)``.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    mean, scale = _scaling(vectors)
    with _one_thread():
        seed = int(rng.integers(2**62))
        generator = torch.Generator().manual_seed(seed)
        network = RQVAE(vectors.shape[1], config.widths, config.dim, sizes, generator).to(device)
        data = torch.from_numpy((vectors - mean) / scale).to(device)
        start_books(network, data, config, rng)
        course = _Course(network, data, config, log)
        for epoch in range(1, config.epochs + 1):
            course.run_epoch(rng)
            progress(epoch, config.epochs, "epochs of ids")
            if epoch == config.epochs or epoch % config.validate_every == 0:
                course.judge(epoch)
        network.load_state_dict(course.best)
        latents = encode(network, data).cpu().numpy()

    @torch.no_grad()
    def decode(latents: Float32) -> Float32:
        with _one_thread():
            parts = torch.split(torch.from_numpy(latents).to(device), CHUNK)
            rebuilt = torch.cat([network.decoder(part) for part in parts]).cpu().numpy()
        return np.asarray(rebuilt * scale + mean, np.float32)

    books = tuple(book.detach().cpu().numpy() for book in network.books)
    return Learned(latents, books, decode, course.epoch, tuple(course.restarts))


@torch.no_grad()
def encode(network: RQVAE, data: Tensor) -> Tensor:
    """float[n, dim]: the latents of float[n, d]."""
    return torch.cat([network.encoder(part) for part in torch.split(data, CHUNK)])


@torch.no_grad()
def start_books(
    network: RQVAE, data: Tensor, config: SemanticIdConfig, rng: np.random.Generator
) -> None:
    """Put each code-book's entries on k-means' centres of what the levels before leave over."""
    latents = encode(network, data).cpu().numpy()
    sizes = tuple(map(len, network.books))
    found = residual_kmeans(latents, sizes, rng, config.kmeans_rounds, config.kmeans_starts)
    for book, centres in zip(network.books, found, strict=True):
        book.copy_(torch.from_numpy(centres))


@torch.no_grad()
def restart(book: Tensor, dead: Tensor, rest: Tensor, optimizer: torch.optim.Optimizer) -> int:
    """Put dead entries of a code-book where its error is greatest; returns how many moved.

    Args:
        book: float[size, dim], a parameter of the optimizer.
        dead: int64[m], entries.
        rest: float[n, dim], what the level stands for. Those that are farthest from their entry
            become entries, the farthest first; what has no error does not.
        optimizer: forgets what it knew of these entries.
    """
    error = nearest(rest, book)[1]
    worst = error.argsort(descending=True, stable=True)[: len(dead)]
    worst = worst[error[worst] > EXACT * rest.square().sum(dim=1).mean()]
    moved = dead[: len(worst)]
    book[moved] = rest[worst]
    for name in ("exp_avg", "exp_avg_sq"):
        if name in optimizer.state[book]:
            optimizer.state[book][name][moved] = 0
    return len(moved)


@dataclass
class _Course:
    """How a training goes."""

    network: RQVAE
    data: Tensor
    config: SemanticIdConfig
    log: Callable[..., None]
    optimizer: torch.optim.Optimizer = field(init=False)
    idle: list[Tensor] = field(init=False)  # epochs that each code was taken by nothing
    restarts: list[int] = field(init=False)
    losses: list[float] = field(default_factory=list)
    fewest: float = math.inf
    epoch: int = 0
    best: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        books = list(self.network.books)
        networks = [*self.network.encoder.parameters(), *self.network.decoder.parameters()]
        groups: list[dict[str, Any]] = [
            {"params": networks},
            {"params": books, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        self.idle = [torch.zeros(len(book), dtype=torch.long, device=book.device) for book in books]
        self.restarts = [0] * len(books)

    def run_epoch(self, rng: np.random.Generator) -> None:
        """One pass over the vectors, then new places for codes that nothing takes."""
        used = [torch.zeros_like(idle, dtype=torch.bool) for idle in self.idle]
        for rows in _batches(len(self.data), self.config.batch_size, rng):
            batch = self.data if rows is None else self.data[rows]
            for taken, codes in zip(used, self._step(batch).T, strict=True):
                taken[codes] = True
        for idle, taken in zip(self.idle, used, strict=True):
            idle += 1
            idle[taken] = 0
        if self.config.restart_after:
            self._restart()

    def _step(self, batch: Tensor) -> Tensor:
        """int64[n, levels]: the codes that were taken. Raises FloatingPointError."""
        rebuilt, quantised = self.network(batch)
        loss = (rebuilt - batch).square().mean() + quantised.codebook
        loss = loss + self.config.commitment * quantised.commitment
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(
                f"the loss became {float(loss.detach())}: lower learning_rate (now "
                f"{self.config.learning_rate}) or clip (now {self.config.clip})"
            )
        self.losses.append(float(loss.detach()))
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        codes: Tensor = quantised.codes
        return codes

    def _restart(self) -> None:
        """Restart what was idle for too long, level after level."""
        dead = [torch.nonzero(idle >= self.config.restart_after).flatten() for idle in self.idle]
        if not any(map(len, dead)):
            return
        rest = encode(self.network, self.data)
        for level, (book, entries) in enumerate(zip(self.network.books, dead, strict=True)):
            self.restarts[level] += restart(book, entries, rest, self.optimizer)
            self.idle[level][entries] = 0
            with torch.no_grad():
                rest = rest - book[nearest(rest, book)[0]]

    @torch.no_grad()
    def judge(self, epoch: int) -> None:
        """Look at the ids, log, and keep the state if none was better."""
        codes = self.network.quantise(encode(self.network, self.data)).codes
        collisions = 1 - len(torch.unique(codes, dim=0)) / len(codes)
        self.log(
            epoch,
            **{"ids loss": float(np.mean(self.losses)), "ids collisions": collisions},
        )
        self.losses = []
        if 4 * epoch >= 3 * self.config.epochs and collisions <= self.fewest:
            self.fewest, self.epoch = collisions, epoch
            self.best = copy.deepcopy(self.network.state_dict())


def _scaling(vectors: Float32) -> tuple[Float32, float]:
    """float32[d] and a number: the mean, and the distance to it in the quadratic mean, or 1."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    distance = math.sqrt(np.square(vectors - mean).sum(axis=1).mean())
    return mean.astype(np.float32), distance if distance > 0 else 1.0


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Tensor | None]:
    """int64[m] rows of each batch, in an order by chance; None for all of them at once."""
    if not size or size >= n:
        yield None
        return
    yield from torch.split(torch.from_numpy(rng.permutation(n)), size)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in another number of threads are rounded otherwise, and a training magnifies that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
