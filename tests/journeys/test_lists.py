"""Lists as people have them, from the file to the pages: encodings, columns, hosts without a scheme."""

import asyncio
import gzip
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import trustme

from crawler.run.folder import RunFolder
from support.commands import crawler, standard_input
from support.crawls import records
from support.siteserver import HandMadeSite

PATHS = ("/a", "/b", "/c")


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """Three pages over http."""
    async with HandMadeSite() as served:
        for path in PATHS:
            served.add_page(path, f"page {path}")
        served.add_page("/", links=PATHS)
        yield served


def had(folder: Path) -> set[str]:
    """Every URL in the output."""
    return {str(record["url"]) for record in records(folder)}


def rejected(folder: Path) -> list[tuple[int, str]]:
    """The lines that were rejected, and why."""
    lines = [msgspec.json.decode(line) for line in (folder / "rejected.jsonl").read_bytes().splitlines()]
    return [(line["line"], line["reason"]) for line in lines]


def bare(site: HandMadeSite, path: str) -> str:
    """The URL of a page without its scheme."""
    return site.url(path).partition("://")[2]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_a_list_is_read_in_any_encoding(tmp_path: Path, site: HandMadeSite, codec: str, end: str) -> None:
    """With the line numbers that an editor shows, also behind another list."""
    text = end.join(["# Städte", site.url("/a"), "", "nonsense", site.url("/b")])
    (tmp_path / "list").write_bytes(text.encode(codec))
    (tmp_path / "first").write_text(site.url("/c"), "utf-8")
    out = tmp_path / "out"

    code = await crawler("fetch", tmp_path / "first", tmp_path / "list", "-o", out, "--quiet", "--workers", 0)

    assert code == 0
    assert had(out) == {site.url(path) for path in PATHS}
    assert rejected(out) == [(5, "relative_url")]
    assert await crawler("verify", out) == 0


async def test_standard_input_is_read_in_any_encoding(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PowerShell sends such bytes down a pipe or into a file."""
    content = "".join(f"{site.url(path)}\r\n" for path in PATHS).encode("utf-16")

    with standard_input(monkeypatch, content):
        code = await crawler("fetch", "-", "-o", tmp_path / "out", "--quiet", "--workers", 0)

    assert code == 0
    assert had(tmp_path / "out") == {site.url(path) for path in PATHS}


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_a_sitemap_that_is_a_list_is_read_in_any_encoding(
    tmp_path: Path, site: HandMadeSite, codec: str, end: str
) -> None:
    """A list that a line `Sitemap:` names is read as the list itself is."""
    site.add_page("/list.txt", end.join(site.url(path) for path in PATHS).encode(codec), content_type="text/plain")
    out = tmp_path / "out"

    code = await crawler("fetch", f"Sitemap: {site.url('/list.txt')}", "-o", out, "--quiet", "--workers", 0)

    assert code == 0
    assert had(out) == {site.url(path) for path in ("/list.txt", *PATHS)}


async def test_a_packed_list_is_refused_and_leaves_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The message has the command that unpacks it."""
    (tmp_path / "list.gz").write_bytes(gzip.compress(b"http://127.0.0.1:9/\n"))

    code = await crawler("fetch", tmp_path / "list.gz", "-o", tmp_path / "out")

    assert code == 2
    assert f"`gzip -dc {tmp_path / 'list.gz'} | crawler fetch -` reads it" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["fetch", "crawl"])
@pytest.mark.parametrize("robots", ["--robots", "--no-robots"])
async def test_a_host_on_the_command_line_falls_back_to_http(
    tmp_path: Path, site: HandMadeSite, capfd: pytest.CaptureFixture[str], command: str, robots: str
) -> None:
    """Told once, counted in the summary, and not asked again over https."""
    out = tmp_path / "out"

    code = await crawler(command, bare(site, "/"), "-o", out, "--workers", 0, robots)

    told = capfd.readouterr().err
    assert code == 0
    assert had(out) == {site.url("/"), *(site.url(path) for path in PATHS if command == "crawl")}
    assert told.count("no scheme, so https:// is asked first, then http://") == 1
    assert "1 without a scheme: https asked, and http instead for 1" in told
    assert await crawler("verify", out) == 0
    await crawler("why", bare(site, "/"), out)
    told = " ".join(capfd.readouterr().out.split())
    assert "Fetched: 200 (ok)." in told
    assert "found named on the command line" in told
    await crawler("why", f"https://{bare(site, '/')}", out)
    told = " ".join(capfd.readouterr().out.split())
    assert "Not fetched: its line has no scheme; https got no answer, and http was requested instead." in told


