"""`crawler verify` of a run that workers share: over all folders, over those that are here, and over one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.cli.main import _run
from support.commands import one_line
from support.two_workers import TwoWorkers

Printed = tuple[int, list[str], str]


@pytest.fixture
def verify(capfd: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    """Audit, and return the exit code, the lines on standard error, and the verdict."""

    def audit(*arguments: object) -> Printed:
        code = _run(["verify", *map(str, arguments)])
        printed = capfd.readouterr()
        return code, printed.err.splitlines(), printed.out.rstrip("\n")

    return audit


def test_a_run_that_nobody_touched_is_clean(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """The lines of both workers are read, and together they are all lines."""
    assert verify(shared.dsn) == (0, [], f"clean: {len(shared.lines(1) + shared.lines(2))} lines of output")


def test_a_folder_elsewhere_is_named_and_its_lines_counted(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """It is no fault of the run, and no silence either: the exit code is 1."""
    here, missing = len(shared.lines(1)), len(shared.lines(2))
    shared.change("UPDATE worker SET place = 'other:/w2' WHERE id = 2")

    code, told, verdict = verify(shared.dsn)

    assert (code, verdict) == (1, f"clean: {here} of {here + missing} lines of output")
    assert told == [f"worker 2: {missing} lines not checked: its folder is on other: /w2; name a copy of it"]


def test_a_folder_that_was_copied_here_is_looked_at(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """It is named behind the database, and stands for the one elsewhere."""
    shared.change("UPDATE worker SET place = 'other:/w2' WHERE id = 2")
    copy = shared.folders[1].rename(shared.folder / "copy")

    assert verify(shared.dsn, copy)[:2] == (0, [])
    (copy / "pages.jsonl").write_bytes(b"")
    assert verify(shared.dsn, copy)[0] == 5


@pytest.mark.parametrize(
    ("happens", "lack"),
    [
        (shutil.rmtree, "its folder is gone: {path}; name it if it has moved"),
        (
            lambda path: shutil.copy(path.with_name("w1") / "config.toml", path),
            "its folder holds another run now: {path}; name it if it has moved",
        ),
        (lambda path: (path / "config.toml").write_text("nonsense"), "{path}/config.toml is damaged"),
    ],
)
def test_a_folder_that_is_not_the_workers_any_more_is_named(
    shared: TwoWorkers, verify: Callable[..., Printed], happens: Callable[[Path], object], lack: str
) -> None:
    """Its lines cannot be checked."""
    path = shared.folders[1]
    lines = len(shared.lines(2))
    happens(path)

    code, (told,), _ = verify(shared.dsn)

    assert code == 1
    assert told.startswith(f"worker 2: {lines} lines not checked: {lack.format(path=path)}")


def test_one_folder_is_checked_alone(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """Nothing else was asked for, so what was not looked at is told, and is no failure."""
    own, others = len(shared.lines(2)), len(shared.lines(1))

    code, told, verdict = verify(shared.folders[1])

    assert (code, verdict) == (0, f"clean: {own} of {own + others} lines of output")
    assert told == [f"worker 1: {others} lines not checked: only one folder was named; name the database for all"]


def rewrite(shared: TwoWorkers, worker: int, lines: list[bytes]) -> None:
    """Change a worker's lines as somebody would who knows that their length is remembered."""
    pages = shared.folders[worker - 1] / "pages.jsonl"
    pages.write_bytes(b"".join(lines))
    shared.change(f"UPDATE file SET length = {pages.stat().st_size} WHERE worker = {worker}")  # noqa: S608


def test_a_line_in_two_folders_is_found(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """Each URL has one line over all folders."""
    first = shared.lines(1)[0]
    rewrite(shared, 2, [*shared.lines(2), first])

    code, told, _ = verify(shared.dsn)

    number, url = len(shared.lines(2)), json.loads(first)["url"]
    assert code == 5
    assert f"{shared.folders[1]}/pages.jsonl line {number}: twice in the output: {url}" in told


def test_a_line_that_is_missing_is_found(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """Its URL is named, and its worker's sum differs."""
    *lines, last = shared.lines(2)
    rewrite(shared, 2, lines)

    code, told, _ = verify(shared.dsn)

    assert code == 5
    assert f"pages.jsonl: no line for a URL that is done or failed: {json.loads(last)['url']}" in told
    assert f"{shared.folders[1]}/pages.jsonl: {len(lines)} lines, but {len(lines) + 1} URLs are done or failed" in told


def test_more_urls_without_a_line_than_lines_elsewhere_are_found(
    shared: TwoWorkers, verify: Callable[..., Printed]
) -> None:
    """Their number is all that can be told, as the other folder's lines are not known one by one."""
    *lines, _ = shared.lines(2)
    rewrite(shared, 2, lines)

    code, told, _ = verify(shared.folders[1])

    others = len(shared.lines(1))
    assert code == 5
    assert f"pages.jsonl: {others + 1} finished URLs have no line here, but only {others} lines are elsewhere" in told


def test_bytes_after_the_last_commit_are_a_fault_of_a_worker_that_has_ended(
    shared: TwoWorkers, verify: Callable[..., Printed]
) -> None:
    """A worker that lives is about to commit them."""
    with (shared.folders[0] / "pages.jsonl").open("ab") as file:
        file.write(b"half a li")

    assert verify(shared.dsn)[:2] == (
        5,
        [f"{shared.folders[0]}/pages.jsonl: 9 bytes after the last commit; `crawler resume` cuts them off"],
    )
    shared.change("UPDATE worker SET life = 9, lease_until = now() + interval '1 hour' WHERE id = 1")
    code, told, verdict = verify(shared.dsn)
    assert (code, told) == (0, [])
    assert " as of " in verdict
    assert "(1 worker at work)" in verdict


def test_rejected_lines_are_those_of_the_worker_with_the_list(
    shared: TwoWorkers, verify: Callable[..., Printed]
) -> None:
    """One line of the list is no URL; the first worker tells of it."""
    path = shared.folders[0] / "rejected.jsonl"
    path.write_bytes(path.read_bytes().replace(b"/relative", b"/other"))

    assert verify(shared.dsn)[:2] == (
        5,
        [f"{path} line 1: another line than the frontier's: {4 * 22 + 1} relative_url /relative"],
    )


def test_work_that_is_left_is_told(shared: TwoWorkers, verify: Callable[..., Printed]) -> None:
    """A find that no worker has received yet is as good as a pending URL, and no fault."""
    shared.change("INSERT INTO letter (host, depth, body) SELECT min(id), 0, '\\x93c0c0c2' FROM host")

    code, told, verdict = verify(shared.dsn)

    assert (code, told) == (0, [])
    assert verdict.endswith(f", 1 find on the way to a worker (crawler join {shared.dsn})")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["{folder}/w1", "{folder}/w2"], "name its database first: crawler verify DSN DIR"),
        (["{dsn}", "{folder}/w1", "{folder}/w1"], "w1 is a second folder of worker 1: name one of them"),
        (["{dsn}", "{folder}"], "holds no run itself; "),
    ],
)
def test_folders_that_cannot_be_looked_at_are_one_line(
    shared: TwoWorkers, arguments: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line says what to write instead."""
    assert _run(["verify", *(part.format(dsn=shared.dsn, folder=shared.folder) for part in arguments)]) == 2
    assert line in one_line(capfd)
