"""REACHES OUT: one request in, one response out, within limits of time, size and address.

`crawler.fetch` is this package, and the library's synchronous call as well: `crawler.fetch(urls)` fetches a list. The
package itself is callable, because a function of that name in `crawler` would hide it, or be hidden by it, depending on
which was imported first.
"""

import sys
from importlib import import_module
from types import ModuleType


class _Callable(ModuleType):
    """A package that can be called; see `client.fetch`."""

    def __call__(self, *args: object, **options: object) -> object:
        return import_module("crawler.fetch.client").fetch(*args, **options)


sys.modules[__name__].__class__ = _Callable
