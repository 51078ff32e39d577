"""downloader.multipart: forms with files."""

import io
import re
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.downloader.multipart import MultipartBody, multipart_body
from crawler.downloader.request_body import BytesBody


class Part(NamedTuple):
    """A part of a form as a server reads it."""

    name: object
    file_name: object
    content_type: str
    content: bytes


async def _sent(body: MultipartBody) -> bytes:
    return b"".join([piece async for piece in body.pieces()])


def _read(body: MultipartBody, sent: bytes) -> list[Part]:
    """Read a form by the standard library's parser of MIME."""
    message = message_from_bytes(b"Content-Type: " + body.content_type.encode() + b"\r\n\r\n" + sent, policy=HTTP)
    found = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = part.get_param("name", header="content-disposition")
        found.append(Part(name, part.get_filename(), part.get_content_type(), content))
    return found


async def test_fields_come_first_and_files_have_their_types(tmp_path: Path) -> None:
    """Every shape of a file is taken, and the length is that of what is sent."""
    path = tmp_path / "page.html"
    path.write_bytes(b"<p>")
    with path.open("rb") as file:
        files = [
            ("a", b"bytes"),
            ("a", file),
            ("b", path),
            ("c", ("notes.txt", "text ä")),
            ("d", ("x", io.BytesIO(b"\0"), "image/png")),
            ("e", (None, b"{}", "application/json")),
            ("f", ("pages.html.gz", b"")),
            ("g", (None, b"field")),
        ]
        body = multipart_body([("title", "ä"), ("title", "two")], files)
        sent = await _sent(body)

    assert (body.length, body.is_repeatable) == (len(sent), True)
    assert re.fullmatch(r"multipart/form-data; boundary=[0-9a-f]{32}", body.content_type)
    assert _read(body, sent) == [
        ("title", None, "text/plain", "ä".encode()),
        ("title", None, "text/plain", b"two"),
        ("a", "upload", "application/octet-stream", b"bytes"),
        ("a", "page.html", "text/html", b"<p>"),
        ("b", "page.html", "text/html", b"<p>"),
        ("c", "notes.txt", "text/plain", "text ä".encode()),
        ("d", "x", "image/png", b"\0"),
        ("e", None, "application/json", b"{}"),
        ("f", "pages.html.gz", "application/octet-stream", b""),
        ("g", None, "text/plain", b"field"),
    ]


async def test_the_bytes_are_those_of_a_browser() -> None:
    """Lines end with CRLF, and each part and the end have a boundary of their own."""
    body = multipart_body([("a", "1")], {"f": ("x.txt", b"2")})
    mark = "--" + body.content_type.partition("=")[2]

    assert (await _sent(body)).decode() == (
        f'{mark}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        f'{mark}\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\n2\r\n'
        f"{mark}--\r\n"
    )


async def test_names_cannot_leave_their_quotes() -> None:
    """A name with a quotation mark or a line end adds no attribute and no header; a backslash stays one."""
    sent = await _sent(multipart_body([('a"\r\nX: y', "1")], {"ä\\": ('b"; x="\n', b"2")}))

    assert b'; name="a%22%0D%0AX: y"\r\n' in sent
    assert '; name="ä\\"; filename="b%22; x=%22%0A"\r\n'.encode() in sent


async def test_an_iterable_makes_the_whole_chunked_and_sent_once() -> None:
    """One part of unknown length is enough."""

    async def later() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    body = multipart_body([], {"a": later(), "b": b"3"})

    assert (body.length, body.is_repeatable) == (None, False)
    assert [part.content for part in _read(body, await _sent(body))] == [b"onetwo", b"3"]


async def test_a_form_can_be_sent_again() -> None:
    """A file is rewound to where it stood, also one that is in two parts."""
    file = io.BytesIO(b"0123")
    file.seek(1)
    body = multipart_body([], {"a": file, "b": file})

    first = await _sent(body)

    assert first == await _sent(body)
    assert [part.content for part in _read(body, first)] == [b"123", b"123"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (b"bytes", "files: expected a mapping"),
        (7, "files: expected a mapping"),
        ([b"bytes"], "files: expected a mapping"),
        ({1: b""}, "files: expected a mapping"),
        ({"a": ("x", b"", "text/plain", {})}, "files: 'a': expected .filename, content. or"),
        ({"a": ("x",)}, "files: 'a': expected .filename, content. or"),
        ({"a": (b"x", b"")}, "files: 'a': a file name is text, not bytes"),
        ({"a": ("x", b"", "text/plain\r\nX: y")}, "files: 'a': .* is no content type"),
        ({"a": ("x", b"", "")}, "files: 'a': '' is no content type"),
        ({"a": 7}, "files: 'a': expected bytes, text"),
        ({"a": ("x", (b"a", b"b"))}, "files: 'a': expected bytes, text"),
        ({"a": io.StringIO("text")}, "files: 'a': .* not open for reading bytes"),
        ({"a": Path("/missing/file")}, "files: 'a': '/missing/file' cannot be read"),
    ],
)
def test_what_is_no_file_is_refused(files: object, message: str) -> None:
    """The message names the field, and the shape that is taken."""
    with pytest.raises(UsageError, match=message):
        multipart_body([], files)


@given(st.lists(st.tuples(st.text('ab"\r\n-', min_size=1), st.binary(max_size=30)), min_size=1, max_size=5))
async def test_any_content_comes_back(files: list[tuple[str, bytes]]) -> None:
    """No content and no name changes another part."""
    body = multipart_body([], [(name, ("x", content)) for name, content in files])
    mark = b"\r\n--" + body.content_type.partition("=")[2].encode()

    start, *parts, end = (b"\r\n" + await _sent(body)).split(mark)

    assert (start, end) == (b"", b"--\r\n")
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == [content for _, content in files]
    assert all(part.count(b"\r\n", 0, part.index(b"\r\n\r\n")) == 2 for part in parts)


@pytest.mark.parametrize(
    ("name", "content_type"), [("data:text/html,x", "application/octet-stream"), ("data:x,.png", "image/png")]
)
def test_a_file_name_is_no_url(name: str, content_type: str) -> None:
    """Only its ending tells the type."""
    body = multipart_body([], {"a": (name, b"<p>")})

    first = body.bodies[0]
    assert isinstance(first, BytesBody)
    assert f"\r\nContent-Type: {content_type}\r\n".encode() in first.content
