"""The removal of content codings within a budget."""

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.reasons import Reason
from crawler.http.content_codings import STEP, DecodeProblem, codings, decode, decode_steps, is_unknown

MIB = 1024 * 1024
PAGE = b"".join(b"<p>line %d of a page</p>\n" % n for n in range(40_000))


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _wide_zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.window_log: 27})


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
    "br": ("br", partial(brotli.compress, quality=5)),
    "zstd": ("zstd", zstd.compress),
}
each_packer = pytest.mark.parametrize(("coding", "pack"), PACKERS.values(), ids=PACKERS)


def _reason(body: bytes, coding: str, limit: int = 64 * MIB) -> Reason:
    with pytest.raises(DecodeProblem) as caught:
        decode(body, codings(coding), limit)
    return caught.value.reason


@each_packer
def test_a_page_comes_back_byte_for_byte(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """A compressed body is decompressed in steps of bounded size."""
    steps = list(decode_steps(pack(PAGE), codings(coding), len(PAGE)))

    assert b"".join(steps) == PAGE
    assert max(map(len, steps)) <= STEP


@each_packer
@given(data=st.binary(max_size=200), times=st.integers(1, 3000))
def test_any_bytes_come_back(coding: str, pack: Callable[[bytes], bytes], data: bytes, times: int) -> None:
    """No length and no content is special, the slices' borders included."""
    assert decode(pack(data * times), codings(coding), MIB) == data * times


@each_packer
def test_an_empty_body_is_empty_under_any_coding(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """HEAD, 204 and 304 carry a coding and no body."""
    assert decode(b"", codings(coding), 10) == b""
    assert decode(pack(b""), codings(coding), 10) == b""


@each_packer
def test_a_bomb_stops_at_the_limit(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """10 MiB packed small is refused at 1 MiB, and little more than that is ever held."""
    bomb = pack(bytes(10 * MIB))
    tracemalloc.start()

    reason = _reason(bomb, coding, MIB)

    assert reason == Reason.DECODED_LIMIT
    assert tracemalloc.get_traced_memory()[1] < 3 * MIB
    tracemalloc.stop()


@each_packer
def test_a_body_of_exactly_the_limit_is_whole(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """The limit is what is taken, one byte more is refused."""
    assert len(decode(pack(bytes(1000)), codings(coding), 1000)) == 1000
    assert _reason(pack(bytes(1001)), coding, 1000) == Reason.DECODED_LIMIT


@each_packer
def test_a_truncated_body_is_an_error(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """A stream that stops anywhere before the end of its content never passes for a shorter page."""
    whole = pack(PAGE[:5000])

    for end in {1, 2, len(whole) // 2, len(whole) - 10}:
        assert _reason(whole[:end], coding) == Reason.DECODE_ERROR


def test_an_uncoded_body_is_passed_on_and_limited() -> None:
    """No coding means the same bytes; the limit still binds."""
    assert decode(PAGE, codings(None), len(PAGE)) is PAGE
    assert decode(PAGE, codings("identity, ,IDENTITY"), len(PAGE)) is PAGE
    assert _reason(PAGE, "identity", 1000) == Reason.DECODED_LIMIT


def test_three_layers_are_taken_off_in_reverse_order() -> None:
    """The header lists codings in the order they were applied."""
    body = zstd.compress(brotli.compress(gzip.compress(PAGE)))

    assert decode(body, codings("gzip, br, zstd"), len(PAGE)) == PAGE


@pytest.mark.parametrize("layers", [4, 100])
def test_more_layers_are_refused(layers: int) -> None:
    """A pile of codings is an attack, not a page."""
    body = b"page"
    for _ in range(layers):
        body = gzip.compress(body)

    assert _reason(body, ", ".join(["gzip"] * layers)) == Reason.DECODE_ERROR


def test_a_bomb_inside_a_layer_is_bounded() -> None:
    """An inner layer that unpacks to nothing still may not pass through more than the limit."""
    skipped = b"\x50\x2a\x4d\x18" + (20 * MIB).to_bytes(4, "little") + bytes(20 * MIB)
    body = gzip.compress(skipped + zstd.compress(b"page"))

    assert _reason(body, "zstd, gzip", MIB) == Reason.DECODED_LIMIT


@pytest.mark.parametrize("coding", ["compress", "gzip2", "x" * 100, "gzip, rot13", "dcb", "utf-8", "text/html"])
def test_under_an_unknown_coding_bytes_stay_as_they_are(coding: str) -> None:
    """Under all codings that are named with it, too (Fetch standard, "handle content codings")."""
    assert (codings(coding), is_unknown(coding)) == ((), True)
    assert not is_unknown("gzip, identity, x-gzip")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_lie_is_an_error(coding: str) -> None:
    """A plain page that claims a coding is an error, not an empty page."""
    assert _reason(b"<html>this is no compressed stream at all</html>", coding) == Reason.DECODE_ERROR


def test_a_wrong_checksum_is_an_error() -> None:
    """A damaged gzip body does not pass."""
    whole = bytearray(gzip.compress(PAGE))
    whole[-5] ^= 1

    assert _reason(bytes(whole), "gzip") == Reason.DECODE_ERROR


def test_members_are_joined() -> None:
    """A gzip or zstd body may be several, one after the other (RFC 1952, 2.2; RFC 8878, 3.1)."""
    assert decode(gzip.compress(b"one ") * 1000, ("gzip",), MIB) == b"one " * 1000
    assert decode(zstd.compress(b"one ") * 1000, ("zstd",), MIB) == b"one " * 1000


def test_too_many_members_are_refused_in_bounded_time() -> None:
    """10^5 empty members cost as little as the thousand that are looked at."""
    for coding, member in (("gzip", gzip.compress(b"")), ("zstd", zstd.compress(b""))):
        started = time.process_time()

        assert _reason(member * 100_000, coding) == Reason.DECODE_ERROR
        assert time.process_time() - started < 1


def test_bytes_after_the_stream_are_ignored() -> None:
    """Padding after a complete stream does not cost the page."""
    assert decode(gzip.compress(b"page") + b"\0" * 100, ("gzip",), MIB) == b"page"
    assert decode(gzip.compress(b"page") + b"\x1f", ("gzip",), MIB) == b"page"
    assert decode(zlib.compress(b"page") + b"more", ("deflate",), MIB) == b"page"
    assert decode(zstd.compress(b"page") + b"more", ("zstd",), MIB) == b"page"


def test_a_wide_zstd_window_is_refused() -> None:
    """128 MiB of window per body would be memory for the server to spend."""
    assert _reason(_wide_zstd(bytes(9 * MIB)), "zstd") == Reason.DECODE_ERROR
