"""What docstrings say: the first sentence, and what each setting of a Config means."""

from __future__ import annotations

import inspect
import re

# said once for all: what the fields mean that every plugin calls by the same name
SHARED = {
    "dim": "width of the vectors",
    "layers": "number of layers",
    "heads": "attention heads of a layer",
    "inner": "width of the feed-forward layers",
    "dropout": "share of units that training drops",
    "attention_dropout": "share of attention weights that training drops",
    "epochs": "most passes over the training events",
    "batch_size": "examples in a step",
    "learning_rate": "of the optimiser",
    "weight_decay": "of the optimiser",
    "max_history": "events that the model sees",
    "temperature": "scores are divided by it before the softmax",
    "lora_rank": "of the adapters",
    "lora_alpha": "the adapters' scale is lora_alpha / lora_rank",
    "lora_dropout": "on the adapters' input",
    "backbone": "pretrained weights, or tiny:<family> for small random ones",
}
_SECTION = re.compile(r"^(\w[\w ]*):$")
_ENTRY = re.compile(r"^([a-z_]\w*(?:, *[a-z_]\w*)*)(?: *\([^)]*\))?: +(.*)$")
_PROSE = re.compile(r"``(\w+)``(?: *:| is| are) +([^;]+?)(?=[;.](?:\s|$)|\s*$)", re.S)


def first_sentence(text: str | None) -> str:
    """The first paragraph's first sentence in one line, without a full stop; empty for none."""
    paragraph = " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph, maxsplit=1)[0]
    return sentence.rstrip(".").replace("``", "")


def meanings(config: type) -> dict[str, str]:
    """Field to what the docstrings of a class and of those before it say of it.

    A class's own words win over those that it inherits. Read are ``Attributes:`` sections as
    Google's style guide has them (``name: text`` or ``a, b: text``, indented lines go on), and
    sentences such as "``name`` is ..." or "``name``: ...;" of the text above them.
    """
    found: dict[str, str] = {}
    for part in reversed(config.__mro__[:-1]):
        text = vars(part).get("__doc__")
        if isinstance(text, str):
            found |= _in_prose(text) | _in_section(text)
    return found


def _in_section(text: str) -> dict[str, str]:
    """What an ``Attributes:`` section says."""
    found: dict[str, str] = {}
    names: list[str] = []
    inside, depth = False, 0
    for line in inspect.cleandoc(text).splitlines():
        indent = len(line) - len(line.lstrip())
        if not indent and line.strip():
            inside = line.strip() == "Attributes:" and _SECTION.match(line) is not None
            names, depth = [], 0
            continue
        if not inside or not line.strip():
            continue
        depth = depth or indent
        entry = _ENTRY.match(line.strip()) if indent == depth else None
        if entry:
            names = [name.strip() for name in entry[1].split(",")]
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: _plain(said) for name, said in found.items()}


def _in_prose(text: str) -> dict[str, str]:
    """What the text before the first section says of names in double backquotes."""
    lines = inspect.cleandoc(text).splitlines()
    ends = [number for number, line in enumerate(lines) if _SECTION.match(line)]
    prose = "\n".join(lines[: ends[0]] if ends else lines)
    return {match[1]: _plain(match[2]) for match in _PROSE.finditer(prose)}


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "").rstrip(".")
