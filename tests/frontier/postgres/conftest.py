"""Fixtures of the tests of the frontier in PostgreSQL; `database` and `database_server` are in tests/conftest.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databases import DatabaseServer, programs, running_server, server_room

KINDS = ("debian", "wheel")


@pytest.fixture
def room() -> Iterator[Path]:
    """A temporary folder with a short path, for the folders of servers."""
    with server_room() as folder:
        yield folder


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> list[Path]:
    """The programs of PostgreSQL, once Debian's and once the wheel's, where they are installed."""
    is_wheel = request.param == "wheel"
    if not (found := [path for path in programs() if (path.parent.name == "pginstall") == is_wheel]):
        pytest.skip(f"PostgreSQL of this kind is not installed: {request.param}")
    return found


@pytest.fixture
def own_server() -> Iterator[DatabaseServer]:
    """A running server that the test may stop and start."""
    with running_server() as server:
        yield server
