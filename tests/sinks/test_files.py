"""sinks.files: the content of each page as a plain file."""

import errno
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.core import records
from crawler.core.errors import DiskFull, StorageError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.urls import parse
from crawler.core.visits import Packed, Page, State, Visit
from crawler.run.disk import write_all
from crawler.sinks import files
from crawler.sinks.files import FilesSink

ROOT = Path(__file__).parent.parent.parent


def page(url: str = "http://h/a", content: bytes | None = b"<p>", status: int = 200) -> Visit:
    """A visit with a line, and with content."""
    request = Request(url=parse(url))
    body = content or b""
    seen = Page(size=len(body), sha256=hashlib.sha256(body).hexdigest(), content_type="text/html")
    line = records.answered(
        Response(request=request, status=status), seen, Reason.OK, VisitContext(now=0.0), state=State.DONE
    )
    return Visit(request=request, state=State.DONE, reason=Reason.OK, record=line, content=content)


def a_sink(folder: Path) -> FilesSink:
    """A sink that was opened."""
    sink = FilesSink(folder)
    sink.rewind({})
    return sink


def commit(sink: FilesSink, *visits: Visit) -> list[str]:
    """Append and sync some visits; where the files are."""
    placed = sink.append(visits)
    assert sink.sync() == {}
    return [visit.record.file or "" for visit in placed if visit.record]


