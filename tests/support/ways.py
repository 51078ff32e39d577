"""Finds and requests, told flat: the fields of the way to a URL stand beside its own."""

from collections.abc import Iterable
from typing import Any

from crawler.core.discovery import Way
from crawler.core.finds import Find, Finds
from crawler.core.messages import Request
from crawler.core.urls import Url, parse


def a_find(url: str | Url, **fields: Any) -> Find:
    """A find; keywords are fields of `Find` and of `Way`."""
    return Find(**_parted(url, fields))


def packed(finds: Iterable[Find]) -> Finds:
    """These finds by links, packed."""
    return Finds.of((find.url, find.way, find.refusal) for find in finds)


def a_request(url: str | Url, **fields: Any) -> Request:
    """A request; keywords are fields of `Request` and of `Way`."""
    return Request(**_parted(url, fields))


def _parted(url: str | Url, fields: dict[str, Any]) -> dict[str, Any]:
    way = {name: fields.pop(name) for name in Way.__struct_fields__ if name in fields}
    return {"url": parse(url) if isinstance(url, str) else url, "way": Way(**way), **fields}
