"""Search a model's settings on the validation fold alone; needs ``mmbench[tune]``.

No part of this can reach a test target: trials get a question from which the test fold and the
events behind it were taken out, see ``mmbench.tune.blind``.
"""
