"""Content codings, sound and damaged, as servers send them.

Standards: Fetch ("handle content codings"), RFC 9110 (8.4), RFC 1951 (deflate), RFC 1950 (zlib), RFC 1952 (gzip),
RFC 7932 (brotli), RFC 8878 (zstd). Browsers and curl read a stream that was flushed and never closed.
"""

import gzip
import zlib
from random import Random
from typing import NamedTuple

import brotli
import pytest
from backports import zstd

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.core.visits import Page
from crawler.http.content_codings import DecodeProblem, codings, decode_steps
from crawler.parse.page_reader import PageReader, Task
from crawler.robots.rules import judge
from crawler.site.codings import PACKERS

HTML = b"<!doctype html><title>A page</title>" + b"".join(
    b"<p>%d <a href=/%d>%x</a></p>\n" % (n, n * n, n**5) for n in range(6000)
)
LIMIT = 10**6


class Stream(NamedTuple):
    """A packed document; `flushed` is what a server has sent before it closes the stream, `trailer` is in bytes."""

    coding: str
    closed: bytes
    flushed: bytes
    trailer: int = 0


def _deflated(coding: str, wbits: int, trailer: int, flush: int = zlib.Z_SYNC_FLUSH) -> Stream:
    packer = zlib.compressobj(wbits=wbits)
    flushed = packer.compress(HTML) + packer.flush(flush)
    return Stream(coding, flushed + packer.flush(), flushed, trailer)


def _with_all_fields() -> Stream:
    """A gzip header with an extra field, a name, a comment and a checksum of its own (RFC 1952, 2.3)."""
    bare = _deflated("gzip", -15, 8)
    header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff" + b"\x03\0abc" + b"name\0" + b"a comment\0"
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    trailer = zlib.crc32(HTML).to_bytes(4, "little") + len(HTML).to_bytes(4, "little")
    return Stream("gzip", header + bare.closed + trailer, header + bare.flushed, 8)


def _brotli() -> Stream:
    packer = brotli.Compressor(quality=5)
    flushed = packer.process(HTML) + packer.flush()
    return Stream("br", flushed + packer.finish(), flushed)


def _zstd(*, checksum: bool) -> Stream:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: int(checksum)})
    flushed = packer.compress(HTML) + packer.flush(zstd.ZstdCompressor.FLUSH_BLOCK)
    return Stream("zstd", flushed + packer.flush(), flushed, 4 * checksum)


STREAMS = {
    "gzip": _deflated("gzip", 31, 8),
    "gzip, flushed in full": _deflated("x-gzip", 31, 8, zlib.Z_FULL_FLUSH),
    "gzip, all fields": _with_all_fields(),
    "zlib": _deflated("deflate", 15, 4),
    "bare deflate": _deflated("deflate", -15, 0),
    "br": _brotli(),
    "zstd": _zstd(checksum=False),
    "zstd, checksum": _zstd(checksum=True),
}
each = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


def unpacked(body: bytes, coding: str) -> tuple[bytes, Reason | None]:
    """All that can be unpacked, and what is wrong."""
    found = bytearray()
    try:
        for piece in decode_steps(body, codings(coding), LIMIT):
            found += piece
    except DecodeProblem as problem:
        return bytes(found), problem.reason
    return bytes(found), None


def page(body: bytes, coding: str, content_type: str | None = "text/html") -> Page:
    """The page that comes of it."""
    named = (("Content-Type", content_type), ("Content-Encoding", coding))
    headers = tuple((name.encode(), value.encode()) for name, value in named if value is not None)
    response = Response(request=Request(url=parse("http://h/")), status=200, headers=headers, body=body)
    return PageReader(Task(max_decoded=LIMIT, keep=True)).read_response(response)


