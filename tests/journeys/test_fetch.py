"""Whole runs of `crawler fetch` and `verify`, as a user types them, against a real server on loopback."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.commands import append, crawler, standard_input, summary
from support.crawls import records, rejected, urls
from support.siteserver import HandMadeSite

FIELDS = (
    *("url", "outcome", "status", "reason", "content_type", "charset", "bytes", "sha256", "title", "depth", "referrer"),
    *("lastmod", "redirect_to", "links", "robots", "attempts", "fetched_at", "timing", "warc", "file", "data", "error"),
)


def is_copy(one: Path, other: Path) -> bool:
    """Return whether two files have the same content."""
    return one.read_bytes() == other.read_bytes()


async def test_a_list_becomes_a_folder(tmp_path: Path, site: HandMadeSite, listed: Path) -> None:
    """Every URL of a list is one line with the promised fields in their order, and the audit finds nothing wrong."""
    out = tmp_path / "out"

    code = await crawler("fetch", listed, "-o", out, "--concurrency", 3)

    assert code == 0
    assert urls(out) == {site.url(f"/{number}"): 1 for number in range(20)}
    assert {tuple(record) for record in records(out)} == {FIELDS}
    assert is_copy(out / "seeds.txt", listed)
    assert "concurrency = 3\n" in (out / "config.toml").read_text("utf-8")
    assert sorted(path.name for path in out.iterdir()) == [
        *("config.toml", "crawler.log", "frontier.board", "frontier.sqlite"),
        *("pages.jsonl", "rejected.jsonl", "seeds.txt", "summary.json"),
    ]
    assert await crawler("verify", out) == 0


async def test_the_terminal_shows_what_summary_json_holds(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The figures shown at the end are those of summary.json, and they add up."""
    site.add_page("/robots.txt", "User-agent: *\nDisallow: /7\n", content_type="text/plain")
    out = tmp_path / "out"
    with refusing_port() as port:
        append(listed, f"http://127.0.0.1:{port}/\nnonsense\n\n# comment\n")

        code = await crawler("fetch", listed, "-o", out, "--retries", 0)

    stored, shown = summary(out), capfd.readouterr().err
    assert code == 1
    assert stored["skipped"] == {"robots_denied": 1}
    assert stored["failures"] == {"connect_refused": 1}
    assert (stored["discovered"], stored["done"], stored["failed"], stored["pending"]) == (21, 19, 1, 0)
    assert stored["lines"] == {"read": 24, "url": 21, "relative_url": 1, "blank": 1, "comment": 1}
    assert stored["bytes"] == sum(int(str(record["bytes"] or 0)) for record in records(out))
    assert "complete: 21 URLs = 19 done + 1 failed + 1 skipped + 0 pending" in shown
    assert "status   200 19\n" in shown
    assert "failed   connect_refused 1\n" in shown
    assert "skipped  robots_denied 1\n" in shown
    assert "list     24 lines = 21 url + 1 blank + 1 comment + 1 relative_url; see rejected.jsonl\n" in shown
    assert f"{stored['pages_per_second']:,} pages/s" in shown


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody else gets and where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


async def test_a_list_without_a_url_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty list is no error, but whoever expected pages is told."""
    (tmp_path / "empty.txt").touch()

    code = await crawler("fetch", tmp_path / "empty.txt", "-o", tmp_path / "out")

    assert code == 0
    assert "nothing to fetch" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index.html\nnonsense\n# comment\n", "none of the 3 lines is a URL"),
        ("nonsense\n", "the only line is no URL"),
    ],
)
async def test_a_list_of_anything_but_urls_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    """The user of a wrong file is told so, quiet or not, and where each line's reason stands."""
    (tmp_path / "wrong.txt").write_text(content, "utf-8")
    out = tmp_path / "out"

    code = await crawler("fetch", tmp_path / "wrong.txt", "-o", out, "--quiet")

    assert code == 2
    assert capfd.readouterr().err == f"crawler: {message}: see {out / 'rejected.jsonl'}\n"
    assert rejected(out)


async def test_several_sources_name_their_lines(tmp_path: Path, site: HandMadeSite) -> None:
    """With several lists and a URL, a rejected line says which source it stands in, and where."""
    (tmp_path / "one.txt").write_text(f"{site.url('/0')}\nnonsense\n{site.url('/1')}", "utf-8")  # no last newline
    (tmp_path / "two.txt").write_text(f"\n{site.url('/1')}\n", "utf-8")
    out = tmp_path / "out"

    code = await crawler("fetch", tmp_path / "one.txt", site.url("/2"), tmp_path / "two.txt", "-o", out)

    assert code == 0
    assert urls(out) == {site.url(path): 1 for path in ("/0", "/1", "/2")}
    found = [(line["line"], line["source"], line["source_line"], line["reason"]) for line in rejected(out)]
    assert found == [
        (2, str(tmp_path / "one.txt"), 2, "relative_url"),
        (6, str(tmp_path / "two.txt"), 2, "duplicate"),
    ]


