"""A form with files: a body of type multipart/form-data (RFC 7578), as browsers write it.

Rules
- Fields come first, then the files, in the order in which they were given.
- In names of fields and files a quotation mark, CR and LF are written %22, %0D and %0A (HTML standard, "multipart form
  data"); all else is UTF-8 as it is.
- A file without a content type has that of its name's ending, else application/octet-stream; so has one that is packed.
  A part without a file name is a field, and needs no type.
- The boundary is random, so no content has to be searched for it, and needs no quotes.
Runs on: the event loop, as `request_body.py`.
"""

import mimetypes
import re
import secrets
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path

import msgspec

from crawler.core.errors import UsageError
from crawler.core.messages import BodySource
from crawler.downloader.request_body import CONTENT, BytesBody, Content, request_body

FileValue = Content | tuple[str | None, Content] | tuple[str | None, Content, str | None]
Files = Mapping[str, FileValue] | Iterable[tuple[str, FileValue]]

_UNNAMED = "upload"
_UNKNOWN_TYPE = "application/octet-stream"
_CONTENT_TYPE = re.compile(r"[!-~]+/[ -~]+")
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class MultipartBody(msgspec.Struct, frozen=True):
    """The bodies of all parts, and all bytes between them, one after the other."""

    content_type: str
    bodies: tuple[BodySource, ...]

    @property
    def length(self) -> int | None:
        """Number of bytes; None = that of a part is unknown."""
        total = 0
        for body in self.bodies:
            if body.length is None:
                return None
            total += body.length
        return total

    @property
    def is_repeatable(self) -> bool:
        """Return whether every part may be sent again."""
        return all(body.is_repeatable for body in self.bodies)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield all parts; raise as they do."""
        for body in self.bodies:
            async with aclosing(body.pieces()) as pieces:
                async for piece in pieces:
                    yield piece


def multipart_body(fields: Iterable[tuple[str, str]], files: object) -> MultipartBody:
    """Return the body of a form with these fields and files; `files` has the shape of `Files`.

    Raises:
        UsageError: `files` has another shape, or a file that cannot be sent.
    """
    boundary = secrets.token_hex(16)
    bodies: list[BodySource] = []
    between = bytearray()  # the bytes since the last body that is not here yet
    for head, body in [*(_field(*field) for field in fields), *(_file(*file) for file in _pairs(files))]:
        between += f"--{boundary}\r\n{head}\r\n\r\n".encode()
        if isinstance(body, BytesBody):
            between += body.content
        else:
            bodies += (BytesBody(bytes(between)), body)
            between.clear()
        between += b"\r\n"
    bodies.append(BytesBody(bytes(between) + f"--{boundary}--\r\n".encode()))
    return MultipartBody(f"multipart/form-data; boundary={boundary}", tuple(bodies))


def _pairs(files: object) -> Iterator[tuple[str, object]]:
    items = files.items() if isinstance(files, Mapping) else files
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise UsageError("files: expected a mapping, such as {'field': open_file}, or pairs")
    for pair in items:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise UsageError("files: expected a mapping, such as {'field': open_file}, or pairs")
        yield pair[0], pair[1]


def _field(name: str, text: str) -> tuple[str, BodySource]:
    return _disposition(name, None), BytesBody(text.encode())


def _file(name: str, value: object) -> tuple[str, BodySource]:
    keyword = f"files: {name[:40]!r}"
    if not isinstance(value, tuple):
        value = (_file_name(value), value)
    if not 2 <= len(value) <= 3:
        raise UsageError(f"{keyword}: expected (filename, content) or (filename, content, content_type)")
    file_name, content, content_type = (*value, None)[:3]
    if not (file_name is None or isinstance(file_name, str)):
        raise UsageError(f"{keyword}: a file name is text, not {type(file_name).__name__}")
    if isinstance(content, tuple):
        raise UsageError(f"{keyword}: expected {CONTENT}, got tuple")
    head = _disposition(name, file_name)
    if content_type is None and file_name is not None:
        content_type = _guessed_type(file_name)
    if content_type is not None:
        if not (isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type)):
            raise UsageError(f"{keyword}: {content_type!r} is no content type: write one such as 'image/png'")
        head += f"\r\nContent-Type: {content_type}"
    return head, request_body(keyword, content)


def _disposition(name: str, file_name: str | None) -> str:
    named = "" if file_name is None else f'; filename="{file_name.translate(_ESCAPES)}"'
    return f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"{named}'


def _file_name(content: object) -> str:
    """Return the name of a file that the user did not name."""
    name = content.name if isinstance(content, Path) else getattr(content, "name", None)
    return (Path(name).name if isinstance(name, str) else "") or _UNNAMED


def _guessed_type(file_name: str) -> str:
    content_type, packing = mimetypes.guess_type(f"./{file_name}")  # a name alone may be read as a URL, `data:`
    return content_type if content_type and not packing else _UNKNOWN_TYPE
