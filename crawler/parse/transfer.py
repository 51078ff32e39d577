"""The trip of a job to a worker process and of its page back, and the content of a page, which waits for the commit.

Rules
- Bytes that both sides have do not travel: content that is the body comes back without it.
- Large content that had content codings waits as it was received; the sink decodes it once more. The received body is
  part of the byte budget from its first byte on, and decoded it could be many times as large.
- The decoded part of a damaged body waits as it is.
Strategy: jobs and pages are packed as messages of known types, in a twentieth of the time of a pickle.
Runs on: a worker process, or the loop.
"""

import msgspec
from msgspec.structs import replace

from crawler.core.reasons import Reason
from crawler.core.visits import Packed, Page
from crawler.parse.decoding import ParseJob

_LARGE = 128 * 1024
_DAMAGED = frozenset({Reason.DECODE_ERROR, Reason.DECODED_LIMIT})

_PACKER = msgspec.msgpack.Encoder()
_JOBS = msgspec.msgpack.Decoder(ParseJob)
_PAGES = msgspec.msgpack.Decoder(tuple[Page, bytes | None])  # the page, and its data, which are JSON


def compact(job: ParseJob, page: Page, max_decoded: int) -> Page:
    """Return the page as it waits for its commit."""
    content = page.content
    if not job.layers or content is None or len(content) < _LARGE or page.problem in _DAMAGED:
        return page
    return replace(page, content=Packed(job.body, job.layers, max_decoded))


def pack_job(job: ParseJob) -> bytes:
    """Return a job without its body, packed."""
    return _PACKER.encode(replace(job, body=b""))


def unpack_job(packed: bytes, body: bytes) -> ParseJob:
    """Return a job that has travelled, with its body."""
    return replace(_JOBS.decode(packed), body=body)


def pack_page(job: ParseJob, page: Page) -> bytes:
    """Return the page of a job, packed, without the bytes that the other side has."""
    content, data = page.content, page.data
    if content is not None and content is job.body:
        page = replace(page, content=Packed(b"", (), 0))
    elif isinstance(content, Packed):
        page = replace(page, content=replace(content, body=b""))
    if data is None:
        return _PACKER.encode((page, None))
    return _PACKER.encode((replace(page, data=None), bytes(data)))


def unpack_page(job: ParseJob, packed: bytes) -> Page:
    """Return a page that has travelled, with its content."""
    page, data = _PAGES.decode(packed)
    content = page.content
    if isinstance(content, Packed):
        page = replace(page, content=replace(content, body=job.body) if content.layers else job.body)
    return page if data is None else replace(page, data=msgspec.Raw(data))