async def test_standard_input_is_a_list(tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input, which is kept for a resume."""
    content = f"{site.url('/0')}\n{site.url('/1')}".encode()

    with standard_input(monkeypatch, content):
        code = await crawler("fetch", "-", "-o", tmp_path / "out")

    assert code == 0
    assert set(urls(tmp_path / "out")) == {site.url("/0"), site.url("/1")}
    assert (tmp_path / "out" / "seeds.txt").read_bytes() == content + b"\n"


async def test_runs_without_a_name_never_meet(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --output each run has a folder of its own, named after what is fetched, however quickly they follow."""
    monkeypatch.chdir(tmp_path)

    codes = [await crawler("fetch", site.url("/0"), "--quiet") for _ in range(4)]

    folders = [path.name for path in (tmp_path / "output").iterdir()]
    assert codes == [0] * 4
    assert len(folders) == 4
    assert all("-127.0.0.1" in name for name in folders)


async def test_save_to_stdout_is_lines_and_nothing_else(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`--save -` writes one line of JSON per URL to standard output, and no pages.jsonl."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--save", "-")

    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert code == 0
    assert {line["url"] for line in lines} == {site.url(f"/{number}") for number in range(20)}
    assert len(lines) == 20
    assert not (tmp_path / "out" / "pages.jsonl").exists()
    assert await crawler("verify", tmp_path / "out") == 0


async def test_a_resume_to_stdout_warns_of_repeats(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A pipe cannot be rewound: a resume says that lines may come again, and gives the rest."""
    await crawler("fetch", listed, "-o", tmp_path / "out", "--save", "-", "--max-pages", 5)
    first = capfd.readouterr()

    code = await crawler("resume", tmp_path / "out", "--max-pages", 20)

    second = capfd.readouterr()
    assert code == 0
    assert (len(first.out.splitlines()), len(second.out.splitlines())) == (5, 15)
    assert "may come again" in second.err
    assert "may come again" not in first.err


async def test_json_prints_the_summary(tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`--json --quiet` prints summary.json on standard output, and nothing anywhere else."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--json", "--quiet")

    printed = capfd.readouterr()
    assert code == 0
    assert json.loads(printed.out) == summary(tmp_path / "out")
    assert not printed.err


async def test_quiet_is_silent(tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`--quiet` shows nothing at all when nothing is wrong."""
    code = await crawler("fetch", listed, "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert capfd.readouterr() == ("", "")


# Verify


def double_a_line(pages: bytes) -> bytes:
    """The first line in the place of the second."""
    first, _, *rest = pages.splitlines(keepends=True)
    return b"".join([first, first, *rest])


TAMPERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another path": (lambda pages: pages.replace(b'/19"', b'/1X"', 1), "not in the frontier"),
    "another scheme": (lambda pages: pages.replace(b'"http:', b'"hptp:', 1), "not a URL"),
    "no UTF-8": (lambda pages: pages.replace(b'"http:', b'"\xfftp:', 1), "not a record"),
    "another outcome": (lambda pages: pages.replace(b'"done"', b'"fail"', 1), "another outcome"),
    "a line doubled": (double_a_line, "twice in the output"),
    "a line added": (lambda pages: pages + b"{}\n", "bytes after the last commit"),
    "a line removed": (lambda pages: pages[pages.index(b"\n") + 1 :], "lines are missing"),
    "a torn tail": (lambda pages: pages[:-9], "cut off"),
    "nothing left": (lambda _: b"", "0 lines, but 20 URLs are done or failed"),
}


@pytest.mark.parametrize("kind", TAMPERED)
async def test_verify_sees_what_was_tampered_with(
    tmp_path: Path, listed: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    """The audit names any change in the output, and ends with 5."""
    tamper, finding = TAMPERED[kind]
    out = tmp_path / "out"
    await crawler("fetch", listed, "-o", out, "--quiet")
    pages = out / "pages.jsonl"
    assert await crawler("verify", out) == 0
    assert "clean: 20 lines of output\n" in capfd.readouterr().out

    pages.write_bytes(tamper(pages.read_bytes()))
    code = await crawler("verify", out)

    printed = capfd.readouterr()
    assert code == 5
    assert finding in printed.err
    assert printed.out.startswith("not clean: ")
