"""sinks.jsonl: one line per done or failed URL."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core import records
from crawler.core.errors import DiskFull, ReaderGone, StorageDamaged, StorageError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.urls import parse
from crawler.core.visits import Page, State, Visit
from crawler.sinks.jsonl import JsonlSink, StdoutSink, encode_lines

ROOT = Path(__file__).parent.parent.parent
CONTRACT = [
    *("url", "outcome", "status", "reason", "content_type", "charset", "bytes", "sha256", "title", "depth", "referrer"),
    *("lastmod", "redirect_to", "links", "robots", "attempts", "fetched_at", "timing", "warc", "file", "data", "error"),
]
PHASES = ["queue", "dns", "connect", "tls", "first_byte", "body", "parse", "total"]


def page(number: int = 0, title: str | None = None) -> Visit:
    """A visit with a line."""
    request = Request(url=parse(f"http://h/{number}"))
    seen = Page(size=3, sha256="ab", title=title)
    line = records.answered(
        Response(request=request, status=200), seen, Reason.OK, VisitContext(now=0.0), state=State.DONE
    )
    return Visit(request=request, state=State.DONE, reason=Reason.OK, record=line)


def skipped() -> Visit:
    """A visit without one."""
    return Visit(request=Request(url=parse("http://h/")), state=State.SKIPPED, reason=Reason.ROBOTS_DENIED)


def written(folder: Path) -> list[str]:
    """The URLs in the file, which holds whole lines only."""
    lines = (folder / "pages.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line)["url"].removeprefix("http://h/") for line in lines]


def commit(sink: JsonlSink, *numbers: int) -> int:
    """Append and sync some pages; the length that is committed."""
    sink.append([page(number) for number in numbers])
    return sink.sync()["pages.jsonl"]


def a_sink(folder: Path, committed: int = 0) -> JsonlSink:
    """A sink that was opened for a run with so many committed bytes."""
    sink = JsonlSink(folder)
    sink.rewind({"pages.jsonl": committed} if committed else {})
    return sink


def open_files() -> int:
    """Return the number of files that this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


# Lines


def test_a_line_has_the_keys_of_the_contract_in_order() -> None:
    """Scripts depend on names and order; what is not known is null and never left out."""
    line = json.loads(encode_lines([page()]))

    assert list(line) == CONTRACT
    assert list(line["timing"]) == PHASES


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_every_line_is_strict_json(titles: list[str]) -> None:
    """Each record is one line that any reader takes back unchanged, with any title."""
    data = encode_lines([page(title=title) for title in titles])

    assert data.count(b"\n") == len(titles)
    assert [json.loads(line, parse_constant=pytest.fail)["title"] for line in data.split(b"\n")[:-1]] == titles


def test_what_was_never_requested_has_no_line() -> None:
    """Skipped URLs are not in the output."""
    assert encode_lines([skipped()]) == b""
    assert encode_lines([skipped(), page(7)]) == encode_lines([page(7)])


# The file


def test_lines_are_appended_in_order_through_lives(tmp_path: Path) -> None:
    """Each life goes on behind the last committed line."""
    sink = a_sink(tmp_path)
    commit(sink, 1, 2)
    committed = commit(sink, 3)
    sink.close()
    sink = a_sink(tmp_path, committed)

    length = commit(sink, 4)

    sink.close()
    assert written(tmp_path) == ["1", "2", "3", "4"]
    assert length == (tmp_path / "pages.jsonl").stat().st_size


def test_append_gives_back_the_visits(tmp_path: Path) -> None:
    """The same visits come back, those without a line too."""
    sink = a_sink(tmp_path)
    visits = [page(1), skipped()]

    assert list(sink.append(visits)) == visits
    sink.close()


@pytest.mark.parametrize("tail", [b'{"url": "http://h/torn', b'{"url": "http://h/whole"}\n', b"\n" * 5000])
def test_a_rewind_cuts_what_was_not_committed(tmp_path: Path, tail: bytes) -> None:
    """Torn and whole lines behind the last commit are gone, and new ones follow the committed ones."""
    sink = a_sink(tmp_path)
    committed = commit(sink, 1)
    sink.close()
    with (tmp_path / "pages.jsonl").open("ab") as file:
        file.write(tail)

    sink = a_sink(tmp_path, committed)

    assert (tmp_path / "pages.jsonl").stat().st_size == committed
    commit(sink, 2)
    sink.close()
    assert written(tmp_path) == ["1", "2"]


