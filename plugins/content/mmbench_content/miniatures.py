"""The encoders' networks in small, with random weights: for tests and checks, not for claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

from mmbench.toolkit.efficientnet import EfficientNetLite0

SEED = 0  # no run's chance: one answer
WORDS, LONGEST, WIDTH = 2000, 512, 64
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def build_bert(texts: Sequence[str], folder: Path) -> None:
    """Write a BERT of two layers into a folder, with a tokenizer that is trained on the texts."""
    words = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"]))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=WORDS, special_tokens=[*SPECIAL.values()], show_progress=False
    )
    words.train_from_iterator(texts, trainer)
    known, last, first = words.get_vocab(), SPECIAL["sep_token"], SPECIAL["cls_token"]
    words.post_processor = processors.BertProcessing((last, known[last]), (first, known[first]))
    tokenizer = transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, **SPECIAL
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=words.get_vocab_size(),
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


def build_lite0() -> EfficientNetLite0:
    """An EfficientNet-Lite0 whose random weights keep a signal's size from layer to layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = EfficientNetLite0()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return network.requires_grad_(False).eval()
