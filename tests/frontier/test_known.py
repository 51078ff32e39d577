"""frontier.known: which finds need no look at the row that is there."""

from dataclasses import replace
from typing import Any

import pytest

from crawler.core.models import Find
from crawler.core.urls import parse
from crawler.frontier.known import Known

LINK = Find(url=parse("http://h/a"), depth=2)


@pytest.mark.parametrize(
    ("again", "settled"),
    [
        ({}, True),
        ({"depth": 3}, True),
        ({"depth": 1}, False),
        ({"seed": True}, False),
        ({"sitemap": True}, False),
        ({"lastmod": "2024-05-01"}, False),
    ],
)
def test_a_find_that_may_improve_its_row_is_looked_up(again: dict[str, Any], settled: bool) -> None:
    """Nearer, a seed, a sitemap or dated; any other costs no statement."""
    known = Known(follows=True)
    known.note(7, LINK, None)
    known.keep()

    assert known.settled(replace(LINK, **again), None) == (7 if settled else None)
