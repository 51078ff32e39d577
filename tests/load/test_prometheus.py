"""load.prometheus, load.metrics_server: metrics that a monitor reads, from a server that nothing disturbs."""

import asyncio
import re
from dataclasses import replace

import pytest

from crawler.core.errors import UsageError
from crawler.load import metrics_server as module
from crawler.load.metrics_server import metrics_server
from crawler.load.progress import Progress, Ranks
from crawler.load.prometheus import metrics_text
from crawler.load.result import LoadVerdict
from crawler.load.verdict import Judgement
from crawler.load.watching import Watch
from support.load_results import load_setup

LINE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (?P<value>[-+0-9.e]+)')
MOMENT = Progress(
    due=30,
    answered=20,
    failed=3,
    timed_out=2,
    in_flight=5,
    measured=10**9,
    cpu=250_000,
    times=Ranks(1_500_000, 0, 2_000_000),
)


def samples(text: str) -> dict[str, float]:
    """The samples as another program reads them; each metric has its HELP and its TYPE before its first sample."""
    found, known = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            known.add(line.split()[2])
            assert line.split()[3] in {"counter", "gauge"}
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            assert match["name"] in known
            assert match["name"].endswith("_total") == (f"# TYPE {match['name']} counter" in text)
            found[f"{match['name']}{{{match['labels']}}}" if match["labels"] else match["name"]] = float(match["value"])
    assert text.endswith("\n")
    return found


def test_each_figure_is_a_metric_in_base_units() -> None:
    """Counts by outcome, seconds, cores, and the verdict as one state of several."""
    found = samples(metrics_text(load_setup(rate=5), 3.5, MOMENT, Judgement(LoadVerdict.OK, "", "")))

    assert found["crawler_load_elapsed_seconds"] == 3.5
    assert found["crawler_load_due_requests_total"] == 30
    assert [found[f'crawler_load_requests_total{{outcome="{name}"}}'] for name in ("ok", "failed", "timed_out")] == [
        20,
        3,
        2,
    ]
    assert found["crawler_load_in_flight_requests"] == 5
    assert found['crawler_load_response_seconds{quantile="0.5"}'] == 0.0015
    assert found['crawler_load_response_seconds{quantile="0.99"}'] == 0.002
    assert 'crawler_load_response_seconds{quantile="0.9"}' not in found
    assert found["crawler_load_client_cpu_cores"] == 0.25
    states = {name: value for name, value in found.items() if name.startswith("crawler_load_verdict")}
    assert (len(states), sum(states.values()), states['crawler_load_verdict{verdict="OK"}']) == (len(LoadVerdict), 1, 1)


def test_the_checks_of_a_script_are_counters_by_name_and_outcome() -> None:
    """A name may hold what the format escapes; a test without checks has no such metric."""
    checks = {"the cart": (7, 2), 'a "b"': (0, 1)}

    text = metrics_text(load_setup(), 3.5, replace(MOMENT, checks=checks))

    assert "# TYPE crawler_load_checks_total counter" in text
    assert 'crawler_load_checks_total{check="the cart",outcome="passed"} 7' in text
    assert 'crawler_load_checks_total{check="the cart",outcome="failed"} 2' in text
    assert 'crawler_load_checks_total{check="a \\"b\\"",outcome="failed"} 1' in text
    assert samples(text)
    assert "checks_total" not in metrics_text(load_setup(), 3.5, MOMENT)


def test_what_is_not_known_has_no_sample() -> None:
    """Before the first measured second there are counts, and neither percentiles nor a verdict."""
    found = samples(metrics_text(load_setup(), 0.2, Progress(due=3)))

    assert found["crawler_load_due_requests_total"] == 3
    assert not [name for name in found if "quantile" in name or "verdict" in name or "cpu" in name]


@pytest.mark.parametrize("url", ['http://h/"}x 1\n', "http://h/\\", "http://h/\ud800", "http://h/" + "x" * 9000])
def test_a_label_forges_no_sample(url: str) -> None:
    """Quotes, backslashes and line feeds are escaped, and the text is UTF-8."""
    text = metrics_text(load_setup(url=url), 1.0, MOMENT)

    assert len([name for name in samples(text) if name.startswith("crawler_load_info")]) == 1
    assert len(text.encode()) < 5000


def test_the_watch_shows_at_the_pace_of_the_display_and_keeps_the_latest() -> None:
    """Looks every half second reach a display of five seconds once in five seconds, and the metrics each time."""
    shown: list[float] = []
    watch = Watch(load_setup(rate=5), lambda seconds, _progress, _so_far: shown.append(seconds), 5.0, has_metrics=True)

    for number in range(1, 25):
        watch.look(number / 2, replace(MOMENT, due=number))

    assert watch.pace == 0.5
    assert shown == [5.0, 10.0]
    assert samples(watch.metrics())["crawler_load_due_requests_total"] == 24
    assert watch.metrics() is watch.metrics()


def test_without_metrics_there_are_no_more_looks_than_the_display_needs() -> None:
    """A quiet test is left alone."""
    assert Watch(load_setup(), lambda *_: None, 3600.0, has_metrics=False).pace == 3600.0


async def ask(port: int, request: bytes) -> bytes:
    """Send these bytes, and return all that comes before the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    return await rest_of(reader, writer)


async def rest_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return all that comes before the connection ends, one way or another."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.both_loops
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", b"200 OK"),
        (b"GET /metrics?x=1 HTTP/1.0\n\n", b"200 OK"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"\x16\x03\x01\x00\r\n\r\n", b"400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000, b"431 Request Header Fields Too Large"),
    ],
)
async def test_only_the_metrics_are_served(request_: bytes, status: bytes) -> None:
    """Every request has one answer with its length, and then the connection ends."""
    async with metrics_server(0, lambda: "a 1\n") as port:
        answer = await ask(port, request_)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert body == b"" if request_.startswith(b"HEAD") else f"Content-Length: {len(body)}".encode() in head
    assert (body == b"a 1\n") == (status == b"200 OK" and not request_.startswith(b"HEAD"))


@pytest.mark.both_loops
async def test_slow_clients_are_hung_up_on_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that says nothing holds a place for so long and no longer; the next ones are served again."""
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    async with metrics_server(0, lambda: "a 1\n") as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]

        refused = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        said = [await rest_of(*streams) for streams in silent]
        answer = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert (refused, set(said)) == (b"", {b""})
    assert answer.endswith(b"\r\n\r\na 1\n")


async def test_a_taken_port_is_told_before_the_test() -> None:
    """One line that names the option and the way out."""
    async with metrics_server(0, str) as port:
        with pytest.raises(UsageError, match=rf"^--metrics {port}: [aA]ddress already in use; give another port, or 0"):
            async with metrics_server(port, str):
                pass
