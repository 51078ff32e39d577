"""pytest_plugin: the fixtures that pytest finds wherever the crawler is installed."""

import subprocess
import sys
from pathlib import Path

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
