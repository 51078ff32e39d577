"""Fixtures of the command line's tests: the user's own file of options, and runs that only would have begun."""

from pathlib import Path

import pytest

from crawler.cli import run
from crawler.core.config import RunConfig
from crawler.run.folder import RunFacts


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file, in an empty folder; it is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "settings" / "crawler" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The configs with which runs would have begun."""
    found: list[RunConfig] = []

    def carry_out(_folder: object, facts: RunFacts, *_: object) -> int:
        found.append(facts.config)
        return 0

    monkeypatch.setattr(run, "carry_out", carry_out)
    return found
