"""Fixtures of the tests of the fakes."""

import pytest

from support.fetching import HandClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock on which a pause takes no time, for every `Fetcher` over sockets."""
    clock = HandClock()
    monkeypatch.setattr("crawler.downloader.client.SystemClock", lambda: clock)
    return clock
