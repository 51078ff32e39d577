"""What tests of the command line share: the user's own file of options, and runs that only would have begun."""

from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.core.config import RunConfig


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

    def carry_out(_folder: object, _facts: object, config: RunConfig, **_: Any) -> int:
        found.append(config)
        return 0

    monkeypatch.setattr(run, "carry_out", carry_out)
    return found
