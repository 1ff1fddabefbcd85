"""mmbench: a benchmark harness for multimodal sequential recommendation.

The public names are loaded when first used, so that the command line starts without numpy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.hookspecs import DatasetInfo, Published, RawDataset, Recipe, hookimpl
    from mmbench.views import ImageError, ImageStore, Interactions, Items, Queries, Run, TopK

__version__ = "0.1.0"

__all__ = [
    "DatasetInfo",
    "ImageError",
    "ImageStore",
    "Interactions",
    "Items",
    "Published",
    "Queries",
    "RawDataset",
    "Recipe",
    "Run",
    "TopK",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mmbench import hookspecs, views

        return getattr(views if hasattr(views, name) else hookspecs, name)
    raise AttributeError(f"module 'mmbench' has no attribute {name!r}")
