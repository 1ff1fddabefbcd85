"""The public names, and what importing them costs."""

import os
import subprocess
import sys

import pytest

from mmbench import vlm


def test_every_public_name_is_there():
    assert set(vlm.__all__) == {name for names in vlm.HOMES.values() for name in names}
    for name in vlm.__all__:
        assert getattr(vlm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        vlm.Nothing  # noqa: B018


def test_a_plugins_class_can_be_read_without_torch():
    code = (
        "from mmbench import vlm; vlm.BackboneConfig(); vlm.TrainingConfig(); vlm.lacking; "
        "vlm.Prompt([vlm.Image(1), vlm.Span('x', 'y'), vlm.Tokens(1)]); vlm.code_tokens((3, 3)); "
        "vlm.Trie([[1, 2]]).following([1]); import sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "transformers", "peft", "accelerate"}


@pytest.mark.slow
def test_the_compiler_of_torch_starts_no_processes():
    """Where triton is, it would do so when peft is imported."""
    code = (
        "from mmbench import vlm; vlm.train; import peft; "
        "import torch._inductor.config as c, torch._inductor.async_compile, psutil; "
        "print(c.compile_threads, len(psutil.Process().children()))"
    )
    environment = {name: value for name, value in os.environ.items() if "INDUCTOR" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["1", "0"]
