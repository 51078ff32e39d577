"""The decoder of a body that flows, against the one of a body that is here in full."""

import gzip
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise
from os import urandom

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.reasons import Reason
from crawler.http.content_codings import STEP, DecodeProblem, FlowDecoder, decode_steps

MIB = 1024 * 1024
LIMIT = 100_000
PAGE = b"".join(b"<p>line %d of a page</p>\n" % n for n in range(1000))
RANDOM = bytes.fromhex("8f3ac4d17b") * 20 + brotli.compress(PAGE) + zlib.compress(PAGE[::2])
Outcome = tuple[bytes, Reason | None]


def _flushed(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def _bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _checked_zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("gzip", _flushed),
    ("deflate", zlib.compress),
    ("deflate", _bare_deflate),
    ("br", lambda data: brotli.compress(data, quality=4)),
    ("zstd", _checked_zstd),
]


def _whole(body: bytes, codings: tuple[str, ...], limit: int = LIMIT) -> Outcome:
    return _outcome(decode_steps(body, codings, limit))


def _flowing(pieces: Iterable[bytes], codings: tuple[str, ...], limit: int = LIMIT) -> Outcome:
    decoder = FlowDecoder(codings, limit)

    def outputs() -> Iterable[bytes]:
        for piece in pieces:
            yield from decoder.feed(piece)
        yield from decoder.finish()

    return _outcome(outputs())


def _outcome(outputs: Iterable[bytes]) -> Outcome:
    found = bytearray()
    try:
        for output in outputs:
            assert len(output) <= STEP
            found += output
    except DecodeProblem as problem:
        return bytes(found), problem.reason
    return bytes(found), None


def _split(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, tuple[str, ...]]:
    """Return a body of up to three layers, sound, repeated, cut, damaged or with bytes behind it; and its codings."""
    body = draw(st.sampled_from([b"", b"x", PAGE[:60], PAGE, RANDOM, bytes(LIMIT + 1)]))
    codings = []
    for coding, pack in draw(st.lists(st.sampled_from(PACKERS), min_size=1, max_size=3)):
        codings.append(coding)
        body = pack(body) * draw(st.sampled_from([1, 1, 1, 2, 3]))
        if draw(st.booleans()):
            at = draw(st.integers(0, len(body) - 1))
            harmed = [body, body[:at], body[:at] + bytes((body[at] ^ draw(st.integers(1, 255)),)) + body[at + 1 :]]
            body = draw(st.sampled_from([*harmed, body[-at:], body + draw(st.binary(max_size=9))]))
    return body, tuple(codings)


@given(packed=bodies(), cuts=st.lists(st.integers(0, 10**6), max_size=9))
def test_a_body_is_the_same_whole_and_in_pieces(packed: tuple[bytes, tuple[str, ...]], cuts: list[int]) -> None:
    """No split of a body, sound or not, changes its content or its problem."""
    body, codings = packed

    assert _flowing(_split(body, cuts), codings) == _whole(body, codings)


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_a_body_may_come_byte_by_byte(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Each cut of it ends as it would in one piece."""
    body = pack(PAGE[:3000])

    for end in {*range(0, len(body), 7), len(body)}:
        assert _flowing((body[at : at + 1] for at in range(end)), (coding,)) == _whole(body[:end], (coding,))


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_content_comes_as_soon_as_it_can(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """A piece gives its content before the next one is there."""
    content = urandom(300_000)
    body = pack(content)
    decoder = FlowDecoder((coding,), MIB)

    early = b"".join(decoder.feed(body[: len(body) // 2]))

    assert len(early) > 10_000
    assert early + b"".join(decoder.feed(body[len(body) // 2 :])) + b"".join(decoder.finish()) == content


def test_a_bomb_expands_step_by_step() -> None:
    """A piece of little more than 64 KiB that holds 64 MiB gives no more at once than a step."""
    content = FlowDecoder(("gzip",), 64 * MIB).feed(gzip.compress(bytes(64 * MIB)))

    assert max(map(len, content)) <= STEP


def test_content_that_is_not_taken_comes_with_the_next_call() -> None:
    """An iterator that is left early loses nothing."""
    decoder = FlowDecoder(("gzip",), 4 * MIB)

    first = next(decoder.feed(gzip.compress(bytes(4 * MIB))))

    assert len(first) + sum(map(len, decoder.finish())) == 4 * MIB


def test_bytes_that_are_not_coded_flow_through_up_to_the_limit() -> None:
    """No coding means the same bytes; the limit still binds."""
    assert _flowing([PAGE, b"", b"end"], (), len(PAGE) + 3) == (PAGE + b"end", None)
    assert _flowing([PAGE, b"end"], (), len(PAGE) + 2) == (PAGE + b"en", Reason.DECODED_LIMIT)


def test_a_gzip_header_that_is_cut_within_its_checksum_is_no_empty_document() -> None:
    """The wrong checksum of a header is not that of the content, of which nothing may be missing."""
    header = b"\x1f\x8b\x08\x02\0\0\0\0\0\xff"

    assert _flowing([header, b"b"], ("gzip",)) == (b"", Reason.DECODE_ERROR)
    assert _flowing([gzip.compress(b"")[:-5]], ("gzip",)) == (b"", None)


def test_four_layers_are_refused_at_once() -> None:
    """A pile of codings is an attack, however it comes."""
    with pytest.raises(DecodeProblem, match="4 content codings"):
        FlowDecoder(("gzip",) * 4, MIB)


def test_a_long_damaged_body_loses_little_in_front_of_the_damage() -> None:
    """Behind the first MiB there is damage all the same, and almost all of the content comes before it."""
    content = urandom(3 * MIB)
    body = bytearray(gzip.compress(content))
    body[-1] ^= 1

    found, reason = _flowing(_split(bytes(body), range(0, len(body), 50_000)), ("gzip",), 4 * MIB)

    assert reason is Reason.DECODE_ERROR
    assert content.startswith(found)
    assert len(found) > 3 * MIB - 100_000


def test_a_long_body_that_was_flushed_and_not_closed_is_whole() -> None:
    """The formal end may be missing however long the body is."""
    content = urandom(3 * MIB)

    assert _flowing([_flushed(content)], ("gzip",), 4 * MIB) == (content, None)
