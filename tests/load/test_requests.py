"""load.requests: the requests of a plan, open in one process."""

from dataclasses import replace
from pathlib import Path

import pytest

from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.requests import OpenRequests


@pytest.mark.parametrize("kept", [0, 100])
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("feed", [False, True])
async def test_the_processes_share_one_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: int, processes: int, feed: bool
) -> None:
    """Kept in memory or read when they are sent, every k-th request is a process's own, pass after pass."""
    monkeypatch.setattr("crawler.load.requests._KEPT", kept)
    file, rows = tmp_path / "targets.txt", tmp_path / "rows.csv"
    file.write_text("".join(f"/{number}{'?q=${word}' if feed else ''}\n" for number in range(6)))
    rows.write_text("word\na\nb\nc\nd\n")
    options = {"targets": str(file), "processes": str(processes), **({"feed": str(rows)} if feed else {})}
    folder = tmp_path / "made"
    folder.mkdir()
    _, plan = await prepare("http://127.0.0.1:9", configure_load(options), folder)

    sent = []
    for index in range(processes):
        with OpenRequests(replace(plan, index=index)) as requests:
            draw = requests.draw()
            assert draw is not None
            sent.append([draw().data.split(b" ")[1].decode() for _ in range(100)])

    whole = [sent[number % processes][number // processes] for number in range(60)]
    words = [f"?q={'abcd'[number // 6 % 4]}" if feed else "" for number in range(60)]
    assert whole == [f"/{number % 6}{words[number]}" for number in range(60)]