@each
def test_a_stream_is_whole_when_its_content_is(stream: Stream) -> None:
    """Closed; flushed and not closed; without its trailer, be it in part."""
    ends = [len(stream.flushed), *range(len(stream.closed) - stream.trailer, len(stream.closed) + 1)]

    for end in ends:
        assert unpacked(stream.closed[:end], stream.coding) == (HTML, None)


@each
def test_two_layers_that_were_flushed_are_whole(stream: Stream) -> None:
    """An application's stream behind a server that compresses once more, and neither closes."""
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(stream.flushed) + packer.flush(zlib.Z_SYNC_FLUSH)

    assert unpacked(body, f"{stream.coding}, gzip") == (HTML, None)


@each
def test_a_cut_stream_gives_its_start_and_says_so(stream: Stream) -> None:
    """At every cut within the content there is a start of the document, and a reason."""
    ends = range(1, len(stream.flushed) - 8, 251)

    found, problems = zip(*(unpacked(stream.closed[:end], stream.coding) for end in ends), strict=True)

    assert set(problems) == {Reason.DECODE_ERROR}
    assert all(HTML.startswith(start) for start in found)
    assert sorted(found, key=len) == list(found)
    assert len(found[-1]) > len(HTML) / 2


@pytest.mark.parametrize("stream", [stream for stream in STREAMS.values() if stream.trailer or stream.coding == "br"])
@pytest.mark.parametrize("where", [0.1, 0.3, 0.6, 0.9])
def test_a_damaged_stream_gives_all_in_front_of_the_damage(stream: Stream, where: float) -> None:
    """The same as of a body cut there, in steps of any size; the bytes behind are no document."""
    at = int(len(stream.closed) * where)
    intact, _ = unpacked(stream.closed[:at], stream.coding)

    found, problem = unpacked(stream.closed[:at] + b"\xff" * 100 + stream.closed[at + 100 :], stream.coding)

    assert problem is Reason.DECODE_ERROR
    assert found.startswith(intact)
    assert len(intact) > len(HTML) * where / 2 or stream.coding == "zstd"  # which has blocks of 128 KiB


@each
def test_a_wrong_trailer_is_damage_behind_the_content(stream: Stream) -> None:
    """The checksum says that the content is not what was packed."""
    if stream.trailer:
        body = bytearray(stream.closed)
        body[-stream.trailer] ^= 1

        assert unpacked(bytes(body), stream.coding) == (HTML, Reason.DECODE_ERROR)


def test_what_follows_a_member_counts_if_it_is_one() -> None:
    """A second member may be flushed or cut like the first (RFC 1952, 2.2); other bytes are ignored, as by browsers."""
    stream = STREAMS["gzip"]

    assert unpacked(gzip.compress(b"one") + stream.flushed, "gzip") == (b"one" + HTML, None)
    assert unpacked(gzip.compress(b"one") + stream.closed[:9], "gzip") == (b"one", Reason.DECODE_ERROR)
    assert unpacked(gzip.compress(b"one") + b"\0\0\xff\xff", "gzip") == (b"one", None)


@pytest.mark.parametrize("stream", [STREAMS["gzip"], STREAMS["zlib"], STREAMS["zstd"]])
def test_a_header_alone_is_no_document(stream: Stream) -> None:
    """It promises one; nothing came."""
    for end in range(1, 11 if stream.coding == "gzip" else 3):
        assert unpacked(stream.closed[:end], stream.coding) == (b"", Reason.DECODE_ERROR)


@pytest.mark.parametrize(
    "coding", ["UTF-8", "none", "text/html", "gzip, foo", "foo, gzip", "binary", "br;q=1", '"gzip"']
)
def test_a_coding_that_is_none_leaves_the_bytes_as_they_are(coding: str) -> None:
    """Fetch, "handle content codings": if one is not supported, the bytes are returned."""
    found = page(HTML, coding)

    assert (found.content, found.title, found.links, found.problem) == (HTML, "A page", 6000, None)