def test_a_failed_group_is_rewound_before_its_retry(tmp_path: Path) -> None:
    """An open sink can be rewound, and leaves no open file behind."""
    sink = a_sink(tmp_path)
    committed = commit(sink, 1)
    sink.append([page(2)])
    files = open_files()

    sink.rewind({"pages.jsonl": committed})

    assert open_files() == files
    assert commit(sink, 3) == (tmp_path / "pages.jsonl").stat().st_size
    sink.close()
    assert written(tmp_path) == ["1", "3"]


@pytest.mark.parametrize("left", [0, 10, None])
def test_a_file_that_lost_lines_is_damage(tmp_path: Path, left: int | None) -> None:
    """A file shorter than was committed, or missing, is told with both figures and not written to."""
    path = tmp_path / "pages.jsonl"
    sink = a_sink(tmp_path)
    committed = commit(sink, 1)
    sink.close()
    path.unlink() if left is None else os.truncate(path, left)

    with pytest.raises(StorageDamaged, match=rf"^pages\.jsonl has {left or 0} bytes but {committed} were committed"):
        a_sink(tmp_path, committed)

    assert path.exists() == (left is not None)
    assert left is None or path.stat().st_size == left


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    """A sink can be closed again, and one that was never opened too."""
    sink = a_sink(tmp_path)
    sink.close()
    sink.close()
    JsonlSink(tmp_path).close()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """The system's refusal is a storage error that names the file."""
    with pytest.raises(StorageError, match=r"^pages\.jsonl: No such file"):
        a_sink(tmp_path / "gone")


@pytest.mark.parametrize("committed", [0, 10])
@pytest.mark.parametrize("there", [True, False])
def test_a_planted_link_is_not_followed(tmp_path: Path, committed: int, there: bool) -> None:
    """A link in the file's place leads to nothing: no file outside the run's folder is cut, written or made."""
    folder, target = tmp_path / "run", tmp_path / "precious"
    folder.mkdir()
    if there:
        target.write_text("not of this run")
    (folder / "pages.jsonl").symlink_to(target)

    with pytest.raises(StorageError, match=r"^pages\.jsonl"):
        a_sink(folder, committed)

    assert target.exists() == there
    assert not there or target.read_text() == "not of this run"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A write that finds no space is a full disk, with what to do."""
    sink = JsonlSink(tmp_path)
    sink._fd = os.open("/dev/full", os.O_WRONLY)

    with pytest.raises(DiskFull, match=r"^pages\.jsonl: no space left .* resume"):
        sink.append([page()])
    sink.close()


def test_a_write_that_breaks_off_is_cut_at_the_next_start(tmp_path: Path) -> None:
    """The next life finds the committed lines and no more, though part of a group had fitted on the disk."""
    script = """
import resource, sys
from pathlib import Path
from crawler.core.errors import DiskFull
from test_jsonl import a_sink, commit
sink = a_sink(Path(sys.argv[1]))
print(commit(sink, *range(5)))
size = sink.sync()["pages.jsonl"] + 100
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    commit(sink, 5, 6, 7)
except DiskFull as error:
    sys.exit(error.exit_code)
"""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    command = [sys.executable, "-c", script, str(tmp_path)]

    ended = subprocess.run(command, env=env, timeout=30, check=False, capture_output=True, text=True)

    assert ended.returncode == 4
    committed = int(ended.stdout)
    assert (tmp_path / "pages.jsonl").stat().st_size == committed + 100
    a_sink(tmp_path, committed).close()
    assert written(tmp_path) == ["0", "1", "2", "3", "4"]


# Standard output


def test_lines_go_to_standard_output() -> None:
    """They are the same lines, nothing is remembered of them, and the descriptor stays open."""
    reader, writer = os.pipe()
    sink = StdoutSink(writer)
    sink.rewind({"pages.jsonl": 500})

    sink.append([page(1), skipped(), page(2)])

    assert sink.sync() == {}
    sink.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == encode_lines([page(1), page(2)])


def test_a_reader_that_went_away_ends_the_run_in_order() -> None:
    """A closed pipe is an error that says who stopped, with the exit code of any filter, not a traceback."""
    reader, writer = os.pipe()
    os.close(reader)

    with pytest.raises(ReaderGone, match=r"^standard output: its reader stopped") as caught:
        StdoutSink(writer).append([page()])

    assert caught.value.exit_code == 141
    os.close(writer)
