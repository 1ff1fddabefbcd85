"""The rules of the game: split, candidates, ranks, metrics. Models only fit and score."""

from mmbench.protocol.answers import AnswerError
from mmbench.protocol.beyond import beyond_accuracy
from mmbench.protocol.candidate_sets import CANDIDATE_SETS, CandidateSet, affordable, ask_order
from mmbench.protocol.candidates import candidates_hash, count_drawn, shown_candidates
from mmbench.protocol.evaluate import (
    Ask,
    Asked,
    Ranks,
    chunks,
    evaluate,
    evaluate_each,
    excluded,
    validation_ndcg,
)
from mmbench.protocol.join import Joined, Place, ask_part, join_parts
from mmbench.protocol.metrics import summarise, tie_rate, unanswered
from mmbench.protocol.parts import SplitError
from mmbench.protocol.protocols import (
    DEFAULT,
    PROTOCOLS,
    Protocol,
    explain_protocol,
    get_protocol,
)
from mmbench.protocol.same_text import text_equal
from mmbench.protocol.split import SPLITS, Fold, Split, split, take

__all__ = [
    "CANDIDATE_SETS",
    "DEFAULT",
    "PROTOCOLS",
    "SPLITS",
    "AnswerError",
    "Ask",
    "Asked",
    "CandidateSet",
    "Fold",
    "Joined",
    "Place",
    "Protocol",
    "Ranks",
    "Split",
    "SplitError",
    "affordable",
    "ask_order",
    "ask_part",
    "beyond_accuracy",
    "candidates_hash",
    "chunks",
    "count_drawn",
    "evaluate",
    "evaluate_each",
    "excluded",
    "explain_protocol",
    "get_protocol",
    "join_parts",
    "shown_candidates",
    "split",
    "summarise",
    "take",
    "text_equal",
    "tie_rate",
    "unanswered",
    "validation_ndcg",
]
