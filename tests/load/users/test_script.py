"""load.users.script: users that a Python file describes, against a real server."""

import asyncio
import json
import socket
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import crawler
from crawler.core.errors import UsageError
from crawler.load.report import load_text
from crawler.load.result import LoadResult
from crawler.load.users.script import load_script
from support.rawserver import raw_server

pytestmark = pytest.mark.both_loops


class Shop:
    """A server with a log-in: it sets a cookie, and knows who asks by it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []  # method and path, cookie, body

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines if line)
            body = await reader.readexactly(int(fields.get("Content-Length", 0)))
            what = first.rsplit(" ", 1)[0]
            self.seen.append((what, fields.get("Cookie", ""), body.decode()))
            if what == "GET /silent":
                await asyncio.sleep(60)
            if what == "GET /gone":
                writer.close()
                return
            status, extra, content = 200, "", json.dumps({"path": what}).encode()
            if what == "POST /login":
                extra = f"Set-Cookie: who={body.decode()}; Path=/\r\n"
            elif what == "GET /missing":
                status = 404
            writer.write(f"HTTP/1.1 {status} X\r\n{extra}Content-Length: {len(content)}\r\n\r\n".encode() + content)


@pytest.fixture
def scripted(tmp_path: Path) -> object:
    """Run a script's users against the shop, and give the result and what the shop has seen."""

    async def run(script: str, **options: Any) -> tuple[LoadResult, Shop]:
        file, shop = tmp_path / "users.py", Shop()
        file.write_text(dedent(script))
        async with raw_server(shop) as (host, port):
            result = await crawler.load_test(
                f"http://{host}:{port}/", script=file, **{"connections": 2, "requests": 12, **options}
            )
        assert all(phase.is_whole for phase in result.phases)
        return result, shop

    return run


async def test_each_user_logs_in_and_sends_its_cookie(scripted: object) -> None:
    """The script of a user is a program: what it sends depends on what it got."""
    result, shop = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.post("/login", content=f"user{u.number}")
            answer = await u.get("/items/17", params={"q": "a b"})
            u.check(answer.json()["path"] == "GET /items/17?q=a+b", "the path comes back")
            u.check(answer.status == 200 and answer.is_good and "path" in answer.text, "it is good")
            await u.put("/items/17", json={"n": [1]})
        """,
        requests=90,
    )

    assert result.outcomes["ok"] == 90
    assert [group.name for group in result.groups] == ["POST /login", "GET /items/{id}", "PUT /items/{id}"]
    assert all(group.ok >= 28 for group in result.groups)
    assert sum(group.ok for group in result.groups) == 90
    assert {cookie for what, cookie, _ in shop.seen if what.startswith("GET")} == {"who=user0", "who=user1"}
    assert {body for what, _, body in shop.seen if what.startswith("PUT")} == {'{"n":[1]}'}
    assert result.total.failures == {}


async def test_a_user_keeps_its_state_from_one_run_of_the_script_to_the_next(scripted: object) -> None:
    """It logs in once, however often the script begins anew, also after an error; no other user sees its state."""
    result, shop = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            if not u.state:
                await u.post("/login", content=f"user{u.number}")
                u.state["name"] = f"user{u.number}"
            await u.get(f"/of/{u.state['name']}")
            raise RuntimeError("and so on")
        """,
        requests=8,
    )

    seen = [what for what, _, _ in shop.seen]
    assert seen.count("POST /login") == 2
    assert {what for what in seen if what.startswith("GET")} == {"GET /of/user0", "GET /of/user1"}
    assert result.outcomes["ok"] == 8


async def test_a_check_that_fails_is_counted_by_its_name(scripted: object) -> None:
    """The requests were answered, so no outcome, group or second has a failure; the verdict says what failed."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            answer = await u.get("/")
            u.check("nowhere" in answer.text, "the text is there")
        """
    )

    total = result.total
    assert (total.outcomes["ok"], total.failures) == (12, {})
    assert total.checks["the text is there"].count == total.checked == total.failed_checks
    assert total.checked == 12
    assert total.checks["the text is there"].first.detail in {f"user {number}: the text is there" for number in (0, 1)}
    assert not any(group.failures or group.checks or group.checked for group in result.groups)
    assert sum(second.failed for second in result.intervals) == 0
    assert sum(second.checks.get("the text is there", 0) for second in result.intervals) == total.failed_checks
    assert str(result.verdict) == "FAILING"
    assert result.because.startswith("100 % of the checks failed, the first after 0.")
    assert result.advice.startswith("see the script: user ")


