"""Whole sites whose servers are odd in one way, crawled as a new user would: every page, or a first line that tells."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import crawler
from support.rawserver import Handler, raw_server

PAGES = 40
TYPE = b"Content-Type: text/html; charset=utf-8\r\n"

Answer = Callable[[str, str], tuple[bytes, bool]]
"""The answer to a path of a site at this origin, and whether the connection is held open and silent behind it."""


def _linked(number: int) -> bytes:
    """A page of a tree in which each page links to two more."""
    links = "".join(f"<a href=/p/{child}>x</a>" for child in (2 * number, 2 * number + 1) if child <= PAGES)
    return f"<!DOCTYPE html><title>Page {number}</title>{links}<p>été</p>".encode()


def _sized(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n" % (status, len(body)) + b"".join(headers) + b"\r\n" + body


NOT_FOUND = _sized(b"none", status=b"404 Not Found")


def a_cms(path: str, _origin: str) -> tuple[bytes, bool]:
    """Each page says that its content coding is UTF-8, as some servers do that mean the charset."""
    if path == "/robots.txt":
        return _sized(b"User-agent: *\nDisallow: /private\n", b"Content-Encoding: utf-8\r\n"), False
    number = 1 if path == "/" else int(path.removeprefix("/p/"))
    return _sized(_linked(number), TYPE, b"Content-Encoding: utf-8\r\n"), False


def a_shop(path: str, origin: str) -> tuple[bytes, bool]:
    """Its pages are listed in a sitemap alone, which begins with a blank line."""
    if path == "/robots.txt":
        return _sized(f"Sitemap: http://[x/\nSitemap: {origin}/sitemap.xml\n".encode()), False
    if path == "/sitemap.xml":
        listed = "".join(f"<url><loc>{origin}/p/{n}?a=1&amp;b=2</loc></url>" for n in range(2, PAGES + 1))
        body = f'\n<?xml version="1.0" encoding="UTF-8"?>\n<urlset>{listed}</urlset>'
        return _sized(body.encode(), b"Content-Type: application/xml\r\n"), False
    return _sized(b"<title>A shop</title>", TYPE), False


def a_mover(path: str, _origin: str) -> tuple[bytes, bool]:
    """A path without its last slash is redirected, with a length and no body, closed or held open in turn."""
    if path == "/robots.txt":
        return b"HTTP/1.1 301 Moved\r\nLocation: /robots/\r\nContent-Length: 154\r\n\r\n", True
    if path == "/robots/":
        return NOT_FOUND, False
    if path != "/" and not path.endswith("/"):
        is_held = int(path.removeprefix("/p/")) % 4 == 0
        length = b"" if is_held else b"Content-Length: 154\r\n"
        return b"HTTP/1.1 301 Moved\r\nLocation: " + path.encode() + b"/\r\n" + length + b"\r\n", is_held
    return _sized(_linked(1 if path == "/" else int(path.removeprefix("/p/").rstrip("/"))), TYPE), False


def _serving(answer: Answer) -> Handler:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("sockname")[:2]
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ")[1].decode()
            said, is_held = answer(path, f"http://{host}:{port}")
            writer.write(said)
            if is_held:
                await reader.read()
            if said.startswith(b"HTTP/1.1 301"):
                return

    return serve


@pytest.mark.parametrize(
    ("site", "options", "redirects"), [(a_cms, [], 0), (a_shop, ["--discover-sitemaps"], 0), (a_mover, [], PAGES - 1)]
)
async def test_every_page_of_an_odd_site_is_had(
    site: Answer, options: list[str], redirects: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All 40 pages with their titles, exit code 0, a clean audit, and not a word of what was odd."""
    out = tmp_path / "run"
    async with raw_server(_serving(site)) as (host, port):
        code = await crawler("crawl", f"http://{host}:{port}/", "-o", out, "--workers", 0, *options)

    lines = [json.loads(line) for line in (out / "pages.jsonl").read_text("utf-8").splitlines()]
    shown = capfd.readouterr().err.splitlines()
    assert code == 0
    assert len({line["url"] for line in lines if line["reason"] == "ok" and line["title"]}) == PAGES
    assert sum(line["reason"] == "redirect" for line in lines) == redirects
    assert not [line for line in shown if " from 1 of " in line]
    assert [line for line in shown if "1 sitemap in its robots.txt with no valid URL" in line] or site is not a_shop
    assert await crawler("verify", out) == 0


async def test_a_site_that_cannot_be_read_is_told_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A single page that is really packed by something unknown: exit code 1, and the second line names the seed."""

    def packed(path: str, _origin: str) -> tuple[bytes, bool]:
        body = bytes(range(256)) * 20
        return (NOT_FOUND if path == "/robots.txt" else _sized(body, TYPE, b"Content-Encoding: lzma\r\n")), False

    async with raw_server(_serving(packed)) as (host, port):
        url = f"http://{host}:{port}/"
        code = await crawler("crawl", url, "-o", tmp_path / "run", "--workers", 0)

    shown = capfd.readouterr().err.splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("complete:"))
    assert code == 1
    assert shown[at + 1] == f"  not all from 1 of 1 seed: decode_error ({url})"
