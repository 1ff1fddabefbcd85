"""How Sphinx makes the pages; ``make site`` runs it with warnings as errors."""

from importlib import import_module
from importlib.metadata import version as version_of
from typing import Any

from sphinx.util import logging

logger = logging.getLogger(__name__)

project = "mmbench"
author = "The mmbench authors"
copyright = "the mmbench authors, Apache-2.0"
release = version = version_of("mmbench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = "mmbench"
html_copy_source = False

napoleon_custom_sections = [("Class attributes that the harness reads", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
add_module_names = False

PUBLIC = (
    "mmbench",
    "mmbench.views",
    "mmbench.hookspecs",
    "mmbench.testing",
    "mmbench.toolkit.training",
    "mmbench.toolkit.encodings",
    "mmbench.toolkit.texts",
    "mmbench.toolkit.weights",
    "mmbench.toolkit.semantic_ids",
    "mmbench.vlm",
)
UNTOLD = {"__version__", "hookimpl"}  # a string, and pluggy's marker


def demand_complete(app: Any, env: Any) -> None:
    """Warn of each public name that is on no page of the API."""
    told = {name.rpartition(".")[2] for name in env.domaindata["py"]["objects"]}
    for module in PUBLIC:
        home = import_module(module)
        names = getattr(home, "__all__", None) or [
            name
            for name, value in vars(home).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module
        ]
        for name in sorted({*names} - told - UNTOLD):
            logger.warning("%s.%s is on no page of the API", module, name)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("env-check-consistency", demand_complete)