@pytest.mark.parametrize(
    ("threshold", "verdict", "is_kept"), [("checks<60%", "TOO-SHORT", True), ("checks<40%", "FAILING", False)]
)
async def test_a_threshold_decides_how_many_checks_may_fail(
    scripted: object, threshold: str, verdict: str, is_kept: bool
) -> None:
    """Every second check fails: the threshold is a gate, and the verdict follows it."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            u.check(True, "holds")
            u.check(False, "fails")
        """,
        thresholds=[threshold],
    )

    assert [(gate.is_kept, gate.figure) for gate in result.gates] == [(is_kept, "50 %")]
    assert str(result.verdict) == verdict
    assert ("; 50.0 % of the checks failed" in result.because) is is_kept
    assert ("(--threshold allows 60 %)" in result.because) is is_kept


async def test_a_check_that_fails_is_seen_while_the_test_runs(scripted: object) -> None:
    """The processes tell of their checks, so the display does not praise a test that will be FAILING."""
    seen: list[str] = []

    await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            u.check(False, "fails")
            await u.think(0.001)
        """,
        requests=None,
        duration=2.5,
        progress=lambda now: seen.append(str(now.verdict)),
    )

    assert seen[-1] == "FAILING"


async def test_a_script_that_fails_before_its_first_request_is_no_test_that_was_too_short(scripted: object) -> None:
    """Nothing was sent, and the next step is in the script."""
    result, _ = await scripted(  # type: ignore[operator]
        "async def user(u): raise ValueError('no')", requests=None, duration=0.3
    )

    assert result.outcomes["scheduled"] == 0
    assert str(result.verdict) == "FAILING"
    assert result.because.startswith("100 % of the checks failed, the first after 0.")
    assert "script_error" in result.because
    assert result.advice.startswith("see the script: user ")
    assert ": ValueError: no" in result.advice


async def test_an_answer_that_does_not_come_is_an_error_of_the_script(scripted: object) -> None:
    """It can be caught; the request is counted once in any case, and a bad status is an answer."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        import crawler

        async def user(u):
            missing = await u.get("/missing")
            u.check(missing.status == 404, "404")
            try:
                await u.get("/gone")
            except crawler.FetchError as error:
                u.check("connection" in str(error), str(error))
            await u.get("/silent")
            await u.get("/never reached")
        """,
        timeout=0.3,
    )

    kinds = {kind: failure.count for kind, failure in result.total.failures.items()}
    assert kinds == {"status_404": 4, "connection_lost": 4, "timeout": 4}


async def test_an_error_of_the_script_is_counted_and_the_user_begins_again(scripted: object) -> None:
    """Nothing is lost, and the others go on."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            await u.think(0.001, 0.002)
            raise ValueError(f"no {u.number}")
        """
    )

    failure = result.total.checks["script_error"]
    assert failure.count >= 10
    assert failure.first.detail in {f"user {number}: ValueError: no {number}" for number in range(2)}
    assert result.outcomes["ok"] == 12


async def test_a_script_that_sends_nothing_stops_nobody(scripted: object) -> None:
    """The loop stays free, and the test ends in time."""
    result, _ = await scripted("async def user(u): pass", requests=None, duration=0.3)  # type: ignore[operator]

    assert result.outcomes["scheduled"] == 0
    assert result.seconds < 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("await u.get('http://127.0.0.2:9/')", "not on the host of this test"),
        ("await u.post('/', json=1, form={})", "a request has one body"),
        ("await u.request('BAD METHOD', '/')", "expected a name such as PUT"),
        ("await u.get('/', headers={'X': 'a' + chr(10)})", "break the request"),
        ("await u.get('/', parms={})", "params"),
        ("import asyncio; await asyncio.gather(u.get('/'), u.get('/'))", "one request at a time"),
    ],
)
async def test_an_impossible_request_is_an_error_of_the_script(scripted: object, call: str, message: str) -> None:
    """Its message says what to do."""
    result, _ = await scripted(  # type: ignore[operator]
        f"""
        async def user(u):
            await u.get("/")
            {call}
        """,
        requests=4,
    )

    assert message in result.total.checks["script_error"].first.detail


async def test_the_groups_of_all_processes_are_in_the_result(scripted: object) -> None:
    """Users of one process send to one path, those of the other to another: both paths are groups."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/even" if u.number % 2 == 0 else "/odd")
        """,
        processes=2,
        requests=40,
    )

    assert sorted((group.name, group.ok) for group in result.groups) == [("GET /even", 20), ("GET /odd", 20)]


async def test_a_script_whose_server_is_down_waits_before_it_dials_again(tmp_path: Path) -> None:
    """A tenth of a second, like every user of a closed loop: two users dial some twelve times in half a second."""
    file = tmp_path / "users.py"
    file.write_text('async def user(u):\n    await u.get("/")\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        result = await crawler.load_test(url, script=file, connections=2, duration=0.5)

    assert 2 <= result.total.failures["connect_refused"].count <= 12


@pytest.mark.parametrize("connections", [1, 2, 4])
async def test_the_checks_of_the_last_answers_count(scripted: object, connections: int) -> None:
    """Each of twelve answers is checked, before and after a thought that the end of the test cuts short."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            answer = await u.get("/")
            u.check(answer.is_good, "at once")
            await u.think(0.01)
            u.check(answer.is_good, "later")
        """,
        connections=connections,
    )

    assert (result.total.checked, result.total.failed_checks) == (24, 0)
    assert sum(second.checked for second in result.intervals) == 24


async def test_a_user_who_thinks_is_hurried_once(scripted: object) -> None:
    """A script that only thinks and checks ends with the test, and makes no checks without end."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            while True:
                await u.think(0.1)
                u.check(True, "still here")
        """,
        requests=None,
        duration=0.35,
    )

    assert 2 <= result.total.checked <= 2 * 5


async def test_names_of_checks_that_a_script_makes_of_data_are_bounded(scripted: object) -> None:
    """A hundred are told apart, and the others count together; each second has no more of them."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            for _ in range(50):
                u.check(False, f"name {u.chance.random()}")
        """
    )

    assert result.total.checked == 12 * 50
    assert len(result.total.checks) == 101
    assert result.total.checks["other checks"].count == 12 * 50 - 100
    assert max(len(second.checks) for second in result.intervals) <= 101
    assert "there are more than 100 names: those beyond are 'other checks'" in load_text(result)


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_script_that_cannot_be_cancelled_is_left_behind(scripted: object, processes: int) -> None:
    """The test ends in time all the same, and says what the script should do."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            while True:
                try:
                    await u.get("/")
                    await u.think(0.01)
                except:
                    pass
        """,
        requests=None,
        duration=0.3,
        processes=processes,
    )

    assert result.outcomes["ok"] > 5
    assert "except Exception" in result.total.checks["script_error"].last.detail


async def test_a_script_that_ends_the_program_is_an_error_of_the_script(scripted: object) -> None:
    """`SystemExit` is counted like any other error, and the user begins again."""
    result, _ = await scripted(  # type: ignore[operator]
        """
        async def user(u):
            await u.get("/")
            raise SystemExit(3)
        """,
        requests=4,
    )

    assert result.outcomes["ok"] == 4
    assert result.total.checks["script_error"].first.detail.endswith(": SystemExit: 3")


async def test_an_interrupt_in_a_script_ends_the_test(tmp_path: Path) -> None:
    """A Ctrl-C that strikes while a script is read is no error of the script."""
    file = tmp_path / "users.py"
    file.write_text("raise KeyboardInterrupt\n\n\nasync def user(u):\n    pass\n")

    with pytest.raises(KeyboardInterrupt):
        load_script(str(file))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("def user(u): pass", "has no `async def user"),
        ("async def user(u)", r"users\.py:1: "),
        ("import nothing_of_this_name\nasync def user(u): pass", "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\nasync def user(u): pass", "SystemExit: 3"),
    ],
)
async def test_a_file_that_is_no_script_is_refused_before_the_test(scripted: object, script: str, message: str) -> None:
    """One clear line."""
    with pytest.raises(UsageError, match=message):
        await scripted(script)  # type: ignore[operator]


async def test_a_file_that_is_missing_is_refused() -> None:
    """Its name is told."""
    with pytest.raises(UsageError, match=r"none\.py: No such file"):
        await crawler.load_test("http://127.0.0.1:9/", script="none.py", duration=1)
