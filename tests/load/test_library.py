"""The load test as a library: its keywords and their types, its progress, and the results of tests cut short."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import crawler
from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs
from crawler.core.options import Option, OptionKind
from crawler.load.capacity.config import CAPACITY_OPTIONS
from crawler.load.compare.config import COMPARE_OPTIONS
from crawler.load.keywords import (
    KEYWORDS,
    OPTIONS,
    CapacityOptions,
    CompareOptions,
    LoadOptions,
    SendingOptions,
    configure_by_keywords,
)
from crawler.load.load_progress import LoadProgress
from crawler.load.result import LoadVerdict
from crawler.load.users.script import LoadUser
from support.children import children, sockets
from support.rawserver import raw_server

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

both_loops = pytest.mark.both_loops
one_or_two = pytest.mark.parametrize("processes", [1, 2])


class Server:
    """Answers every request, and keeps each with its body; `after` is called when so many have come."""

    def __init__(self, *, silent: bool = False) -> None:
        self.requests: list[tuple[str, str, bytes]] = []  # first line, head, body
        self.came = asyncio.Event()
        self._silent = silent

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
            self.requests.append((head.partition(" HTTP/")[0], head, await reader.readexactly(length)))
            self.came.set()
            if self._silent:
                await asyncio.sleep(60)
            writer.write(HELLO)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves a process, a socket or a temporary folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    before = children()
    yield
    assert children() <= before
    assert list((tmp_path / "scratch").iterdir()) == []


# Keywords


def test_the_types_are_those_of_the_options() -> None:
    """Each option of `crawler load` is a keyword with a type of its kind, and None means that it is not given."""
    hints = get_type_hints(LoadOptions)
    kinds = {
        OptionKind.COUNT: int,
        OptionKind.COUNT_OR_NONE: int,
        OptionKind.RATE: float,
        OptionKind.FLAG: bool,
        OptionKind.CONTENT: bytes | str,
        OptionKind.SECONDS: float | str,
        OptionKind.TIME_LIMIT: float | str,
        OptionKind.BYTES: int | str,
        OptionKind.FACTOR: float | str,
        OptionKind.HEADERS: Pairs,
    }

    assert hints.keys() == OPTIONS.keys()
    for name, option in OPTIONS.items():
        wanted, hint = {*_parts(kinds.get(option.help.kind, str)), type(None)}, {*_parts(hints[name])}
        assert wanted <= hint, name
        assert wanted == hint or option.help.kind in {OptionKind.TEXT, OptionKind.TEXTS}, name


@pytest.mark.parametrize(
    ("options", "typed", "own"),
    [(CAPACITY_OPTIONS, CapacityOptions, "slo"), (COMPARE_OPTIONS, CompareOptions, "tolerance")],
)
def test_the_types_of_the_other_questions_are_those_of_their_options(
    options: dict[str, Option], typed: type, own: str
) -> None:
    """All but the service level and the tolerance, which are parameters of their own."""
    wanted = {option.field for option in options.values()} - {own}

    assert get_type_hints(typed).keys() == wanted
    assert get_type_hints(SendingOptions).keys() <= wanted & OPTIONS.keys()


def _parts(hint: object) -> list[object]:
    return list(getattr(hint, "__args__", [hint]))


def test_python_s_own_values_are_taken() -> None:
    """A mapping or pairs, bytes or text, paths, numbers and lists, where the command line has text."""
    config = configure_by_keywords(
        {
            "headers": {"X-Team": "data"},
            "body": "ä",
            "ca_file": Path("/x/ca.pem"),
            "expect_status": [200, 204],
            "expect_body": b"\xff",
            "thresholds": "p99<50ms",
            "think": 0.5,
            "duration": None,
            "connections": 8,
        },
        "load_test",
    )

    assert config.request.headers == (("X-Team", "data"),)
    assert (config.request.body, config.request.ca_file) == ("ä".encode(), "/x/ca.pem")
    assert config.gate.statuses() == frozenset({200, 204})
    assert (config.gate.expect_body, config.gate.thresholds) == (b"\xff", ("p99<50ms",))
    assert config.users.think_time() == (0.5, 0.5)
    assert config.shape.duration == 10
    assert configure_by_keywords({"expect_status": 404}, "load_test").gate.statuses() == frozenset({404})
    assert configure_by_keywords({"headers": [("A", "b"), ("A", "c")]}, "x").request.headers == (("A", "b"), ("A", "c"))


async def user(_: LoadUser) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"header": {}}, "load_test: there is no option 'header'; did you mean 'headers'"),
        ({"headers": ["A: b"]}, "headers: expected a mapping of texts"),
        ({"body": 7}, "body: expected bytes, or text"),
        ({"connections": 0}, "connections: expected a whole number, 1 or more, got 0"),
        ({"expect_status": [20]}, "expect_status: expected statuses such as 200,204, got '20'"),
        ({"expect_status": True}, "expect_status: expected text of one line, got True"),
        ({"thresholds": ["p99"]}, "thresholds 'p99': expected a figure"),
        ({"abort": True}, "abort: there is nothing to be met: give a thresholds, too"),
        ({"targets": {"url": "/"}}, "targets: expected a path, or a list of targets"),
        ({"targets": 7}, "targets: expected a path, or a list of targets"),
        ({"targets": b"/"}, "targets: expected a path, or a list of targets"),
        ({"targets": ["/"], "targets_format": "text"}, "targets_format: the targets are no file: leave it out"),
        ({"targets": ["/"], "method": "PUT"}, "targets and method: each target has its own"),
        ({"feed": 7}, "feed: expected a path, or a list of rows"),
        ({"feed": [7]}, "feed: row 1: expected a mapping such as {'id': 1}, got 7"),
        ({"feed": [{"a": 1}, {"b": object()}]}, "feed: row 2: Encoding objects of type object is unsupported"),
        ({"feed": []}, "feed: feed: no rows"),
        ({"script": lambda u: u}, "script: expected a path, or an `async def user(u)`"),
        ({"script": user, "processes": 2}, "script: a function runs in this process: leave out processes"),
        ({"script": user, "rate": 5}, "script: it tells what users do, and rate makes an open loop"),
    ],
)
def test_a_wrong_keyword_is_refused_at_once(options: dict[str, Any], told: str) -> None:
    """Before anything is sent, in one line that names the keyword."""
    with pytest.raises(UsageError) as raised:
        crawler.LoadTest("http://127.0.0.1:9/", **options)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not any(f"--{name}" in str(raised.value) for name in KEYWORDS)


async def _progress(_: LoadProgress) -> None:
    """Nothing that a test would await."""


@pytest.mark.parametrize("progress", [7, _progress])
def test_a_callback_is_a_plain_function(progress: Any) -> None:
    """Nothing would await an asynchronous one."""
    with pytest.raises(UsageError, match="progress: expected a plain function"):
        crawler.LoadTest("http://127.0.0.1:9/", progress=progress)


# Targets, feeds and users in memory


@both_loops
@one_or_two
async def test_targets_of_a_list_are_sent_as_they_are(processes: int) -> None:
    """Lines and mappings, with their methods, headers, bodies and tags."""
    server = Server()

    async with raw_server(server) as (host, port):
        result = await crawler.load_test(
            f"http://{host}:{port}",
            targets=[
                "/plain",
                "DELETE /items/1 tag=away",
                {"url": "/items", "headers": {"X-A": "b"}, "body": "text", "tag": "new"},
                {"url": "/items/2", "method": "PUT", "body": b"\xff\x00"},
            ],
            requests=8,
            connections=2,
            processes=processes,
        )

    assert sorted({(line, body) for line, _, body in server.requests}) == [
        ("DELETE /items/1", b""),
        ("GET /plain", b""),
        ("POST /items", b"text"),
        ("PUT /items/2", b"\xff\x00"),
    ]
    assert all("X-A: b" in head for line, head, _ in server.requests if line == "POST /items")
    assert {group.name: group.ok for group in result.groups} == dict.fromkeys(
        ("GET /plain", "away", "new", "PUT /items/{id}"), 2
    )
    assert result.asked.targets == "4 requests of targets, 4 groups"


async def test_rows_fill_columns() -> None:
    """A feed is a list of mappings; without targets the URL itself has the column."""
    server = Server()
    rows: list[dict[str, object]] = [{"id": 7, "name": "a b"}, {"id": 8, "name": None}]

    async with raw_server(server) as (host, port):
        await crawler.load_test(
            f"http://{host}:{port}", targets=["/i/${id}?q=${name}"], feed=iter(rows), requests=4, connections=1
        )
        await crawler.load_test(f"http://{host}:{port}/u/${{id}}", feed=rows, requests=2, connections=1)

    assert [line for line, _, _ in server.requests] == [
        *["GET /i/7?q=a%20b", "GET /i/8?q="] * 2,
        *["GET /u/7", "GET /u/8"],
    ]


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ([], "targets: targets: no request in it"),
        (["/", 7], "targets: item 2: expected a line such as 'GET /items', or a mapping such as {'url': '/'}, got 7"),
        (["GET / wait=3"], "targets: item 1: 'wait=3' behind the URL"),
        ([{"url": "/", "header": {}}], "targets: item 1: there is no key 'header'; known: body, headers, method, tag"),
        ([{"method": "GET"}], "targets: item 1: expected a text as url and tag"),
        ([{"url": "/", "body": 7}], "targets: item 1: expected a text as url and tag, and bytes or a text as body"),
        ([{"url": "x"}], "targets: item 1: 'x' is no URL"),
        ([{"url": "/", "method": "G T"}], "targets: item 1: 'G T' is no method"),
        ([{"url": "/", "headers": {"A": "b\r\nC: d"}}], "targets: item 1: the value of header A holds control"),
        ([{"url": "/", "headers": ["A: b"]}], "targets: item 1: headers: expected a mapping of texts"),
        ([{"url": "/", "weight": 0}], "targets: item 1: weight 0: expected a number above 0"),
        ([{"url": "/${id}"}], "targets: item 1: ${id}: give feed FILE with this column"),
        (["/\udc80"], "targets: item 1: 'utf-8' codec can't encode"),
    ],
)
async def test_a_target_that_cannot_be_sent_is_named_by_its_place(targets: list[Any], told: str) -> None:
    """In one line, before anything is sent."""
    with pytest.raises(UsageError) as raised:
        await crawler.load_test("http://127.0.0.1:9/", targets=targets, requests=1)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_broken_targets_can_be_left_out() -> None:
    """`skip_broken` counts them, as it does the lines of a file."""
    server = Server()

    async with raw_server(server) as (host, port):
        result = await crawler.load_test(
            f"http://{host}:{port}",
            targets=["/", "no url"],
            skip_broken=True,
            requests=2,
            connections=1,
        )

    assert result.asked.notes[-1] == "1 line of the file left out, since they cannot be read"


@both_loops
async def test_a_user_is_a_function() -> None:
    """It runs in this process, so what it learns is at hand, and it may be any coroutine function."""
    server, seen = Server(), list[str]()

    async def user(u: LoadUser) -> None:
        answer = await u.get("/items", name="items")
        seen.append(answer.text)

    async with raw_server(server) as (host, port):
        result = await crawler.load_test(f"http://{host}:{port}/", script=user, requests=20, connections=2)

    assert set(seen) == {"hello"}
    assert len(seen) >= 18  # a user's last request may end the test before its function goes on
    assert result.outcomes["ok"] == 20
    assert "script test_a_user_is_a_function.<locals>.user" in (result.asked.targets or "")


async def test_an_error_of_a_function_is_counted() -> None:
    """It is the script's, and the test goes on."""
    server = Server()

    async def user(u: LoadUser) -> None:
        await u.get("/")
        raise KeyError("gone")

    async with raw_server(server) as (host, port):
        result = await crawler.load_test(f"http://{host}:{port}/", script=user, duration=0.5, connections=1)

    assert result.outcomes["ok"] > 1
    assert result.intervals[0].checks["script_error"] > 1


