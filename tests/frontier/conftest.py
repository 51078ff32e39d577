"""The fixture of the tests of the frontier."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.frontiers import Run, let_go


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run in its first life."""
    run = Run(tmp_path / "run")
    run.begin()
    yield run
    let_go(run)
