"""core.politeness: how gently each host is asked."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.config import PolitenessConfig
from crawler.core.leases_and_commits import HostState
from crawler.core.rate_limits import RateGate, Throttles, is_loopback
from crawler.core.throttle import HostThrottle, ThrottleBounds
from crawler.core.urls import Host, parse

PUBLIC, LOCAL = Host("site.example:443"), Host("127.0.0.1:8000")


@pytest.mark.parametrize(
    ("config", "public", "local"),
    [
        (PolitenessConfig(), (4, 0.5), (64, 0.0)),
        (PolitenessConfig(per_host=2), (2, 0.5), (2, 0.0)),
        (PolitenessConfig(delay=3.0), (4, 3.0), (64, 3.0)),
        (PolitenessConfig(per_host=1, delay=0.0), (1, 0.0), (1, 0.0)),
    ],
)
def test_the_pace_of_a_host(config: PolitenessConfig, public: tuple[int, float], local: tuple[int, float]) -> None:
    """Public hosts are asked gently, the own machine as fast as there are slots, unless the user says otherwise."""
    paces = Throttles(config, concurrency=64, ahead=0.0)

    for host, expected in ((PUBLIC, public), (LOCAL, local)):
        pace = paces.of(host, HostState(answered=True))
        assert (pace.limit, pace.delay) == expected


def test_a_stored_state_is_gone_on_from() -> None:
    """Its due time is of the wall clock, which is `ahead` behind the monotonic one."""
    paces = Throttles(PolitenessConfig(), concurrency=64, ahead=-1000.0)

    pace = paces.of(PUBLIC, HostState(due=1030.0, window=2.0))

    assert (pace.due, pace.limit) == (30.0, 2)


@pytest.mark.parametrize(
    ("pace", "stock"),
    [((4, 0.5), 8), ((1, 0.5), 4), ((1, 0.1), 20), ((4, 60.0), 8), ((100, 0.0), 200)],
)
def test_the_stock_lasts_two_seconds(pace: tuple[int, float], stock: int) -> None:
    """A host gets what two seconds use up, and at least twice its limit."""
    assert HostThrottle(ThrottleBounds(per_host=pace[0], delay=pace[1])).stock == stock


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost/", True),
        ("http://LOCALHOST:8000/", True),
        ("http://localhost./", True),
        ("http://app.localhost/", True),
        ("http://127.0.0.1/", True),
        ("http://127.255.0.9:81/", True),
        ("http://0x7f.1/", True),
        ("http://[::1]:8000/", True),
        ("http://localhost.example/", False),
        ("http://notlocalhost/", False),
        ("http://127.example/", False),
        ("http://128.0.0.1/", False),
        ("http://10.0.0.1/", False),
        ("http://[::2]/", False),
        ("http://[fe80::1]/", False),
    ],
)
def test_the_own_machine_is_known_by_its_name(url: str, own: bool) -> None:
    """Loopback addresses and the names that RFC 6761 keeps for them, in any spelling, and nothing else."""
    assert is_loopback(parse(url).host_port) == own


def test_without_a_rate_everything_may_start_at_once() -> None:
    """No limit is never late nor early."""
    gate = RateGate(None)
    for now in (5.0, 5.0, 6.0):
        assert gate.due(now) <= now
        gate.pass_through(now)


def test_starts_are_evenly_spaced() -> None:
    """Tasks that wait for the gate start every 1 / rate seconds."""
    gate, now, starts = RateGate(4.0), 100.0, []
    for _ in range(5):
        now = max(now, gate.due(now))
        gate.pass_through(now)
        starts.append(now)

    assert starts == pytest.approx([100.0, 100.25, 100.5, 100.75, 101.0])


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), min_size=2, max_size=60))
def test_no_stretch_of_time_sees_more_than_the_rate(rate: float, pauses: list[float]) -> None:
    """Over any stretch, starts stay within the rate and one that was late: a pause is never made up for."""
    gate, now, starts = RateGate(rate), 100.0, list[float]()
    for pause in pauses:
        now = max(now + pause / rate, gate.due(now + pause / rate))
        gate.pass_through(now)
        starts.append(now)

    for first, begin in enumerate(starts):
        for more, end in enumerate(starts[first:]):
            assert more - 1 <= (end - begin) * rate * (1 + 1e-9) + 1e-6


@given(st.floats(0.1, 1000), st.integers(2, 50))
def test_being_a_little_late_costs_no_speed(rate: float, count: int) -> None:
    """A start that comes late by half a gap, as timers do, does not push the later ones back."""
    gate, now = RateGate(rate), 100.0
    dues = []
    for _ in range(count):
        due = max(now, gate.due(now))
        dues.append(due)
        now = due + 0.5 / rate
        gate.pass_through(now)

    assert all(later - earlier == pytest.approx(1 / rate, rel=1e-6) for earlier, later in pairwise(dues[1:]))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 4.0, 100.0]), st.floats(0, 3)), min_size=1, max_size=30))
def test_a_rate_that_changes_allows_no_burst(changes: list[tuple[float, float]]) -> None:
    """Between two changes starts stay within the rate and one that was late; at a rate of 0 there is none."""
    gate, now, last = RateGate(4.0), 100.0, float("-inf")
    for rate, seconds in changes:
        gate.change(rate)
        end, starts = now + seconds, list[float]()
        while gate.due(now) <= end and len(starts) < 1000:
            now = max(now, gate.due(now))
            gate.pass_through(now)
            starts.append(now)

        assert len(starts) <= seconds * rate + 2 + 1e-6
        assert not starts or starts[0] - last >= (1 / rate) * (1 - 1e-9) - 1e-9
        now, last = end, starts[-1] if starts else last


def test_a_gate_may_open_for_good() -> None:
    """After a rate of 0, no limit at all lets everything pass at once."""
    gate = RateGate(2.0)
    gate.pass_through(100.0)
    gate.change(0.0)
    assert gate.due(1e9) == float("inf")

    gate.change(None)

    assert gate.due(101.0) <= 101.0
