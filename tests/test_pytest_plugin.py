"""pytest_plugin: the fixtures that pytest finds wherever the crawler is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import asyncio

import crawler


def test_the_fake_is_filled(crawler_fake):
    crawler_fake.answers["http://api.example/"] = [503, {"a": 1}]

    (page,) = crawler.fetch(["http://api.example/"], transport=crawler_fake)

    assert page.json() == {"a": 1}
    assert len(crawler_fake.requests) == 2


def test_the_fake_is_fresh(crawler_fake):
    assert crawler_fake.answers == {}
    assert crawler_fake.requests == []


def test_the_site_answers(crawler_site):
    (page,) = crawler.fetch([f"{crawler_site}/robots.txt"])

    assert page.status == 200
"""
LIGHT = """
import sys


def test_nothing_heavy_is_loaded():
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "crawler")
    assert ours == ["crawler", "crawler.pytest_plugin", "crawler.version"]
    assert not {"aiohttp", "msgspec", "multidict"} & set(sys.modules)
"""


def pytest_of_a_user(folder: Path, code: str, *flags: str) -> str:
    """Run pytest on a project of its own, without any plugin but those that are installed; return what it says."""
    (folder / "test_mine.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, "test_mine.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_the_fixtures_are_there(tmp_path: Path) -> None:
    """A project uses them without an import, a configuration or pytest-asyncio."""
    assert "3 passed" in pytest_of_a_user(tmp_path, TESTS, "-W", "error", "-p", "no:asyncio")


def test_the_plugin_can_be_left_out(tmp_path: Path) -> None:
    """`-p no:crawler` is heeded as for every plugin."""
    assert "fixture 'crawler_fake' not found" in pytest_of_a_user(tmp_path, TESTS, "-p", "no:crawler")


def test_the_plugin_is_light(tmp_path: Path) -> None:
    """A project that does not use the crawler loads two small files of it, and no package."""
    others = [flag for name in ("asyncio", "aiohttp", "anyio", "hypothesispytest") for flag in ("-p", f"no:{name}")]

    assert "1 passed" in pytest_of_a_user(tmp_path, LIGHT, *others)


LOAD_TESTS = """
import sys


class App:
    asked = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.asked += 1
            status = 500 if scope["path"] == "/broken" else 200
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})


LOAD = {"rate": 100, "duration": 1.1, "connections": 4}


def test_an_application(load_test):
    app = App()
    result = load_test(app, "/items", **LOAD, thresholds=["errors<1%"])
    assert result.outcomes["ok"] == app.asked > 100
    assert result.passed


def test_a_broken_application(load_test):
    load_test(App(), "/broken", **LOAD)


def test_a_missed_threshold(load_test):
    load_test(App(), **LOAD, thresholds=["p50<1us"])
"""
ASYNCHRONOUS = (
    LOAD_TESTS.partition("def test_")[0]
    + """
async def test_an_application(load_test):
    app = App()
    result = await load_test.run(app, **LOAD)
    assert result.outcomes["ok"] == app.asked > 100


async def test_a_plain_call(load_test):
    load_test(App(), **LOAD)
"""
)


def test_a_load_test_passes_and_fails(tmp_path: Path) -> None:
    """Without pytest-asyncio; failures have the figures, and end in the test's own line."""
    shown = pytest_of_a_user(tmp_path, LOAD_TESTS, "-W", "error", "-p", "no:asyncio")

    assert "2 failed, 1 passed" in shown
    assert "is NOTHING-OK (no request was ok: " in shown
    assert "missed 1 of 1 threshold\nE         p50<1us: " in shown
    assert "> " not in "".join(line for line in shown.splitlines() if "load_tester.py" in line)


def test_a_load_test_is_awaited_in_an_asynchronous_test(tmp_path: Path) -> None:
    """A plain call there is refused."""
    shown = pytest_of_a_user(tmp_path, ASYNCHRONOUS, "-o", "asyncio_mode=auto")

    assert "1 failed, 1 passed" in shown
    assert "an event loop runs here: write `await load_test.run(...)`" in shown


def test_load_tests_beside_others_are_skipped(tmp_path: Path) -> None:
    """With pytest-xdist, whose workers disturb each other, unless the configuration says `judge`."""
    code = LOAD_TESTS.partition("def test_a_broken")[0]

    assert "1 skipped" in pytest_of_a_user(tmp_path, code, "-n", "2")
    assert "4 workers run tests beside each other" in pytest_of_a_user(tmp_path, code, "-n", "4", "-rs")
    assert "1 passed" in pytest_of_a_user(tmp_path, code, "-n", "2", "-o", "load_test_disturbed=judge")
    assert "1 passed" in pytest_of_a_user(tmp_path, code, "-n", "1")


def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    """It has two values."""
    shown = pytest_of_a_user(tmp_path, LOAD_TESTS, "-o", "load_test_disturbed=never")

    assert "load_test_disturbed = never: expected skip or judge" in shown


INTERRUPTED = """
import os
import signal
import sys

SERVER = '''
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Stop(BaseHTTPRequestHandler):
    def do_GET(self):
        open("pid", "w").write(str(os.getpid()))
        os.kill({parent}, 2)
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", int(sys.argv[1])), Stop).serve_forever()
'''


def test_long(load_test):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    load_test([sys.executable, "-c", SERVER.replace("{parent}", str(os.getpid())), "{port}"], rate=20, duration=600)
"""


def test_ctrl_c_ends_a_load_test_and_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler is Python's own, so pytest ends as always; no process and no folder stays."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))

    shown = pytest_of_a_user(tmp_path, INTERRUPTED)

    assert "KeyboardInterrupt" in shown
    server = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{server}").exists()
    assert list((tmp_path / "scratch").iterdir()) == []
