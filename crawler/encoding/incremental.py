"""Text that comes in pieces, in any encoding of the web.

Rules
- Whole or in pieces, a text reads the same as `decode.text` reads it, if no character of more than one byte stands at
  the end of a line, which only damaged text has.
- UTF-8 and UTF-16 are decoded as they come. Of the others, what is complete up to a line's end is: in none of them is a
  line feed a part of another character.
Runs on: anywhere (pure).
"""

import codecs

from crawler.encoding import decode
from crawler.encoding.detect import marked
from crawler.encoding.labels import named
from crawler.http.media_types import media_type

_INCREMENTAL = {"utf-8": "utf-8-sig", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}


def decoder_of(content_type: str | None, head: bytes) -> codecs.IncrementalDecoder:
    """Return the decoder for a text that begins with `head`, by its byte order mark, its Content-Type, else UTF-8."""
    mark = marked(head)
    encoding = mark or named(media_type(content_type)[1]) or decode.UTF_8
    if mark in decode.UTF_16:
        return codecs.getincrementaldecoder("utf-16")("replace")  # which takes the mark
    if encoding in _INCREMENTAL:
        return codecs.getincrementaldecoder(_INCREMENTAL[encoding])("replace")
    return _LineDecoder(encoding)


class _LineDecoder(codecs.IncrementalDecoder):
    """The decoder of an encoding of which only whole texts can be decoded: it decodes up to the last line feed."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding
        self._held: list[bytes] = []

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]  # noqa: FBT001, FBT002 - the base class's names and, but for `Buffer`, its types
        """Return the text that is complete by now."""
        end = len(data) if final else data.rfind(b"\n") + 1
        if end == 0 and not final:
            self._held.append(data)
            return ""
        whole = b"".join((*self._held, data[:end]))
        self._held = [data[end:]]
        return decode.text(whole, self._encoding)
