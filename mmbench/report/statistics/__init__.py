"""What may be claimed of figures: pure functions of per-user arrays, numpy and scipy alone.

``difference`` holds two rows against each other, ``family`` all pairs of a table (``holm``, with
``max_t`` beside it for the models as they were trained), ``letters`` and ``places`` say what that
makes of an order of rows, and ``datasets`` looks over several datasets. None of them reads a file
or draws chance that is not fixed.
"""

from mmbench.report.statistics.difference import (
    ALPHA,
    POWER,
    Difference,
    Float64,
    Interval,
    compare_rows,
    detectable,
    mean_interval,
)
from mmbench.report.statistics.family import Family, Sample, compare_family

__all__ = [
    "ALPHA",
    "POWER",
    "Difference",
    "Family",
    "Float64",
    "Interval",
    "Sample",
    "compare_family",
    "compare_rows",
    "detectable",
    "mean_interval",
]