async def test_a_host_that_speaks_tls_stays_with_it(tmp_path: Path) -> None:
    """No request goes to the same port without TLS."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with HandMadeSite(tls=context) as site:
        site.add_page("/a", "safe")
        (tmp_path / "list").write_text(f"<{bare(site, '/a')}>\n", "utf-8")

        code = await crawler(
            *("fetch", tmp_path / "list", "-o", tmp_path / "out", "--ca-file", tmp_path / "ca.pem", "--quiet")
        )

        assert code == 0
        assert had(tmp_path / "out") == {f"https://{bare(site, '/a')}"}


async def test_a_certificate_that_is_not_trusted_is_an_answer(tmp_path: Path) -> None:
    """A URL that was meant for https is not asked for over http."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with HandMadeSite(tls=context) as site:
        code = await crawler("fetch", bare(site, "/a"), "-o", tmp_path / "out", "--quiet", "--no-robots")

        (record,) = records(tmp_path / "out")
        assert code == 1
        assert (record["url"], record["reason"]) == (f"https://{bare(site, '/a')}", "tls_untrusted")


async def test_a_file_wins_over_a_host_of_its_name(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`example.com` is a list where there is one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.com").write_text(site.url("/a"), "utf-8")

    code = await crawler("fetch", "example.com", "-o", "out", "--quiet", "--workers", 0)

    assert code == 0
    assert had(tmp_path / "out") == {site.url("/a")}


async def test_a_folder_hides_no_host_of_its_name(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a site stands in a folder that is named after it, and is no list."""
    monkeypatch.chdir(tmp_path)
    host = bare(site, "/a").removesuffix("/a")
    (tmp_path / host).mkdir()

    code = await crawler("fetch", host, "-o", "out", "--quiet", "--workers", 0)

    assert code == 0
    assert had(tmp_path / "out") == {site.url("/")}


async def test_a_pipe_is_read_once_as_a_file_is(tmp_path: Path, site: HandMadeSite) -> None:
    """A named one, and one behind a number, as `<(command)` in a shell gives it; a resume needs neither."""
    fifo, out = tmp_path / "fifo", tmp_path / "out"
    os.mkfifo(fifo)
    reading, writing = os.pipe()
    os.write(writing, f"{site.url('/a')}\n{site.url('/b')}".encode())
    os.close(writing)
    named = asyncio.create_task(asyncio.to_thread(fifo.write_text, site.url("/c"), "utf-8"))
    codes = [
        await crawler("fetch", f"/dev/fd/{reading}", fifo, "-o", out, "--quiet", "--workers", 0, "--max-pages", 1),
        await crawler("resume", out, "--max-pages", 9, "--quiet"),
    ]
    os.close(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))  # lets the writer go if its pipe was not opened
    await named
    os.close(reading)

    assert codes == [0, 0]
    assert had(out) == {site.url(path) for path in PATHS}
    assert await crawler("verify", out) == 0


@pytest.mark.parametrize("column", ["2", "host"])
async def test_a_column_of_several_tables_is_read(tmp_path: Path, site: HandMadeSite, column: str) -> None:
    """Each with its own separator and, by name, its own place; a resume needs to be told nothing."""
    header = column == "host"
    one = [*(["rank,host"] if header else []), f"1,{bare(site, '/a')}", "2"]
    two = [*(["\ufeffurl;host;rank"] if header else []), f'x;"{site.url("/b")}";1', f";{site.url('/c')};2"]
    (tmp_path / "one.csv").write_text("\n".join(one), "utf-8")
    (tmp_path / "two.csv").write_bytes("\r\n".join(two).encode("utf-16"))
    out = tmp_path / "out"
    begun = ("fetch", tmp_path / "one.csv", tmp_path / "two.csv", "-o", out, "--column", column, "--quiet")

    codes = [await crawler(*begun, "--max-pages", 1), await crawler("resume", out, "--max-pages", 9, "--quiet")]

    assert codes == [0, 0]
    assert [(table.column, table.separator) for table in RunFolder(out).read_facts().tables] == [(2, ","), (2, ";")]
    assert had(out) == {site.url(path) for path in PATHS}
    assert rejected(out) == [(3 if header else 2, "no_column")]
    assert msgspec.json.decode((out / "summary.json").read_bytes())["lines"].get("comment") == (2 if header else None)
    assert await crawler("verify", out) == 0


async def test_a_column_that_a_list_has_not_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Before anything is made, with the names that it has."""
    (tmp_path / "list.csv").write_text("rank,host\n1,example.com\n", "utf-8")

    code = await crawler("fetch", tmp_path / "list.csv", "-o", tmp_path / "out", "--column", "url")

    assert code == 2
    assert "has no column 'url'; its first line has rank, host" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