def found(folder: Path) -> set[str]:
    """Every file below the folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def open_files() -> int:
    """Return the number of files that this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_packed_content_is_unpacked_on_its_way_to_the_disk(tmp_path: Path) -> None:
    """A file holds what the line tells of, and never is all of it in memory."""
    content = bytes(16 << 20)
    body = gzip.compress(content, mtime=0)
    sink = a_sink(tmp_path)

    tracemalloc.start()
    [path] = commit(sink, replace(page(), content=Packed(body, ("gzip",), len(content))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (tmp_path / path).read_bytes() == content
    assert peak < 4 << 20


# What is kept


def test_content_becomes_a_file_and_its_line_says_where(tmp_path: Path) -> None:
    """The file below the run's folder has exactly the bytes of the content."""
    bodies = {"http://h/": b"<p>one", "http://h/a/b/": b"", "https://h:8443/a?x": bytes(range(256)) * 5000}
    sink = a_sink(tmp_path)

    places = commit(sink, *(page(url, body) for url, body in bodies.items()))

    sink.close()
    assert [place.partition("~")[0] for place in places] == ["files/h/index", "files/h/a/b/index", "files/h_8443/a_x"]
    assert [(tmp_path / place).read_bytes() for place in places] == list(bodies.values())
    assert found(tmp_path) == set(places)
    assert not any((tmp_path / place).stat().st_mode & 0o111 for place in places)


def test_append_gives_back_the_visits(tmp_path: Path) -> None:
    """All of them, in order, with nothing but the place changed."""
    sink = a_sink(tmp_path)
    visits = [page("http://h/1"), page("http://h/2", None), page("http://h/3")]

    placed = sink.append(visits)

    sink.close()
    assert [visit.request for visit in placed] == [visit.request for visit in visits]
    assert [bool(visit.record and visit.record.file) for visit in placed] == [True, False, True]
    for visit, came_back in zip(visits, placed, strict=True):
        assert came_back.record
        assert replace(came_back, record=replace(came_back.record, file=None)) == visit


@pytest.mark.parametrize(
    "visit",
    [
        page(content=None),
        page(status=404),
        page(status=301),
        page(status=503),
        replace(page(), record=None),
        replace(
            page(), record=records.unanswered(page().request, Reason.DNS_TIMEOUT, VisitContext(now=0.0), attempts=1)
        ),
    ],
)
def test_only_what_was_wanted_and_answered_well_is_kept(tmp_path: Path, visit: Visit) -> None:
    """Error pages, redirects and what nobody wanted make no file, and come back as they are."""
    sink = a_sink(tmp_path)

    assert sink.append([visit]) == [visit]

    sink.sync()
    sink.close()
    assert found(tmp_path) == set()


def test_urls_that_fit_badly_together_are_all_kept(tmp_path: Path) -> None:
    """A file and a folder of one name, the same name in other case, the same text in path and query."""
    urls = ["http://h/a", "http://h/a/b", "http://h/a/", "http://h/A", "http://h/a?b", "http://h/a%3Fb", "https://h/a"]
    urls += ["http://h/..%2f..%2fx", "http://h/%2e%2e%5cx", "http://h/a%00b", "http://h/" + "d/" * 2000 + "x" * 4000]
    sink = a_sink(tmp_path)

    places = commit(sink, *(page(url, url.encode()) for url in urls))

    sink.close()
    assert [(tmp_path / place).read_text() for place in places] == urls
    assert len({place.casefold() for place in places}) == len(urls)


def test_names_do_not_depend_on_the_locale(tmp_path: Path) -> None:
    """A letter that the locale's encoding lacks is written in UTF-8 all the same."""
    script = "import sys; from pathlib import Path; from test_files import *; sink = a_sink(Path(sys.argv[1]))\n"
    script += "print(ascii(commit(sink, page('http://h/\\u6f22/\\u5b57'))))"
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    env = {**os.environ, **plain, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}

    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=env, timeout=30, check=False, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stderr
    assert [path.partition("~")[0] for path in found(tmp_path)] == ["files/h/漢/字"]


# Lives


def test_a_refetch_overwrites(tmp_path: Path) -> None:
    """The same URL has the same file, in one group, in a later one and in a later life."""
    sink = a_sink(tmp_path)
    places = commit(sink, page(content=b"one, and longer"), page(content=b"two"))
    assert (tmp_path / places[0]).read_bytes() == b"two"
    places += commit(sink, page(content=b"three"))
    sink.close()
    sink = a_sink(tmp_path)

    places += commit(sink, page(content=b"4"))

    sink.close()
    assert found(tmp_path) == set(places)
    assert (tmp_path / places[0]).read_bytes() == b"4"


def test_a_failed_group_is_rewound_before_its_retry(tmp_path: Path) -> None:
    """A file that never got its name is gone, the group can come again, and no open file is left behind."""
    sink = a_sink(tmp_path)
    commit(sink, page("http://h/1"))
    sink.append([page("http://h/2"), page("http://h/3")])
    before = open_files()

    sink.rewind({})

    assert open_files() == before
    assert len(found(tmp_path)) == 1
    commit(sink, page("http://h/2"))
    sink.close()
    assert {path.partition("~")[0] for path in found(tmp_path)} == {"files/h/1", "files/h/2"}


@pytest.mark.parametrize("step", ["write", "datasync", "rename", "fsync"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_kill_at_any_step_leaves_whole_files_only(tmp_path: Path, step: str, nth: int) -> None:
    """A file with a name is whole, the next life clears the rest away, and the same group then succeeds."""
    script = """
import os, sys, signal
from pathlib import Path
from test_files import *
folder, step, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sink = a_sink(folder)
explode_at(step, nth, lambda: os.kill(os.getpid(), signal.SIGKILL))
commit(sink, *(page(f"http://h/{n}/x", b"whole" * 1000) for n in range(3)))
"""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{Path(__file__).parent}"}
    command = [sys.executable, "-c", script, str(tmp_path), step, str(nth)]

    assert subprocess.run(command, env=env, timeout=30, check=False).returncode == -signal.SIGKILL

    named = [path for path in (tmp_path / "files" / "h").rglob("*") if path.is_file()]
    assert all(path.read_bytes() == b"whole" * 1000 for path in named)
    sink = a_sink(tmp_path)
    assert not list((tmp_path / "files" / ".partial").iterdir())
    places = commit(sink, *(page(f"http://h/{n}/x", b"whole" * 1000) for n in range(3)))
    sink.close()
    assert found(tmp_path) == set(places)


def explode_at(step: str, nth: int, explode: Callable[[], object]) -> None:
    """Patch one of the sink's steps: the n-th time, half of a write or nothing is done, and then `explode`."""
    left = [nth]

    def around(original: Callable[..., object]) -> Callable[..., object]:
        def patched(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                if original is write_all:
                    write_all(args[0], args[1][:100])  # type: ignore[arg-type, index] # a descriptor and bytes
                explode()
            return original(*args, **kwargs)

        return patched

    owner, name = {
        "write": (files, "write_all"),
        "datasync": (files, "datasync"),
        "rename": (os, "rename"),
        "fsync": (os, "fsync"),
    }[step]
    setattr(owner, name, around(getattr(owner, name)))


def test_everything_is_synced_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the contents, then the names, then each folder up to the top: a power cut cannot take a committed file."""
    steps: list[str] = []

    def watched(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            where = Path(f"/proc/self/fd/{args[0]}").readlink() if isinstance(args[0], int) else args[1]
            what = where.decode() if isinstance(where, bytes) else str(where)
            steps.append(f"{name} {what.removeprefix(str(tmp_path)).partition('~')[0]}")
            return original(*args, **kwargs)

        return step

    (tmp_path / "files" / "h").mkdir(parents=True)  # of a life that was killed before it was synced
    monkeypatch.setattr(files, "datasync", watched("content", os.fdatasync))
    monkeypatch.setattr(os, "rename", watched("name", os.rename))
    monkeypatch.setattr(os, "fsync", watched("folder", os.fsync))

    sink = a_sink(tmp_path)
    commit(sink, page("http://h/a/x"), page("http://h/a/y"), page("http://i/z"))

    sink.close()
    assert steps[:4] == ["folder ", *(f"content /files/.partial/{number}" for number in range(3))]
    assert steps[4:7] == ["name x", "name y", "name z"]
    assert sorted(steps[7:]) == [f"folder /files{part}" for part in ("", "/h", "/h/a", "/i")]


def test_nothing_to_keep_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group without content waits for no disk."""
    sink = a_sink(tmp_path)
    commit(sink, page())
    monkeypatch.delattr(os, "fsync")
    monkeypatch.setattr(files, "datasync", None)

    commit(sink, page(status=404))

    sink.close()


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    """A sink can be closed again, and one that was never opened too; nothing of ours but files stays."""
    before = open_files()
    sink = a_sink(tmp_path)
    commit(sink, page())
    sink.close()
    sink.close()
    FilesSink(tmp_path).close()

    assert open_files() == before
    assert not (tmp_path / "files" / ".partial").exists()


# What others left in the folder


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    """Only the folder of unfinished files is cleared, and only a URL's own file is overwritten."""
    theirs = {"notes.txt", "h/index.html", "h/a~b.html", ".hidden", "h/.partial"}
    for name in theirs:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    (tmp_path / "files" / ".partial").mkdir()
    (tmp_path / "files" / ".partial" / "0").write_text("unfinished")
    (tmp_path / "files" / ".partial" / "1").symlink_to(tmp_path / "files" / "notes.txt")
    sink = a_sink(tmp_path)

    places = commit(sink, page("http://h/"), page("http://h/a"))

    sink.close()
    assert found(tmp_path) == {f"files/{name}" for name in theirs} | set(places)
    assert all((tmp_path / "files" / name).read_text() == "theirs" for name in theirs)


@pytest.mark.parametrize("link", ["files", "files/.partial", "files/h", "files/h/a"])
def test_a_planted_link_is_not_followed(tmp_path: Path, link: str) -> None:
    """A link in a folder's place ends the run, and nothing is written or cleared elsewhere."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "0").write_text("precious")
    (run / link).parent.mkdir(parents=True)
    (run / link).symlink_to(elsewhere)
    sink = FilesSink(run)

    with pytest.raises(StorageError, match=r"^files"):  # noqa: PT012 - whichever of the two comes upon the link
        sink.rewind({})
        commit(sink, page("http://h/a/b"))

    sink.close()
    assert found(elsewhere) == {"0"}
    assert (run / link).is_symlink()


def test_a_link_in_a_files_place_is_replaced(tmp_path: Path) -> None:
    """It gives way to the file, and what it pointed at is not written to."""
    sink = a_sink(tmp_path)
    (place,) = commit(sink, page())
    (tmp_path / place).unlink()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / place).symlink_to(tmp_path / "precious")

    commit(sink, page(content=b"ours"))

    sink.close()
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / place).read_bytes() == b"ours"
    assert not (tmp_path / place).is_symlink()


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    """The error names what could not be written."""
    sink = a_sink(tmp_path)
    (tmp_path / "files" / "h").write_text("theirs")

    with pytest.raises(StorageError, match=r"^files/h/a~[0-9a-f]{32}\.html: Not a directory"):
        commit(sink, page())

    sink.close()
    assert (tmp_path / "files" / "h").read_text() == "theirs"


# Errors


@pytest.mark.parametrize("step", ["write_all", "datasync"])
def test_a_full_disk_is_told(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without space the run ends and can be resumed; nothing half-written has a name or stays open."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = a_sink(tmp_path)
    before = open_files()
    with monkeypatch.context() as patched:
        patched.setattr(files, step, full)
        with pytest.raises(DiskFull, match=r"^files/h/a~[0-9a-f]{32}\.html: no space left"):
            commit(sink, page())

    assert open_files() == before
    assert not (tmp_path / "files" / "h").exists()
    sink.rewind({})
    commit(sink, page())
    sink.close()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """The system's refusal is a storage error that names the folder."""
    with pytest.raises(StorageError, match=r"^files: No such file"):
        a_sink(tmp_path / "gone")
