"""Paper against ours: what was published for a model, beside what the harness measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass

from mmbench.audit import violations
from mmbench.hookspecs import Published
from mmbench.results.cell import Cell
from mmbench.results.record import Record


@dataclass(frozen=True, slots=True)
class Comparison:
    """A published figure and our mean for the same dataset, candidate set and metric.

    Attributes:
        name: our row.
        model, source: the row's name in the paper, and the paper's table.
        ours: None where the row has no such figure.
        differs: what the paper or our run does otherwise, or an empty string.
        stand_in: whether ours is a tiny model, or runs on smaller pretrained weights.
        violations: what the arithmetic gate says against the figures of the paper's row.
    """

    name: str
    model: str
    source: str
    candidates: str
    metric: str
    published: float
    ours: float | None
    differs: str
    stand_in: bool = False
    violations: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Ours minus published; None where ours is no such model."""
        return None if self.ours is None or self.stand_in else self.ours - self.published


def compare(
    name: str,
    records: Iterable[Record],
    means: Mapping[str, Mapping[str, float]],
    *,
    stand_in: bool,
    small: bool = False,
) -> Iterator[Comparison]:
    """The comparisons of one row; ``means`` maps candidate set to metric to our mean.

    Figures of other datasets are left out, and those of models that start otherwise. ``stand_in``
    says that ours is one, ``small`` that it runs on smaller pretrained weights.
    """
    told = {
        paper
        for r in records
        for paper in r.papers
        if paper.dataset == r.cell.dataset and _same_start(paper, r.cell)
    }
    papers = sorted(told, key=astuple)
    verdicts = _verdicts(papers)
    for paper in papers:
        differs = [paper.differs] if paper.differs else []
        if stand_in:
            differs.append("ours is a stand-in")
        elif small:
            differs.append("ours runs on small pretrained weights")
        yield Comparison(
            name=name,
            model=paper.model,
            source=paper.source,
            candidates=paper.candidates,
            metric=paper.metric,
            published=paper.value,
            ours=means.get(paper.candidates, {}).get(paper.metric),
            differs="; ".join(differs),
            stand_in=stand_in or small,
            violations=verdicts[_printed_row(paper)],
        )


def _same_start(paper: Published, cell: Cell) -> bool:
    """Whether the paper's model starts from another's embeddings where ours does, and from its.

    Papers write ``VLM2Rec->SASRec``; ``SASRec->SASRec`` starts from nothing but its own.
    """
    source, arrow, target = paper.model.lower().partition("->")
    if not arrow or source.strip() == target.strip():
        return cell.upstream is None
    return cell.upstream is not None and _bare(cell.upstream.model) == source.strip()


def _bare(model: str) -> str:
    """``vlm2rec`` of ``vlm2rec/sft-ext[dim=64]``."""
    return model.partition("[")[0].partition("/")[0].lower()


def _printed_row(paper: Published) -> tuple[str, str, str, str]:
    return paper.source, paper.model, paper.candidates, paper.differs


def _verdicts(papers: Iterable[Published]) -> dict[tuple[str, str, str, str], tuple[str, ...]]:
    """The gate looks at all figures of one printed row together."""
    rows: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    for paper in papers:
        rows[_printed_row(paper)][paper.metric] = paper.value
    return {key: tuple(violations(dict(sorted(figures.items())))) for key, figures in rows.items()}
