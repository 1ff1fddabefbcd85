"""The plugin's models keep mmbench's contract; the one without a backbone in the quick tests."""

import pytest
from mmbench_pixrec.model import PixRec
from mmbench_pixrec.repeat import RepeatLast

from mmbench.testing import parametrize_with_checks


@parametrize_with_checks([RepeatLast])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks([PixRec, "pixrec/smollm2"])
def test_conformance_with_a_backbone(check):
    check()
