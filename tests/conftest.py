"""The setup of every test: event loops, Debian packages, hypothesis's profile, slow files first, no user defaults.

Rules
- An asynchronous test runs on asyncio; marked `both_loops`, on asyncio in debug mode and on uvloop.
- A test marked `debian(package)` is skipped where the package is absent, and the reason says how to get it.
- CRAWLER_TEST_FULL=1 (`make test-full`) runs every asynchronous test on both loops, and an absent package fails.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import hypothesis
import pytest
import uvloop

if TYPE_CHECKING:
    from support.databases import DatabaseServer

FULL: Final = os.environ.get("CRAWLER_TEST_FULL") == "1"
PROGRAMS: Final = dict(line.split() for line in Path(__file__).with_name("debian.txt").read_text().splitlines())
"""The program that shows, per Debian package, that the package is installed."""
SLOW: Final = ("test_chapter.py", "models/test_faults.py", "test_docs.py", "faults/", "journeys/test_load.py")
"""Files of half a minute and more, the slowest first."""

# A shell ignores Ctrl-C in what it starts in the background, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["PATH"] += ":/usr/sbin"  # where Debian keeps nginx, and a user's shell does not look

# Other programs share the machine, so no example has a deadline; in CI the same examples run every time.
hypothesis.settings.register_profile(
    "crawler",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=500 if FULL else 50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("crawler")


@pytest.fixture(scope="session", autouse=True)
def _no_defaults_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's own defaults from every test and from the programs that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("no-defaults")))
        yield


@pytest.fixture(scope="session")
def database_server() -> Iterator["DatabaseServer"]:
    """A private PostgreSQL server, one for all tests of this process, so no test stops it."""
    from support.databases import running_server  # noqa: PLC0415 - few tests need it, and psycopg takes 0.1 s

    with running_server() as server:
        yield server


@pytest.fixture
def database(database_server: "DatabaseServer") -> Iterator[str]:
    """The DSN of a fresh empty database."""
    with database_server.database() as dsn:
        yield dsn


class DebugLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in debug mode, which refuses calls from the wrong thread."""

    def set_debug(self, enabled: bool) -> None:
        """Stay in debug mode: the runner has one switch for all tests, and it is off."""
        super().set_debug(True)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the event loops that an asynchronous test runs on."""
    if FULL or item.get_closest_marker("both_loops"):
        return {"asyncio": DebugLoop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slow files first: one that is started last runs alone on its worker while the others wait."""
    tests = Path(__file__).parent
    items.sort(
        key=lambda item: next(
            (rank for rank, name in enumerate(SLOW) if str(item.path.relative_to(tests)).startswith(name)), len(SLOW)
        )
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in a full run fail, a test whose Debian package is absent."""
    for marker in item.iter_markers("debian"):
        (package,) = marker.args
        if not shutil.which(PROGRAMS[package]):
            (pytest.fail if FULL else pytest.skip)(f"needs the Debian package {package}: `make test-full` installs it")
