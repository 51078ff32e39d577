"""load.targets.replay: the times of a file become a schedule, nanosecond by nanosecond."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.core.protocols import Pacer
from crawler.load.contradictions import configure_load
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.pacers import Share
from crawler.load.targets.make import make_targets
from crawler.load.targets.replay import is_coarse, offsets, spread, time_order
from crawler.load.targets.targets import Targets

Make = Callable[..., Targets]
HOUR = 3600 * SECOND


@pytest.fixture
def replay(tmp_path: Path) -> Make:
    """Make the replay of JSON log lines with these times, or of a file with this content."""

    def make(times: list[str] | bytes, factor: str = "1", **options: object) -> Targets:
        path = tmp_path / "f"
        if isinstance(times, bytes):
            path.write_bytes(times)
        else:
            lines = [f'{{"method":"GET","path":"/{n}","time":"{time}"}}\n' for n, time in enumerate(times)]
            path.write_text("".join(lines), "utf-8")
        config = configure_load({"targets": str(path), "replay": factor, **options})
        return make_targets("http://h/", config, tmp_path)

    return make


def sent(targets: Targets) -> list[tuple[int | None, str]]:
    """Due moments and paths, in the order in which they are sent."""
    with targets.open() as opened:
        pacer, deal = opened.replay(), opened.dealer(0, 1)
        return [(pacer.due(n), opened.message(deal()).split(b" ")[1].decode()) for n in range(targets.count)]


@pytest.mark.parametrize(("factor", "by"), [("1", 1), ("2x", 2), ("0.5", 0.5), ("4", 4)])
def test_requests_are_due_at_the_file_s_times(replay: Make, factor: str, by: float) -> None:
    """Each offset from the first one is divided by the factor, gaps included, and sorted by time."""
    times = ["03:04:05.250", "03:04:05.000", "03:04:06.500", "04:04:05.000", "03:04:05.250"]

    targets = replay([f"2026-01-02T{time}Z" for time in times], factor)

    offsets = [0, 250 * MILLISECOND, 250 * MILLISECOND, 1500 * MILLISECOND, HOUR]
    assert sent(targets) == [
        (offset // by, path) for offset, path in zip(offsets, ["/1", "/0", "/4", "/2", "/3"], strict=True)
    ]
    assert targets.is_replay
    assert targets.note == ""


def test_a_schedule_ends_with_the_file(replay: Make) -> None:
    """The pacer knows its length, and says that nothing follows."""
    targets = replay(["2026-01-02T03:04:05.5Z", "2026-01-02T03:04:09Z"])

    with targets.open() as opened:
        pacer = opened.replay()
        dues = [pacer.due(n) for n in range(3)]

    assert dues == [0, 3500 * MILLISECOND, None]
    assert pacer.count == 2


def test_processes_share_one_schedule(replay: Make) -> None:
    """Process i of k sends every k-th request, at its own due moment."""
    targets = replay([f"2026-01-02T03:04:05.{n:03d}Z" for n in (5, 3, 1, 4, 2, 0, 6)])

    with targets.open() as opened:
        shares = [(Share(opened.replay(), index, 3), opened.dealer(index, 3)) for index in range(3)]
        found: list[tuple[int | None, bytes]] = []
        for number in range(7):
            share, deal = shares[number % 3]
            found.append((share.due(number // 3), opened.message(deal()).split(b" ")[1]))

    assert found == [(n * MILLISECOND, b"/%d" % path) for n, path in enumerate([5, 2, 4, 1, 3, 0, 6])]


def test_whole_seconds_are_spread_and_said_so(replay: Make) -> None:
    """Four requests of one second are 250 ms apart; the one of the next second keeps its place."""
    log = b"".join(
        b'1.2.3.4 - - [10/Oct/2000:13:55:%02d +0000] "GET /%d HTTP/1.1" 200 1\n' % (second, number)
        for number, second in enumerate([36, 36, 36, 36, 37, 39, 39])
    )

    targets = replay(log)

    assert [due for due, _ in sent(targets)] == [n * MILLISECOND for n in (0, 250, 500, 750, 1000, 3000, 3500)]
    assert "whole seconds: its requests are spread evenly within each second" in targets.note


def test_a_file_with_fractions_keeps_its_bursts() -> None:
    """Two requests at the same millisecond are sent at once, even where it is a whole second."""
    assert not is_coarse([SECOND, SECOND, 2 * SECOND + 1])
    assert not is_coarse([SECOND, 2 * SECOND])
    assert is_coarse([SECOND, SECOND, 2 * SECOND])


def test_a_spread_second_stays_within_it() -> None:
    """The last of many is before the next second, whatever their number."""
    moments = array("q", [5 * SECOND] * 7 + [6 * SECOND])

    spread(moments)

    assert list(moments) == [5 * SECOND + n * SECOND // 7 for n in range(7)] + [6 * SECOND]


def test_a_factor_is_exact() -> None:
    """A tenth is a tenth, as written, and no binary fraction of a day's nanoseconds."""
    moments = array("q", [7, 7 + 24 * HOUR + 1])

    offsets(moments, 0.1)

    assert list(moments) == [0, 240 * HOUR + 10]


def test_the_order_of_equal_moments_is_the_file_s() -> None:
    """A sorted file needs no order of its own."""
    assert time_order(array("q", [1, 1, 2])) is None
    assert list(time_order(array("q", [2, 1, 2, 1])) or ()) == [1, 3, 0, 2]
    assert time_order(array("q", [5])) is None


def test_a_line_without_a_time_is_broken(replay: Make) -> None:
    """Its number is told, or it is left out and counted."""
    times = ["2026-01-02T03:04:05Z", "soon", "2026-01-02T03:04:06Z"]

    with pytest.raises(UsageError, match="f:2: it has no time that can be read, and --replay needs one"):
        replay(times)
    assert replay(times, **{"skip-broken": True}).skipped == 1


def test_a_year_that_no_schedule_can_hold_breaks_its_line(replay: Make) -> None:
    """Nanoseconds of the year 9999 do not fit; a slow replay of years that do fit may be too long, too."""
    log = b"".join(
        b'::1 - - [10/Oct/%b:20:55:36 +0000] "GET / HTTP/1.1" 200 1\n' % year for year in (b"2000", b"2261", b"9999")
    )

    with pytest.raises(UsageError, match="f:3: it has no time that can be read"):
        replay(log)
    with pytest.raises(UsageError, match=r"--replay=0\.01: the test would last longer than 100 years: check the file"):
        replay(log, "0.01", **{"skip-broken": True})


def test_a_replay_is_a_pacer(replay: Make) -> None:
    """It stands in the place of any other schedule."""
    with replay(["2026-01-02T03:04:05Z"]).open() as opened:
        pacer: Pacer = opened.replay()

        assert pacer.due(0) == 0
