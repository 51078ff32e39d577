"""Fixtures of the downloader's tests."""

import pytest

from support.fetching import HandClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock on which a pause takes no time, for every `Fetcher` of the test."""
    clock = HandClock()
    monkeypatch.setattr("crawler.downloader.client.SystemClock", lambda: clock)
    return clock
