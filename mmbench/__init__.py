"""mmbench: a benchmark harness for multimodal sequential recommendation.

The public names are loaded when first used, so that the command line starts without numpy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.api import Results, read_results, run
    from mmbench.hookspecs import DatasetInfo, Published, RawDataset, Recipe, hookimpl
    from mmbench.products import Products, find_duplicates
    from mmbench.toolkit.embedding import EmbeddingModel
    from mmbench.views import (
        ImageError,
        ImageStore,
        Interactions,
        Items,
        Queries,
        Run,
        TopK,
        Vectors,
    )

__version__ = "0.2.0"

__all__ = [
    "DatasetInfo",
    "EmbeddingModel",
    "ImageError",
    "ImageStore",
    "Interactions",
    "Items",
    "Products",
    "Published",
    "Queries",
    "RawDataset",
    "Recipe",
    "Results",
    "Run",
    "TopK",
    "Vectors",
    "__version__",
    "find_duplicates",
    "hookimpl",
    "read_results",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mmbench import api, hookspecs, products, views
        from mmbench.toolkit import embedding

        homes = (views, hookspecs, products, embedding, api)
        home = next(home for home in homes if hasattr(home, name))
        return getattr(home, name)
    raise AttributeError(f"module 'mmbench' has no attribute {name!r}")
