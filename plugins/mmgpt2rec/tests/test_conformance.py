"""The plugin's model keeps mmbench's contract."""

import pytest
from mmbench_mmgpt2rec.models import MMGPT2Rec

from mmbench.testing import parametrize_with_checks


@pytest.mark.slow
@parametrize_with_checks([MMGPT2Rec, "mmgpt2rec/free", "mmgpt2rec/text-only"])
def test_conformance(check):
    check()