# Thresholds


@one_or_two
async def test_thresholds_are_judged(processes: int) -> None:
    """The result has each with its figure; a lost one ends the test early if that is asked for."""
    async with raw_server(Server()) as (host, port):
        url = f"http://{host}:{port}/"
        result = await crawler.load_test(
            url, rate=50, duration=1.2, connections=2, processes=processes, thresholds=["errors<1%", "max<1us"]
        )
        lost = await crawler.load_test(
            url, rate=50, duration=60, connections=2, processes=processes, thresholds=["max<1us"], abort=True
        )

    assert [gate.threshold for gate in result.gates] == ["errors<1%", "max<1us"]
    assert not result.gates[1].is_kept
    assert not result.passed
    with pytest.raises(crawler.LoadTestFailed, match=r"missed \d of 2 thresholds"):
        result.check()
    assert lost.aborted_by == "max<1us"
    assert lost.seconds < 10


# Progress


@both_loops
@one_or_two
async def test_progress_is_told_about_once_a_second(processes: int) -> None:
    """Counts grow, percentiles come with the first whole second, and the length is known."""
    told = list[LoadProgress]()

    async with raw_server(Server()) as (host, port):
        result = await crawler.load_test(
            f"http://{host}:{port}/", rate=100, duration=3, connections=4, processes=processes, progress=told.append
        )

    assert 1 <= len(told) <= 4
    assert [moment.planned for moment in told] == [3] * len(told)
    assert [moment.seconds for moment in told] == sorted(moment.seconds for moment in told)
    assert [moment.ok for moment in told] == sorted(moment.ok for moment in told)
    last = told[-1]
    assert 0 < last.ok <= result.outcomes["ok"]
    assert (last.failed, last.timed_out) == (0, 0)
    assert last.rate == pytest.approx(last.ok / last.seconds)
    assert last.p50 is not None
    assert 0 < last.p50 < 3
    assert isinstance(last.verdict, LoadVerdict)
    assert last.because


