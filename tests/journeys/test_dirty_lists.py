"""Dirty lists, as a user gives them to `crawler fetch`: every line is accounted for."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.commands import crawler, program, standard_input, summary
from support.crawls import rejected, urls
from support.siteserver import HandMadeSite


@dataclass(frozen=True, slots=True)
class Dirt:
    """A list, and what must become of it: URLs that are fetched, line numbers with reasons, and the counts."""

    content: bytes
    urls: frozenset[str]
    rejected: dict[int, str]
    counts: dict[str, int]


ODD_LINES: Sequence[tuple[bytes, str]] = (
    (b"", "blank"),
    (b" \t ", "blank"),
    (b"# http://127.0.0.1/", "comment"),
    (b"ftp://127.0.0.1/x", "unsupported_scheme"),
    (b"javascript:alert(1)", "unsupported_scheme"),
    (b"mailto:a@b.example", "unsupported_scheme"),
    (b"index.html", "relative_url"),
    (b"/x/y", "relative_url"),
    (b"1,example.com", "relative_url"),
    (b"http://", "not_a_url"),
    (b"http://[::1", "not_a_url"),
    (b"http://127.0.0.1:99999/", "not_a_url"),
    (b"http://two words/", "not_a_url"),
    (b"http://bell\x07.example/", "not_a_url"),
    ("http://xn--a.\u00e4/".encode(), "not_a_url"),
    ("http://\ufffd.example/".encode(), "not_a_url"),
    (b"http://127.0.0.1/\xff\xfe", "not_utf8"),
    (b"http://127.0.0.1:22/", "blocked_port"),
    (b"http://me:secret@127.0.0.1/", "credentials_in_url"),
    (b"http://127.0.0.1/" + b"x" * 9_000, "url_too_long"),
)


def dirty_list(base: str, lines: int, pages: int) -> Dirt:
    """A list of so many lines in which so many pages hide, each under one of its spellings, some of them repeated."""
    chance = random.Random(7)  # noqa: S311 - a seed repeats a failure
    spellings: tuple[Callable[[str], bytes], ...] = (
        lambda path: f"{base}{path}".encode(),
        lambda path: f"  {base.replace('http', 'HTTP')}{path}\t".encode(),
        lambda path: f"{base}/x/..{path}#fragment".encode(),
    )
    content, found, rejections, counts = io.BytesIO(), set[str](), dict[int, str](), dict[str, int]()
    for number in range(1, lines + 1):
        if number == lines // 2:
            raw, kind = b"http://127.0.0.1/" + b"y" * 1_000_000, "line_too_long"
        elif chance.random() < 0.1:
            path = f"/p{chance.randrange(pages)}"
            raw = chance.choice(spellings)(path)
            kind = "duplicate" if base + path in found else "url"
            found.add(base + path)
        else:
            raw, kind = chance.choice(ODD_LINES)
        content.write(raw + chance.choice((b"\n", b"\r\n")))
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in {"url", "blank", "comment"}:
            rejections[number] = kind
    return Dirt(content.getvalue(), frozenset(found), rejections, {"read": lines, **counts})


def assert_accounted_for(dirt: Dirt, out: Path) -> None:
    """Every line of the list ended as it must, by number, and the sums say the same."""
    assert urls(out) == dict.fromkeys(dirt.urls, 1)
    assert {line["line"]: line["reason"] for line in rejected(out)} == dirt.rejected
    assert summary(out)["lines"] == dirt.counts
    assert summary(out)["done"] == len(dirt.urls)
    assert summary(out)["discovered"] == len(dirt.urls)


async def test_every_line_of_a_dirty_file_is_accounted_for(tmp_path: Path, site: HandMadeSite) -> None:
    """Of 10,000 lines with every kind of dirt, each ends as a URL, a duplicate, a blank or a numbered refusal."""
    dirt = dirty_list(site.url(""), 10_000, 500)
    (tmp_path / "dirty.txt").write_bytes(dirt.content)

    code = await crawler("fetch", tmp_path / "dirty.txt", "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert_accounted_for(dirt, tmp_path / "out")
    assert b"secret" not in (tmp_path / "out" / "rejected.jsonl").read_bytes()


async def test_every_line_of_dirty_input_is_accounted_for(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same from standard input."""
    dirt = dirty_list(site.url(""), 10_000, 500)

    with standard_input(monkeypatch, dirt.content):
        code = await crawler("fetch", "-", "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert_accounted_for(dirt, tmp_path / "out")


async def test_a_dirty_list_survives_kills(tmp_path: Path, site: HandMadeSite) -> None:
    """Read from standard input, killed at its first request and in the middle: nothing is lost or counted twice."""
    dirt = dirty_list(site.url(""), 10_000, 500)
    out = tmp_path / "out"

    async with process("fetch", "-", "-o", out, "--quiet", "--concurrency", 4) as first:
        assert first.stdin is not None
        first.stdin.write(dirt.content)
        first.stdin.close()
        await site.asked(1)
    async with process("resume", out, "--quiet"):
        await site.asked(len(dirt.urls) // 2)
    code = await crawler("resume", out, "--quiet")

    assert code == 0
    assert_accounted_for(dirt, out)
    assert await crawler("verify", out) == 0


@asynccontextmanager
async def process(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program as a process of its own, killed where the block ends."""
    async with program(*arguments) as child:
        yield child
        child.kill()
        assert await child.wait() == -9


async def test_hosts_in_any_script_are_fetched(tmp_path: Path, site: HandMadeSite) -> None:
    """An internationalised host is asked for by its ASCII name; spaces and controls in a path are escaped."""
    lines = [f"http://MÜNCHEN.localhost:{site.port}/1 2", f"http://münchen.localhost:{site.port}/a\x01b"]
    (tmp_path / "idn.txt").write_text("\n".join(lines), "utf-8")

    code = await crawler("fetch", tmp_path / "idn.txt", "-o", tmp_path / "out", "--quiet", "--no-robots")

    assert code == 0
    assert sorted(site.targets) == ["/1%202", "/a%01b"]
    assert {asked.header("host") for asked in site.requests} == {f"xn--mnchen-3ya.localhost:{site.port}"}