@pytest.mark.parametrize("coding", ["UTF-8", "compress", "gzip, foo"])
@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/xhtml+xml", None])
def test_what_is_really_packed_by_an_unknown_coding_says_so(coding: str, content_type: str | None) -> None:
    """Binary bytes that should be text are not read, and not passed over in silence either."""
    for body in (b"\x1f\x9d\x90" + bytes(range(256)), STREAMS["gzip"].closed, STREAMS["br"].closed):
        found = page(body, coding, content_type)

        assert (found.content, found.title, found.links, found.problem) == (body, None, None, Reason.DECODE_ERROR)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"\x89PNG\r\n\x1a\n\0\0", None),
        (b"PK\3\4\0\0", "application/zip"),
        (b"\0\1\2", "application/octet-stream"),
        (gzip.compress(b"an archive", mtime=0), "application/gzip"),
        (b"", "text/html"),
        (HTML.decode().encode("utf-16"), "text/html"),
        (HTML.decode().encode("utf-16-le"), "text/html; charset=utf-16le"),
    ],
)
def test_files_under_a_coding_that_is_none_are_what_they_are(body: bytes, content_type: str | None) -> None:
    """A download is binary anyway."""
    assert page(body, "none", content_type).problem is None


@each
def test_what_was_unpacked_is_read_and_counted(stream: Stream) -> None:
    """The page of a cut body has the title and links that it still holds, its size and digest, and the reason."""
    body = stream.closed[: len(stream.flushed) * 9 // 10]
    content, _ = unpacked(body, stream.coding)

    found = page(body, stream.coding)

    assert (found.content, found.size, found.title) == (content, len(content), "A page")
    assert found.problem is Reason.DECODE_ERROR
    assert found.links is not None
    assert found.links > 1000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
@pytest.mark.parametrize("body", [HTML, b'{"a": [1, 2, 3]}', b"http://h/a\n", b"\xff\xfe<\0a\0>\0"])
def test_text_that_claims_a_coding_is_read_as_it_is(coding: str, body: bytes) -> None:
    """The server says that it is packed, and it is not: the page says that something is wrong."""
    found = page(body, coding, "text/html")

    assert (found.content, found.problem) == (body, Reason.DECODE_ERROR)
    assert found.links is not None


def test_a_bomb_stays_unread() -> None:
    """With or without its trailer."""
    bomb = gzip.compress(b"<a href=/x>" * LIMIT)

    for body in (bomb, bomb[:-8]):
        found = page(body, "gzip")
        assert (found.content, found.links, found.problem) == (body, None, Reason.DECODED_LIMIT)


@pytest.mark.parametrize("coding", ["UTF-8", "none", "gzip"])
def test_a_robots_txt_is_read_by_the_same_rules(coding: str) -> None:
    """A plain one under any label; a flushed one; of a damaged one its whole lines."""
    rules = b"User-agent: *\nDisallow: /private\n" + b"# %s\n" % HTML

    def body(sent: bytes, label: str) -> bytes:
        request = Request(url=parse("http://h/robots.txt"))
        headers = ((b"Content-Encoding", label.encode()),)
        copy = judge(Response(request=request, status=200, headers=headers, body=sent), 0.0)
        assert isinstance(copy, RobotsCopy)
        return copy.body

    assert body(rules, coding) == rules
    assert body(gzip.compress(rules)[:-8], "gzip") == rules
    cut = body(gzip.compress(rules)[:9000], "gzip")
    assert rules.startswith(cut)
    assert cut.endswith(b"\n")


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("behind", [b"\n", b"\0", b"garbage" * 100])
@pytest.mark.parametrize("size", [100, 65_536, 70_000])
def test_bytes_behind_a_stream_are_ignored(coding: str, behind: bytes, size: int) -> None:
    """Browsers do so, too; the stream may end anywhere within the slices in which it is read."""
    content = Random(1).randbytes(size)  # noqa: S311 - bytes that no coding makes shorter

    assert unpacked(PACKERS[coding](content) + behind, coding) == (content, None)
