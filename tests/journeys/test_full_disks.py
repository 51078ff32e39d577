"""Full disks and closed pipes: the run ends in order, and loses nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.main import _run
from support.crawls import records, urls

IS_ROOT = os.geteuid() == 0
PROGRAM = [sys.executable, "-m", "crawler"]
URL = "http://127.0.0.1:9999/"  # nobody is asked: each of these commands ends before


def program(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program started by a shell; `"$@"` in the script stands for it and its arguments."""
    command = ["bash", "-c", script, "bash", *PROGRAM, *(str(argument) for argument in arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)


def test_a_list_that_does_not_fit_leaves_nothing(tmp_path: Path, long_list: Path) -> None:
    """A disk that is full before the list is copied lets no run begin: exit 4, and no folder."""
    ended = program('ulimit -f 1; exec "$@"', "fetch", long_list, "-o", tmp_path / "out")

    assert ended.returncode == 4
    assert ended.stderr == f"crawler: {tmp_path / 'out'}: no space left on the disk; free some and start again\n"
    assert not (tmp_path / "out").exists()


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path, long_list: Path) -> None:
    """A run that hits a limit of file size ends in order, and goes on once that is lifted."""
    out = tmp_path / "out"

    ended = program('ulimit -f 150; exec "$@"', "fetch", long_list, "-o", out, "--concurrency", 20, "--quiet")
    code = _run(["resume", str(out), "--quiet"])

    assert ended.returncode in {4, 5}
    assert len(ended.stderr.splitlines()) == 1
    assert code == 0
    assert urls(out) == dict.fromkeys(long_list.read_text("utf-8").split(), 1)
    assert _run(["verify", str(out)]) == 0


FULL_DISK = """
set -e
mount -t tmpfs -o size=300k tmpfs "$DISK"
set +e
"$@" fetch "$LIST" -o "$DISK/run" --concurrency 20 --quiet; echo $?
"$@" resume "$DISK/run" --quiet; echo $?
mount -o remount,size=32m "$DISK"
"$@" resume "$DISK/run" --quiet; echo $?
"$@" verify "$DISK/run" >&2; echo $?
cp -r "$DISK/run" "$COPY"
"""


def test_a_full_disk_loses_nothing(tmp_path: Path, long_list: Path) -> None:
    """On a full disk a run ends with 4 and one line; with more room a resume completes it, every URL once."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    environment = {**os.environ, "DISK": str(disk), "LIST": str(long_list), "COPY": str(copy)}

    ended = subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL_DISK, "bash", *PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
    )

    assert ended.stdout.split() == ["4", "4", "0", "0"], ended.stderr
    assert ended.stderr.count("no space left on the disk; free some and resume, nothing committed is lost\n") == 2
    assert "Traceback" not in ended.stderr
    assert urls(copy) == dict.fromkeys(long_list.read_text("utf-8").split(), 1)


def test_lines_on_a_full_disk_end_the_run(tmp_path: Path, long_list: Path) -> None:
    """A full standard output ends the run at once with 4, even when nothing else is left to do."""
    (tmp_path / "one.txt").write_text(long_list.read_text("utf-8").splitlines()[0], "utf-8")
    out = tmp_path / "out"

    ended = program('exec "$@" > /dev/full', "fetch", tmp_path / "one.txt", "-o", out, "--save", "-", "--quiet")
    again = program('exec "$@"', "resume", out, "--quiet")

    assert ended.returncode == 4
    assert ended.stderr.startswith("crawler: standard output: no space left")
    assert (again.returncode, len(again.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "{run}"]])
def test_a_full_standard_output_is_an_error(half_done: Path, arguments: list[str]) -> None:
    """Output that cannot be printed is not silently lost: exit 4 and one line, no traceback."""
    ended = program('exec "$@" > /dev/full', *(argument.format(run=half_done) for argument in arguments))

    assert ended.returncode == 4
    assert len(ended.stderr.splitlines()) == 1


def test_a_reader_that_leaves_ends_the_run(tmp_path: Path, long_list: Path) -> None:
    """`| head -1` gets its line; the run ends as any filter does, without a word, and a resume gives the rest."""
    out = tmp_path / "out"

    ended = program(
        '"$@" | head -1; exit ${PIPESTATUS[0]}',
        "fetch",
        long_list,
        "-o",
        out,
        "--save",
        "-",
        "--concurrency",
        4,
        "--quiet",
    )
    again = program('exec "$@"', "resume", out, "--quiet")

    assert (ended.returncode, ended.stderr) == (141, "")
    assert len(ended.stdout.splitlines()) == 1
    assert again.returncode == 0
    assert 0 < len(again.stdout.splitlines()) <= 400


def test_a_run_without_a_reader_says_how_to_go_on(tmp_path: Path, long_list: Path) -> None:
    """Unless it is to be quiet, a run whose reader left says where it is."""
    out = tmp_path / "out"

    ended = program('"$@" | true; exit ${PIPESTATUS[0]}', "fetch", long_list, "-o", out, "--save", "-")

    assert ended.returncode == 141
    assert ended.stderr.splitlines()[-1].endswith(f"resume the run to get the rest (crawler resume {out})")
    assert "Traceback" not in ended.stderr
    assert "ended early: standard output: its reader stopped" in (out / "crawler.log").read_text("utf-8")


@pytest.mark.parametrize("is_mixed", [False, True])
@pytest.mark.parametrize("arguments", [["--help"], ["verify", "{run}"], ["resume", "{run}", "--quiet", "--json"]])
def test_whoever_stops_reading_ends_the_program_without_a_word(
    tmp_path: Path, half_done: Path, arguments: list[str], is_mixed: bool
) -> None:
    """Nobody reads what is printed, errors or not: no traceback, no complaint, and no code that means damage."""
    shutil.copytree(half_done, tmp_path / "run")
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        [*PROGRAM, *(argument.format(run=tmp_path / "run") for argument in arguments)],
        check=False,
        stdout=writer,
        stderr=writer if is_mixed else subprocess.PIPE,
        timeout=20,
    )
    os.close(writer)

    assert ended.returncode == 141
    assert not ended.stderr


def test_closed_standard_streams_do_no_harm(tmp_path: Path, long_list: Path) -> None:
    """A run whose three streams are closed from the start still does its work, and writes into no file but its own."""
    out = tmp_path / "out"

    ended = program('exec "$@" <&- >&- 2>&-', "fetch", long_list, "-o", out, "--json", "--max-pages", 30)

    assert ended.returncode == 0
    assert len(records(out)) == 30
    assert _run(["verify", str(out)]) == 0
