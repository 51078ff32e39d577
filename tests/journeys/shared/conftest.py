"""Fixtures of the tests of what looks back at a shared run: one run, and a copy for each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databases import DatabaseServer
from support.two_workers import TwoWorkers, copied, share


@pytest.fixture(scope="package")
def original(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    """A run that two workers have finished together."""
    with database_server.database() as dsn:
        yield asyncio.run(share(dsn, tmp_path_factory.mktemp("shared")))


@pytest.fixture
def shared(original: TwoWorkers, database_server: DatabaseServer, tmp_path: Path) -> Iterator[TwoWorkers]:
    """A copy of it to be tampered with."""
    with copied(original, database_server, tmp_path) as copy:
        yield copy
