"""The body of a response is decoded: content codings are removed, size and digest are taken.

Rules
- A redirect's body is never decoded: nothing reads it, and a decompression bomb in it would cost as much as a page. A
  3xx that does not redirect is a page.
- Of a body whose coding is damaged, the part that could be decoded is the content, and `problem` names the damage. A
  body that decodes to more than the limit keeps its raw bytes.
- Bytes under an unknown coding are the content as they are. Where the media type promises text and the bytes are
  binary, they count as compressed: `problem` says so, and they are not read.
Runs on: a worker process, or the loop of a crawl without workers.
"""

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, codings, decode_steps, is_unknown, salvaged
from crawler.http.redirects import is_redirect
from crawler.parse.sniffing import is_compressed


class ParseJob(msgspec.Struct, frozen=True, array_like=True):
    """One response as it travels to a worker, with the facts that reading needs and no others."""

    request: Request
    status: int
    content_type: str | None
    coding: str
    robots: tuple[str, ...]
    body: bytes
    redirects: bool = False
    refreshes: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The content codings to be removed."""
        return codings(self.coding) if self.coding and not self.redirects else ()


def job_of(response: Response) -> ParseJob:
    """Return the job of reading this response."""
    request = response.request
    return ParseJob(
        replace(request, headers=(), body=None) if request.headers or request.body else request,
        response.status,
        response.header_list("content-type") or None,
        response.codings,
        tuple(response.header_values("x-robots-tag")),
        response.body,
        is_redirect(response),
        tuple(response.header_values("refresh")),
    )


class DecodedBody(msgspec.Struct, frozen=True):
    """A body without its content codings, or as received where they could not be removed.

    Attributes:
        problem: why a part of the body is missing, or cannot be read; None = it is whole.
        is_opaque: nothing in it can be read.
    """

    content: bytes
    sha256: str
    problem: Reason | None = None
    is_opaque: bool = False


def decode_body(job: ParseJob, max_decoded: int) -> DecodedBody:
    """Decode and digest in one go."""
    *_, decoded = decode_body_steps(job, max_decoded)
    assert decoded is not None  # noqa: S101 - the last step is the decoded body
    return decoded


def decode_body_steps(job: ParseJob, max_decoded: int) -> Iterator[DecodedBody | None]:
    """Decode and digest in steps of at most 256 KiB: yield None after each, and the decoded body at last."""
    if not job.layers:
        yield _whole(job, job.body, hashlib.sha256(job.body).hexdigest())
        return
    taken, digest = BodyBuffer(), hashlib.sha256()
    try:
        for piece in decode_steps(job.body, job.layers, max_decoded):
            digest.update(piece)
            taken.add(piece)
            yield None
    except DecodeProblem as damage:
        is_limit = damage.reason is not Reason.DECODE_ERROR
        content = job.body if is_limit else salvaged(job.body, (taken.whole(),))
        is_opaque = is_limit or (content is job.body and _is_compressed(job, content))
        yield DecodedBody(content, hashlib.sha256(content).hexdigest(), damage.reason, is_opaque)
    else:
        yield _whole(job, taken.whole(), digest.hexdigest())


def _whole(job: ParseJob, content: bytes, sha256: str) -> DecodedBody:
    is_opaque = bool(job.coding) and is_unknown(job.coding) and not job.redirects and _is_compressed(job, content)
    return DecodedBody(content, sha256, Reason.DECODE_ERROR if is_opaque else None, is_opaque)


def _is_compressed(job: ParseJob, content: bytes) -> bool:
    return is_compressed(job.content_type, content, is_sitemap=job.request.way.sitemap)
