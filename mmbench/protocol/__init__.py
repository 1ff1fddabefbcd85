"""The rules of the game: split, candidates, ranks, metrics. Models only fit and score."""

from mmbench.protocol.answers import AnswerError
from mmbench.protocol.beyond import beyond_accuracy
from mmbench.protocol.candidates import candidates_hash
from mmbench.protocol.evaluate import Ask, Asked, Ranks, chunks, evaluate, validation_ndcg
from mmbench.protocol.join import Joined, Place, ask_part, join_parts
from mmbench.protocol.metrics import summarise, tie_rate, unanswered
from mmbench.protocol.protocols import CANDIDATE_SETS, DEFAULT, PROTOCOLS, Protocol, get_protocol
from mmbench.protocol.same_text import text_equal
from mmbench.protocol.split import Fold, Split, SplitError, split

__all__ = [
    "CANDIDATE_SETS",
    "DEFAULT",
    "PROTOCOLS",
    "AnswerError",
    "Ask",
    "Asked",
    "Fold",
    "Joined",
    "Place",
    "Protocol",
    "Ranks",
    "Split",
    "SplitError",
    "ask_part",
    "beyond_accuracy",
    "candidates_hash",
    "chunks",
    "evaluate",
    "get_protocol",
    "join_parts",
    "split",
    "summarise",
    "text_equal",
    "tie_rate",
    "unanswered",
    "validation_ndcg",
]
