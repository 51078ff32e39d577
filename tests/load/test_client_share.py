"""load.client_share: the client's part of each percentile."""

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.client_share import client_shares
from crawler.load.counts import Table, note
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase


def lag(*milliseconds: float) -> Table:
    """A hundred samples, of which the last ones are these."""
    table = Table(int)
    for one in [0.0] * (100 - len(milliseconds)) + list(milliseconds):
        note(table, round(one * MILLISECOND))
    return table


def phase(requests: int = 1000) -> Phase:
    """Answers of 20 ms, each sent half a millisecond late."""
    found = Phase(name="measured", scheduled=requests)
    found.pacing[bucket(MILLISECOND // 2, FINE)] = requests
    found.response[bucket(20 * MILLISECOND, FINE)] = found.reused.whole[bucket(19 * MILLISECOND, FINE)] = requests
    return found


def test_what_is_sent_late_and_what_is_read_late_are_added() -> None:
    """In an open loop, of the response time; a closed one sends when it will."""
    late = lag(*[1.0] * 100)

    parts = client_shares(phase(), late, is_open=True)
    closed = client_shares(phase(), late, is_open=False)

    assert [(own.share, own.kind) for own in parts] == [(0.5, "response"), (0.9, "response"), (0.99, "response")]
    assert [own.part for own in parts] == [pytest.approx(1.5 / 20, abs=0.001)] * 3
    assert [own.part for own in closed] == [pytest.approx(1 / 19, abs=0.001)] * 3


def test_a_few_pauses_are_in_the_tail_alone() -> None:
    """Two of a hundred moments were 10 ms late: half of the p99 may be that, and nothing of the others."""
    parts = {own.share: own.part for own in client_shares(phase(), lag(10, 10), is_open=False)}

    assert parts == {0.5: 0, 0.9: 0, 0.99: pytest.approx(10 / 19, abs=0.001)}


def test_a_percentile_that_the_sample_cannot_carry_has_no_part() -> None:
    """Of 400 requests there is no p99 to be late in."""
    assert [own.share for own in client_shares(phase(400), lag(10), is_open=True)] == [0.5, 0.9]
