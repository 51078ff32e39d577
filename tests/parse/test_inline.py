"""The decoding of a document in this process."""

import gzip
import hashlib
from functools import partial

import pytest

from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse as url
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import Task

zipped = partial(gzip.compress, mtime=0)  # the same bytes every time: they name tests
TEXT = b"hello " * 1000
LIMIT = 100_000


def answer(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Response:
    """A response with this body."""
    return Response(request=Request(url=url("http://h/")), status=status, headers=headers, body=body)


async def test_size_and_digest_are_of_the_decoded_body() -> None:
    """The content coding is removed before anything is counted."""
    page = await InlineParser(Task(max_decoded=LIMIT)).parse(answer(zipped(TEXT), (b"Content-Encoding", b"gzip")))

    assert (page.size, page.sha256, page.problem) == (len(TEXT), hashlib.sha256(TEXT).hexdigest(), None)


@pytest.mark.parametrize(
    ("body", "coding", "problem"),
    [
        (zipped(TEXT)[:15], b"gzip", Reason.DECODE_ERROR),  # cut before there is anything
        (TEXT, b"gzip", Reason.DECODE_ERROR),  # says gzip and is not
        (zipped(bytes(LIMIT + 1)), b"gzip", Reason.DECODED_LIMIT),  # a bomb
        (zipped(TEXT), b"unknown, gzip", Reason.DECODE_ERROR),  # under a coding that nobody knows
        (TEXT, b"unknown", None),
    ],
)
async def test_a_bad_coding_keeps_the_raw_digest(body: bytes, coding: bytes, problem: Reason | None) -> None:
    """Nothing is lost by a lying server: where nothing is unpacked, the bytes as received are what is counted."""
    page = await InlineParser(Task(max_decoded=LIMIT)).parse(answer(body, (b"Content-Encoding", coding)))

    assert (page.size, page.sha256, page.problem) == (len(body), hashlib.sha256(body).hexdigest(), problem)


async def test_repeated_coding_headers_are_layers() -> None:
    """Four headers of one coding each are four layers, and refused like four in one header."""
    page = await InlineParser(Task(max_decoded=LIMIT)).parse(answer(TEXT, *[(b"Content-Encoding", b"gzip")] * 4))

    assert page.problem is Reason.DECODE_ERROR


async def test_a_redirect_is_never_decoded() -> None:
    """A bomb on a redirect is not even looked at."""
    bomb = zipped(bytes(LIMIT * 10))

    page = await InlineParser(Task(max_decoded=LIMIT)).parse(
        answer(bomb, (b"Content-Encoding", b"gzip"), (b"Location", b"/x"), status=302)
    )

    assert (page.size, page.problem) == (len(bomb), None)


async def test_type_and_charset_come_from_the_header() -> None:
    """The media type is in lower case, the charset without its quotes."""
    page = await InlineParser(Task(max_decoded=LIMIT)).parse(
        answer(b"", (b"Content-Type", b'Text/HTML; Charset="UTF-8"'))
    )

    assert (page.content_type, page.charset) == ("text/html", "utf-8")
