"""Import this before transformers' parts are used: libraries below an error keep silent."""

import logging

import transformers

transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
