"""Runs whose files are not what was written: one line that says what to do, and nothing made worse."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.cli.main import _run
from support.commands import one_line

IS_ROOT = os.geteuid() == 0
PROGRAM = [sys.executable, "-m", "crawler"]
URL = "http://127.0.0.1:9999/"  # nobody is asked: each of these commands ends before


def _another_database(folder: Path) -> None:
    (folder / "frontier.sqlite").unlink()
    with sqlite3.connect(folder / "frontier.sqlite") as db:
        db.execute("CREATE TABLE notes (text)")
    db.close()


def _another_version(folder: Path) -> None:
    with sqlite3.connect(folder / "frontier.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _cut(name: str, length: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, length)


def _grow(name: str) -> Callable[[Path], None]:
    def grow(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"http://127.0.0.1:9999/one-more")

    return grow


def _fill(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


RUN = b'[run]\ncommand = "fetch"\nsources = []\nseeds-bytes = 1\nneeds = []\n'
DAMAGED: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "garbage": (_fill("frontier.sqlite", b"garbage" * 2000), 5, "frontier.sqlite: damaged"),
    "a truncated frontier": (_cut("frontier.sqlite", 20_000), 5, "frontier.sqlite: damaged"),
    "an empty frontier": (_cut("frontier.sqlite", 0), 5, "frontier.sqlite: this is not a frontier"),
    "no frontier": (_remove("frontier.sqlite"), 5, "frontier.sqlite is missing"),
    "another database": (_another_database, 5, "frontier.sqlite: this is not a frontier"),
    "another version": (_another_version, 5, "made by another version"),
    "a board that is none": (_fill("frontier.board", b"garbage!" * 9), 5, "frontier.board: this is not a board"),
    "a truncated output": (_cut("pages.jsonl", 100), 5, "pages.jsonl has 100 bytes but"),
    "no output": (_remove("pages.jsonl"), 5, "pages.jsonl has 0 bytes but"),
    "a list cut behind what was read": (_cut("seeds.txt", 12_000), 5, "seeds.txt was cut: 12000 bytes instead of "),
    "a list that has grown": (_grow("seeds.txt"), 5, "seeds.txt has grown: "),
    "no list": (_remove("seeds.txt"), 2, "seeds.txt is missing"),
    "no config": (_remove("config.toml"), 2, "holds no run"),
    "a config that is no text": (_fill("config.toml", b"\xff\xfe\x00"), 5, "config.toml is damaged"),
    "a config cut off": (_fill("config.toml", b"concurrency = [1,"), 5, "config.toml is damaged"),
    "a config without its end": (_fill("config.toml", b"concurrency = 1\n"), 5, "config.toml is damaged"),
    "sources that are none": (_fill("config.toml", RUN.replace(b"[]", b"[5]", 1)), 5, "config.toml is damaged"),
    "an option misspelt by hand": (_fill("config.toml", b"concurency = 1\n" + RUN), 2, "'concurrency'"),
    "a need that nobody knows": (_fill("config.toml", RUN.replace(b"needs = []", b"needs = ['x']")), 2, "config.toml"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_run_is_named_and_left_as_it_is(
    tmp_path: Path, half_done: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    """A resume says which file is damaged, ends with the promised code, and asks for nothing and writes nothing."""
    damage, expected, message = DAMAGED[case]
    run = tmp_path / "run"
    shutil.copytree(half_done, run)
    damage(run)
    before = (run / "pages.jsonl").read_bytes() if (run / "pages.jsonl").exists() else b""

    code = _run(["resume", str(run)])

    assert code == expected
    assert message in one_line(capfd)
    assert not (run / "pages.jsonl").exists() or (run / "pages.jsonl").read_bytes() == before


def test_a_run_that_lost_its_frontier_does_not_begin_again(
    tmp_path: Path, half_done: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A frontier that was there and is gone is no beginning, even without a pages.jsonl (`--save -`)."""
    run = tmp_path / "run"
    shutil.copytree(half_done, run)
    (run / "frontier.sqlite").unlink()
    (run / "pages.jsonl").unlink()

    assert _run(["resume", str(run)]) == 5
    assert "frontier.sqlite is missing" in one_line(capfd)
