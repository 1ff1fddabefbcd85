"""The plugin's models keep mmbench's contract."""

from mmbench_pixrec.model import PixRec
from mmbench_pixrec.repeat import RepeatLast

from mmbench.testing import parametrize_with_checks


@parametrize_with_checks([PixRec, "pixrec/smollm2", RepeatLast])
def test_conformance(check):
    check()
