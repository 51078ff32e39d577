"""HTTP answers as servers send them, right and wrong, and how each is to be read: one table for all that read answers.

Rules
- An answer is literal bytes, after which the server closes the connection.
- What is right is RFC 9112 where it decides (its section stands beside the row), else what browsers and curl do alike.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Whole(NamedTuple):
    """An answer that is good.

    Attributes:
        keep_alive: its connection may carry another request, as far as the answer itself tells.
        surplus: bytes came behind it.
    """

    status: int = 200
    body: bytes = b"hello"
    keep_alive: bool = True
    surplus: bool = False


GOOD = Whole()
LAST = Whole(keep_alive=False)
"""A good answer that ends its connection."""
EMPTY = Whole(body=b"")

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
IN_CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED = IN_CHUNKS + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: t\r\n\r\n"


def _with(header: bytes) -> bytes:
    return OK + header + b"Content-Length: 5\r\n\r\nhello"


def _chunks(chunks: bytes) -> bytes:
    return IN_CHUNKS + chunks


FRAMING: dict[str, tuple[bytes, Whole | str]] = {  # RFC 9112, 6.3
    "length": (HELLO, GOOD),
    "length 0": (OK + b"Content-Length: 0\r\n\r\n", EMPTY),
    "length with zeros in front": (OK + b"Content-Length: 0000000000000000000000005\r\n\r\nhello", GOOD),
    "chunks": (CHUNKED, GOOD),
    "no chunk but the last": (_chunks(b"0\r\n\r\n"), EMPTY),
    "until the end": (OK + b"Content-Type: x\r\n\r\nhello", LAST),
    "until the end, empty": (OK + b"\r\n", Whole(body=b"", keep_alive=False)),
    "until the end, line ends in front": (OK + b"\r\n\r\n\nhello", Whole(body=b"\r\n\nhello", keep_alive=False)),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", Whole(204, b"")),
    "no content with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Whole(204, b"")),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", Whole(304, b"")),
    "not modified, in chunks": (b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", Whole(304, b"")),
    "reset content without framing": (b"HTTP/1.1 205 Reset\r\n\r\n", Whole(205, b"")),  # RFC 9110, 15.3.6
    "reset content with a length": (b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello", Whole(205)),
    "an error": (b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nhello", Whole(503)),
    "a head in the body": (OK + b"Content-Length: %d\r\n\r\n" % len(HELLO) + HELLO, Whole(body=HELLO)),
    "close": (_with(b"Connection: close\r\n"), LAST),
    "close among others": (_with(b"Connection: Upgrade , CLOSE\r\n"), LAST),
    "close in a second header": (_with(b"Connection: x\r\nConnection: close\r\n"), LAST),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "HTTP/1.0, keep-alive": (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "HTTP/1.0, in chunks": (  # 6.1: read, and not trusted
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", LAST,
    ),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", GOOD),  # RFC 9110, 2.5
}  # fmt: skip

SURPLUS: dict[str, tuple[bytes, Whole | str]] = {  # 6.3, last paragraph: it belongs to no answer
    "bytes behind a length": (HELLO + b"EXTRA", Whole(surplus=True)),
    "a byte behind a length of 0": (OK + b"Content-Length: 0\r\n\r\nX", Whole(body=b"", surplus=True)),
    "bytes behind chunks": (CHUNKED + b"EXTRA", Whole(surplus=True)),
    "bytes behind no content": (b"HTTP/1.1 204 No\r\n\r\nhello", Whole(204, b"", surplus=True)),
    "bytes behind not modified": (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello", Whole(304, b"", surplus=True)),
    "bytes behind not found": (b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello!", Whole(404, surplus=True)),
    "an answer behind": (HELLO + HELLO, Whole(surplus=True)),
    "half an answer behind": (HELLO + HELLO[:20], Whole(surplus=True)),
    "an answer behind close": (_with(b"Connection: close\r\n") + HELLO, Whole(keep_alive=False, surplus=True)),
    "TLS behind": (HELLO + b"\x16\x03\x01\0", Whole(surplus=True)),
    "line ends behind": (HELLO + b"\r\n\n", GOOD),
    "line ends, then bytes behind": (HELLO + b"\r\nX", Whole(surplus=True)),
    "a length that is too short": (OK + b"Content-Length: 4\r\n\r\nhello", Whole(body=b"hell", surplus=True)),
}

LENIENT: dict[str, tuple[bytes, Whole | str]] = {  # as Chromium, curl and wget read it
    "lines with LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", GOOD),  # 2.2
    "lines with either": (b"HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 5\r\n\nhello", GOOD),
    "lines with LF, until the end": (b"HTTP/1.1 200 OK\nX: 1\n\nhello", LAST),
    "line ends in front": (b"\r\n\r\n\n" + HELLO, GOOD),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", GOOD),  # 4
    "no reason phrase and a space": (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "a phrase that is no UTF-8": (b"HTTP/1.1 200 \xe9\xff\r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "two spaces": (b"HTTP/1.1  200  OK\r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "lower case": (b"http/1.1 200 ok\r\ncontent-length: 5\r\n\r\nhello", GOOD),
    "odd spacing of a value": (OK + b"CONTENT-length:\t 5 \t\r\n\r\nhello", GOOD),
    "no white space at all": (OK + b"Content-Length:5\r\n\r\nhello", GOOD),
    "a line without a colon": (_with(b"nonsense\r\n"), LAST),
    "a space in a name": (_with(b"X Y: 1\r\n"), LAST),
    "a space in front of the colon": (OK + b"Content-Length : 5\r\n\r\nhello", LAST),  # 5.1
    "no name": (_with(b": 1\r\n"), LAST),
    "a name that is no ASCII": (_with(b"\xc3\xa9: 1\r\n"), LAST),
    "control bytes in a value": (_with(b"X: \x01\x1b\r\n"), GOOD),
    "a lone CR in a value": (_with(b"X: a\rContent-Length: 3\r\n"), LAST),  # 2.2: a space
    "a folded line": (_with(b"X: a\r\n b\r\n\tc\r\n"), GOOD),  # 5.2
    "a folded length": (OK + b"Content-Length:\r\n 5\r\n\r\nhello", GOOD),
    "a fold behind the status line": (OK + b" folded\r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "the same length twice": (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "the same length in a list": (OK + b"Content-Length: 5, 5\r\n\r\nhello", GOOD),
    "an empty length": (OK + b"Content-Length:\r\n\r\nhello", LAST),
    "a length before chunks": (OK + b"Content-Length: 3\r\n" + _chunks(b"5\r\nhello\r\n0\r\n\r\n")[len(OK) :], LAST),
    "a length behind chunks": (IN_CHUNKS[:-2] + b"Content-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", LAST),
    "chunks, in capitals": (OK + b"Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", GOOD),
    "chunks, told twice": (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", LAST),
    "identity and chunks": (OK + b"Transfer-Encoding: identity, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", GOOD),
    "identity alone": (OK + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "MIME's words for no coding": (OK + b"Transfer-Encoding: 8bit\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "a coding until the end": (OK + b"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nhello", LAST),  # 6.3, rule 4
    "several lengths before chunks": (
        OK + b"Content-Length: 3\r\nContent-Length: x\r\n" + _chunks(b"5\r\nhello\r\n0\r\n\r\n")[len(OK) :], LAST,
    ),
    "several lengths without a body": (
        b"HTTP/1.1 204 No\r\nContent-Length: 3\r\nContent-Length: x\r\n\r\n", Whole(204, b"", keep_alive=False),
    ),
    "an unknown coding without a body": (
        b"HTTP/1.1 304 No\r\nTransfer-Encoding: x\r\n\r\n", Whole(304, b"", keep_alive=False),
    ),
    "HTTP/2 in words": (b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "HTTP/2 without a minor version": (b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nhello", LAST),
    "no space behind the status": (b"HTTP/1.1 200OK\r\nContent-Length: 5\r\n\r\nhello", GOOD),
    "300 headers": (_with(300 * b"X: 1\r\n"), GOOD),
    "chunk lines with LF": (_chunks(b"5\nhello\n0\n\n"), LAST),
    "chunk lines with either": (_chunks(b"3\nhel\r\n2\r\nlo\n0\r\n\n"), LAST),
    "an extension that LF ends": (_chunks(b"5;a\nhello\r\n0\r\n\r\n"), LAST),
    "the last line with LF": (_chunks(b"5\r\nhello\r\n0\r\n\n"), LAST),
    "a space behind a size": (_chunks(b"5 \r\nhello\r\n0 \r\n\r\n"), LAST),
    "a space in front of a size": (_chunks(b" 5\r\nhello\r\n0\r\n\r\n"), LAST),
    "spaces around an extension": (_chunks(b'5 ; a=b ; c="d;e"\r\nhello\r\n0; x\r\n\r\n'), LAST),  # 7.1.1
    "zeros in front of a size": (_chunks(b"000000000000000000005\r\nhello\r\n0000\r\n\r\n"), GOOD),
    "a size in capitals": (_chunks(b"A\r\nhellohello\r\n0\r\n\r\n"), Whole(body=b"hellohello")),
    "trailers that are none": (_chunks(b"5\r\nhello\r\n0\r\nnonsense\r\n: x\r\n\r\n"), GOOD),
    "chunks without their last line": (_chunks(b"5\r\nhello\r\n0\r\n"), LAST),  # 8: the last chunk has come
    "chunks cut in the trailers": (_chunks(b"5\r\nhello\r\n0\r\nX: y"), LAST),
}  # fmt: skip

INTERIM: dict[str, tuple[bytes, Whole | str]] = {
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, GOOD),
    "early hints, twice": (2 * b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + CHUNKED, GOOD),
    "an interim answer with a length": (b"HTTP/1.1 102 X\r\nContent-Length: 9\r\n\r\n" + HELLO, GOOD),
    "an interim answer with LF": (b"HTTP/1.1 100 Continue\n\n" + HELLO, GOOD),
    "only continue": (b"HTTP/1.1 100 Continue\r\n\r\n", "truncated"),
    "eleven of them": (11 * b"HTTP/1.1 103 Early Hints\r\n\r\n" + HELLO, GOOD),
    "switching": (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "protocol_error"),
}

CUT: dict[str, tuple[bytes, Whole | str]] = {  # 8
    "in the status": (b"HTTP/1.1 2", "truncated"),
    "in the head": (OK + b"Content-Le", "truncated"),
    "before the empty line": (OK + b"Content-Length: 0\r\n", "truncated"),
    "in the body": (HELLO[:-1], "truncated"),
    "in a chunk": (_chunks(b"5\r\nhel"), "truncated"),
    "behind a chunk": (_chunks(b"5\r\nhello"), "truncated"),
    "in a size": (_chunks(b"5"), "truncated"),
    "before the last chunk": (_chunks(b"5\r\nhello\r\n"), "truncated"),
    "in the last size": (_chunks(b"5\r\nhello\r\n0"), "truncated"),
    "nothing": (b"", "connection_lost"),
    "line ends alone": (b"\r\n\r\n", "connection_lost"),
}

WRONG: dict[str, tuple[bytes, Whole | str]] = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol_error"),
    "an older protocol": (b"hello, I am HTTP/0.9", "protocol_error"),
    "a web page": (b"<!doctype html><p>hello", "protocol_error"),
    "no version": (b"HTTP/x.y 200 OK\r\n\r\n", "protocol_error"),
    "HTTP/0.9 in words": (b"HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello", "protocol_error"),
    "a coding that is not known": (OK + b"Transfer-Encoding: xchunked\r\n\r\nhello", "protocol_error"),  # 6.1
    "quoted chunks": (OK + b'Transfer-Encoding: "chunked"\r\n\r\n5\r\nhello\r\n0\r\n\r\n', "protocol_error"),
    "a coding that is not known before chunks": (
        OK + b"Transfer-Encoding: compress, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "protocol_error",
    ),
    "HTTP/11.1": (b"HTTP/11.1 200 OK\r\n\r\n", "protocol_error"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "protocol_error"),
    "status 1000": (b"HTTP/1.1 1000 OK\r\n\r\n", "protocol_error"),
    "status 099": (b"HTTP/1.1 099 OK\r\n\r\n", "protocol_error"),
    "status of Arabic digits": (b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK\r\n\r\n", "protocol_error"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "protocol_error"),  # 6.3, rule 5
    "two lengths in a list": (OK + b"Content-Length: 5, 6\r\n\r\nhello", "protocol_error"),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\n", "protocol_error"),
    "a length with a sign": (OK + b"Content-Length: +5\r\n\r\nhello", "protocol_error"),
    "a length with a unit": (OK + b"Content-Length: 5B\r\n\r\nhello", "protocol_error"),
    "a length of other digits": (OK + b"Content-Length: \xb2\r\n\r\nhello", "protocol_error"),
    "a huge length": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", "protocol_error"),
    "a length of 2^63": (OK + b"Content-Length: 9223372036854775808\r\n\r\n", "protocol_error"),
    "packed around the chunks": (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nx", "protocol_error"),
    "a size of letters": (_chunks(b"xyz\r\n"), "protocol_error"),
    "no size": (_chunks(b"\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "only an extension": (_chunks(b";x\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a size with 0x": (_chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a size with a sign": (_chunks(b"-5\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a size with a gap": (_chunks(b"0 5\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a size of 2^64": (_chunks(b"10000000000000000\r\nhello"), "protocol_error"),
    "a chunk that is too long": (_chunks(b"3\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a chunk that is too short": (_chunks(b"9\r\nhello\r\n0\r\n\r\n"), "protocol_error"),
    "a zero byte in the head": (_with(b"X: a\0b\r\n"), "protocol_error"),
    "a zero byte in a name": (_with(b"X\0: a\r\n"), "protocol_error"),
}

ANSWERS = {
    f"{group}: {name}": row
    for group, rows in {
        "framing": FRAMING,
        "surplus": SURPLUS,
        "lenient": LENIENT,
        "interim": INTERIM,
        "cut": CUT,
        "wrong": WRONG,
    }.items()
    for name, row in rows.items()
}


def pieces(raw: bytes) -> Iterator[list[bytes]]:
    """The bytes whole, one by one, and split in two at every point."""
    yield [raw]
    yield [raw[at : at + 1] for at in range(len(raw))]
    yield from ([raw[:at], raw[at:]] for at in range(1, len(raw)))
