"""CONDUCTS a crawl: seeds in, visits committed, until nothing eligible is pending.

`crawler.crawl` is this package, and the library's call as well: `async for page in crawler.crawl(seeds)`. The package
itself is callable, for the reason that stands in `crawler/fetch/__init__.py`.
"""

import sys
from importlib import import_module
from types import ModuleType


class _Callable(ModuleType):
    """A package that can be called; see `crawler/embed.py`."""

    def __call__(self, *args: object, **options: object) -> object:
        return import_module("crawler.embed").crawl(*args, **options)


sys.modules[__name__].__class__ = _Callable
