"""A language model in a GGUF file, as a plain folder of safetensors that any loader reads."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from mmbench.files import sync
from mmbench.toolkit.disk import WeightsError, demand_room

LEFT = 3600.0  # seconds after which a folder that a killed process left may be removed
SIZE = 4  # bytes of a float32


def convert(file: Path, place: Path) -> None:
    """Write a GGUF file's model in float32, its tokenizer and its chat template into a folder.

    Quantised weights are multiplied out once; nothing of the quantisation is left in the config.
    The folder is there whole or not at all, and another process may write the same meanwhile.

    Raises WeightsError: not a model that can be read, or the disk is too full.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(file)
    except (ValueError, OSError, IndexError) as error:
        raise WeightsError(f"{file} is not a GGUF file that can be read: {error}") from error
    numbers = sum(int(tensor.n_elements) for tensor in reader.tensors)
    demand_room(place.parent, SIZE * numbers, f"{file.name} in float32")
    _clear(place.parent)
    partial = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    try:
        _write(file, _field(reader, "tokenizer.ggml.pre"), partial)
        for path in partial.iterdir():
            path.chmod(0o644)
            sync(path)
        partial.chmod(0o755)
        os.rename(partial, place)
        sync(place.parent)
    except OSError:
        if not place.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(file: Path, words: str, folder: Path) -> None:
    import torch
    import transformers

    options: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        read = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent, dtype=torch.float32, **options
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **options)
    except (ValueError, KeyError, OSError) as error:
        raise WeightsError(f"{file} holds no model that can be read here: {error}") from error
    plain = {
        name: value
        for name, value in read.config.to_dict().items()
        if name not in ("quantization_config", "_model_name_or_path", "_name_or_path")
    }
    model = type(read)(type(read.config).from_dict(plain))
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    _split_digits(tokenizer, words)
    tokenizer.save_pretrained(folder)


def _split_digits(tokenizer: Any, words: str) -> None:
    """Cut texts before each digit where the model was trained so; transformers leaves that out."""
    from tokenizers import pre_tokenizers

    if words == "smollm":
        inner = tokenizer.backend_tokenizer
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), inner.pre_tokenizer]
        )


def _field(reader: Any, name: str) -> str:
    field = reader.get_field(name)
    return "" if field is None else bytes(field.parts[field.data[0]]).decode()


def _clear(home: Path) -> None:
    """Remove what processes that were killed long ago have left."""
    for path in home.glob(".*"):
        with contextlib.suppress(FileNotFoundError):  # another process was first
            if time.time() - path.stat().st_mtime > LEFT:
                shutil.rmtree(path, ignore_errors=True)
