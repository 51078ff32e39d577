"""The content of a page that is kept: its trip from a worker process, and its wait for the commit.

Rules
- Bytes that both sides have do not travel: content that is the body comes back without it.
- Large content that had content codings waits as it was received; the sink decodes it once more. The received body is
  part of the byte budget from its first byte on, and decoded it could be many times as large.
- The decoded part of a damaged body waits as it is.
Runs on: a worker process, or the loop.
"""

from msgspec.structs import replace

from crawler.core.reasons import Reason
from crawler.core.visits import Packed, Page
from crawler.parse.decoding import ParseJob

_LARGE = 128 * 1024
_DAMAGED = frozenset({Reason.DECODE_ERROR, Reason.DECODED_LIMIT})


def compact(job: ParseJob, page: Page, max_decoded: int) -> Page:
    """Return the page as it waits for its commit."""
    content = page.content
    if not job.layers or content is None or len(content) < _LARGE or page.problem in _DAMAGED:
        return page
    return replace(page, content=Packed(job.body, job.layers, max_decoded))


def without_body(job: ParseJob, page: Page) -> Page:
    """Return the page as it travels to the process that holds the body."""
    content = page.content
    if content is not None and content is job.body:
        return replace(page, content=Packed(b"", (), 0))
    return replace(page, content=replace(content, body=b"")) if isinstance(content, Packed) else page


def with_body(job: ParseJob, page: Page) -> Page:
    """Return a page that has travelled, with its content."""
    content = page.content
    if not isinstance(content, Packed):
        return page
    return replace(page, content=replace(content, body=job.body) if content.layers else job.body)