@both_loops
@one_or_two
async def test_an_error_of_the_callback_ends_the_test(processes: int) -> None:
    """It is raised as it is."""

    def tell(_: LoadProgress) -> None:
        raise KeyError("mine")

    async with raw_server(Server()) as (host, port):
        before = sockets()
        with pytest.raises(KeyError, match="mine"):
            await crawler.load_test(
                f"http://{host}:{port}/", rate=20, duration=60, connections=2, processes=processes, progress=tell
            )
        assert len(sockets() - before) <= 4  # the server's side may see the end a moment later


# Cut short


@both_loops
@one_or_two
async def test_a_stopped_test_has_a_result(processes: int) -> None:
    """`stop` may be called from the callback, and the requests until then are all accounted for."""
    async with raw_server(Server()) as (host, port):
        test = crawler.LoadTest(
            f"http://{host}:{port}/",
            rate=50,
            duration=60,
            connections=2,
            processes=processes,
            thresholds=["errors<50%"],
            progress=lambda _: test.stop(),
        )
        result = await test.run()

    assert result is test.result
    assert result.interrupted
    assert result.total.is_whole
    assert 0 < result.outcomes["ok"] < 1000
    assert [gate.figure.endswith("but interrupted") for gate in result.gates] == [True]
    with pytest.raises(UsageError, match="a LoadTest runs once: make another one"):
        await test.run()


