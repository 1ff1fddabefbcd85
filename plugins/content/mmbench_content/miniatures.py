"""A text encoder in small, with random weights: for tests and checks, not for claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SEED = 0  # no run's chance: one answer
WORDS, LONGEST, WIDTH = 2000, 512, 64
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def build_bert(texts: Sequence[str], folder: Path) -> None:
    """Write a BERT of two layers into a folder, whose tokenizer knows the texts' usual words."""
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    usual = sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]
    names = dict.fromkeys([*SPECIAL.values(), *usual])
    known = {word: number for number, word in enumerate(names)}
    words = Tokenizer(models.WordLevel(known, unk_token=SPECIAL["unk_token"]))
    words.normalizer, words.pre_tokenizer = normalizer, splitter
    last, first = SPECIAL["sep_token"], SPECIAL["cls_token"]
    words.post_processor = processors.BertProcessing((last, known[last]), (first, known[first]))
    tokenizer = transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, **SPECIAL
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(known),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=LONGEST,
        initializer_range=WIDTH**-0.5,  # a token stays nearer to itself than to its place
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        transformers.BertModel(config).save_pretrained(folder)
