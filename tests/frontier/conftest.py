"""Fixtures of the tests of the frontier."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.frontier.sqlite import seen_keys
from support.frontiers import Run, let_go
from support.stores import PostgresStore, use


@pytest.fixture(params=["sqlite", "postgres"])
def each_store(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test on both stores."""
    if request.param == "sqlite":
        yield
        return
    store = PostgresStore(request.getfixturevalue("database_server").dsn)
    with closing(store), use(store):
        yield


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run in its first life."""
    run = Run(tmp_path / "run")
    run.begin()
    yield run
    let_go(run)


@pytest.fixture(autouse=True, scope="package")
def _few_young_keys() -> Iterator[None]:
    """Keys move to the table from the fifth on, or no frontier here would be large enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen_keys, "_YOUNG", 5)
        yield