@both_loops
@one_or_two
async def test_a_cancelled_test_ends_at_once_and_leaves_its_result(processes: int) -> None:
    """Requests in flight are not waited for: they count as such, and nothing is left over."""
    server = Server(silent=True)
    async with raw_server(server) as (host, port):
        before = sockets()
        test = crawler.LoadTest(f"http://{host}:{port}/", duration=60, connections=3, processes=processes, grace=30)
        running = asyncio.create_task(test.run())
        await server.came.wait()
        assert repr(test).endswith(" running>")

        began = asyncio.get_running_loop().time()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        took = asyncio.get_running_loop().time() - began

        await asyncio.sleep(0)
        assert took < 10  # not the grace
        assert len(sockets() - before) <= 3
    assert test.result is not None
    assert test.result.interrupted
    assert test.result.outcomes["in_flight"] > 0
    assert test.result.total.is_whole


async def test_a_time_limit_around_a_test_leaves_its_result() -> None:
    """`asyncio.timeout` cancels, and so the result is there."""
    async with raw_server(Server()) as (host, port):
        test = crawler.LoadTest(f"http://{host}:{port}/", rate=100, duration=60, connections=2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await test.run()

    assert test.result is not None
    assert test.result.outcomes["ok"] > 0


@one_or_two
async def test_a_test_that_is_cancelled_before_it_begins_has_no_result(processes: int) -> None:
    """It ends at once, too."""
    test = crawler.LoadTest("http://127.0.0.1:9/", duration=60, connections=2, processes=processes)
    running = asyncio.create_task(test.run())
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert test.result is None


async def test_a_second_cancellation_breaks_the_test_off() -> None:
    """Without a result, and without anything left over."""
    server = Server(silent=True)
    async with raw_server(server) as (host, port):
        test = crawler.LoadTest(f"http://{host}:{port}/", duration=60, connections=2)
        running = asyncio.create_task(test.run())
        await server.came.wait()
        running.cancel()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert test.result is None


async def test_a_cancelled_load_test_leaves_nothing() -> None:
    """`load_test` itself has no place for a partial result, and ends as quickly."""
    server = Server(silent=True)
    async with raw_server(server) as (host, port):
        running = asyncio.create_task(crawler.load_test(f"http://{host}:{port}/", duration=60, grace=30))
        await server.came.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
