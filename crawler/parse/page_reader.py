"""A response becomes a page: decoded first, then read.

Rules
- Sealing (content codings off, size, digest) comes first and needs nothing of the document, so that a document which
  cannot be read is kept all the same.
- Links are taken from 2xx and such 3xx; what an error page points at is its server's menu.
Runs on: a worker process, or the loop of whoever has none.
"""

import os
import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from crawler.core.errors import ParseError, UsageError
from crawler.core.finds import Finds
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.core.visits import Page
from crawler.http.media_types import media_type
from crawler.parse.decoding import DecodedBody, ParseJob, decode_body, job_of
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read
from crawler.parse.extract import Extractor, PageSource, check_size, extract, load
from crawler.parse.follow import Follow
from crawler.parse.headers import header_directives, refreshes
from crawler.parse.sniffing import DocumentKind, is_unreadable, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is done with each document; travels to worker processes once.

    Attributes:
        max_decoded: bytes.
        agent: the product token by which a page may address this robot.
        follow: which links become finds; None = none do.
        extract: `module:function` of the user.
        keep: whether the decoded bytes are wanted.
        times: how often each document is decoded and read: more than once only to make it cost more.
    """

    max_decoded: int
    agent: str = ""
    follow: Follow | None = None
    wants: Wants = field(default_factory=Wants)
    extract: str | None = None
    keep: bool = False
    times: int = 1


_READ = frozenset({DocumentKind.HTML, DocumentKind.XHTML, DocumentKind.XML, DocumentKind.GZIP})


class PageReader:
    """Reads documents as its task says.

    Raises:
        UsageError: there is no such function to extract with, or two parts of the data would have one name.
    """

    def __init__(self, task: Task) -> None:
        _check_names(task.wants)
        self.task = task
        self._extractor: Extractor | None = load(task.extract) if task.extract else None

    def read(self, job: ParseJob) -> Page:
        """The page, with all that it tells."""
        started = time.monotonic()
        for _ in range(self.task.times):
            page = self.read_decoded(job, decode_body(job, self.task.max_decoded))
        return _timed(page, started)

    def read_response(self, response: Response) -> Page:
        """The page of a response, whatever it is."""
        return self.read(job_of(response))

    def decode_only(self, job: ParseJob) -> Page:
        """The page, decoded and not read."""
        started = time.monotonic()
        return _timed(self.unread(job, decode_body(job, self.task.max_decoded)), started)

    def unread(self, job: ParseJob, decoded: DecodedBody) -> Page:
        """The page of a decoded document that is not read; its headers count all the same."""
        page = bare_page(job, decoded, self.task)
        if job.refreshes:
            page = replace(page, finds=self._finds(job, _refreshed(job, Reading())))
        if not page.problem and (problem := self._unread_for(job, decoded, page)):
            return replace(page, problem=problem)
        return page

    def _unread_for(self, job: ParseJob, decoded: DecodedBody, page: Page) -> Reason | None:
        """Return why something is lost of a document that is not read; None = it has no links by its kind."""
        if job.redirects:
            return None
        if job.request.way.sitemap:
            return Reason.NOT_A_SITEMAP
        is_lost = _is_success(job) and is_unreadable(page.content_type, decoded.content, assets=self.task.wants.assets)
        return Reason.DECODE_ERROR if is_lost else None

    def read_decoded(self, job: ParseJob, decoded: DecodedBody) -> Page:
        """The page of a decoded document."""
        page = bare_page(job, decoded, self.task)
        if job.redirects:
            return page
        if decoded.is_opaque:
            return self.unread(job, decoded)
        kind = _kind(job, decoded.content)
        if not self._is_read(job, kind):
            return self.unread(job, decoded)
        document = Document(
            url=job.request.url,
            body=decoded.content,
            content_type=job.content_type,
            sitemap=job.request.way.sitemap,
        )
        reading = read(document, self.task.wants, agent=self.task.agent, kind=kind)
        can_link = reading.links is not None
        if job.refreshes:
            reading = _refreshed(job, reading)
        data = self._data(job, decoded.content, reading)
        problem = decoded.problem or data.problem or _problem(job, reading)
        error = data.error
        if not problem and job.request.way.sitemap and (error := _bad_entries(reading)):
            problem = Reason.BAD_ENTRIES
        return replace(
            page,
            charset=reading.charset or page.charset,
            title=reading.title,
            links=len({link.url for link in reading.links or ()}) if can_link else None,
            finds=self._finds(job, reading),
            robots=_concerning(_directives(job, self.task, reading)),
            bad_links=reading.bad_examples if self._follows(job) else (),
            data=data.encoded,
            problem=problem,
            error=error,
        )

    def _is_read(self, job: ParseJob, kind: DocumentKind) -> bool:
        wants_text = job.request.way.sitemap or self.task.wants.text or self._extractor is not None
        is_sheet = kind is DocumentKind.CSS and self.task.wants.assets
        return kind in _READ or is_sheet or (kind in {DocumentKind.TEXT, DocumentKind.CSS} and wants_text)

    def _follows(self, job: ParseJob) -> bool:
        follow = self.task.follow
        return follow is not None and follow.heeds(job.request) and _is_success(job)

    def _finds(self, job: ParseJob, reading: Reading) -> Finds:
        if self.task.follow is None or not reading.links or not self._follows(job):
            return Finds()
        return Finds.of(self.task.follow.finds(reading.links, job.request, _directives(job, self.task, reading)))

    def _data(self, job: ParseJob, content: bytes, reading: Reading) -> "_UserData":
        data = dict(reading.data or {})
        if reading.text is not None:
            data["text"] = reading.text
        problem, error = Reason.DATA_LIMIT if reading.data_cut else None, None
        if self._extractor is not None:
            try:
                data |= extract(self._extractor, _source(job, content, reading)) or {}
            except ParseError as failure:
                problem, error = failure.reason, str(failure)
        if not data:
            return _UserData(None, problem, error)
        try:
            check_size(encoded := msgspec.json.encode(data))
        except ParseError as failure:
            return _UserData(None, failure.reason, str(failure))
        return _UserData(msgspec.Raw(encoded), problem, error)


def _timed(page: Page, started: float) -> Page:
    return replace(page, seconds=time.monotonic() - started, read_at=started, worker=os.getpid())


def _is_success(job: ParseJob) -> bool:
    """Return whether it is a page to go on from: 2xx, or a 3xx that leads nowhere else."""
    return 200 <= job.status < 400 and not job.redirects


def _problem(job: ParseJob, reading: Reading) -> Reason | None:
    """Return the reason for which a document was not read in full.

    An error page leads nowhere, so it lacks nothing, unless a sitemap should be there.
    """
    if not _is_success(job) and job.request.way.sitemap:
        return Reason.NOT_A_SITEMAP
    if reading.problem is Reason.XML_ERROR and not _is_success(job):
        return None
    return reading.problem or (Reason.LINK_LIMIT if reading.links_cut else None)


def _bad_entries(reading: Reading) -> str | None:
    """Tell which entries of a sitemap were not taken; None = all of them were."""
    bad, ignored = reading.bad_links, reading.ignored_links
    example = f", such as '{safe(reading.bad_examples[0].text)}'" if reading.bad_examples else ""
    told = [f"{bad:,} of its entries {'is' if bad == 1 else 'are'} no URL{example}"] if bad else []
    if ignored:
        told.append(f"{ignored:,} of its entries {'has' if ignored == 1 else 'have'} a scheme that is not fetched")
    return "; ".join(told) or None


class _UserData(NamedTuple):
    """What the user asked a page for, and why some of it is missing."""

    encoded: msgspec.Raw | None
    problem: Reason | None
    error: str | None


def _check_names(wants: Wants) -> None:
    names = [name for name, _ in wants.selectors] + ["text"] * wants.text
    for name in names:
        if names.count(name) > 1:
            by = " (--text is one of them)" if wants.text and name == "text" else ""
            raise UsageError(f"--select: two parts of the data would have the name {name!r}{by}: give one another name")


def bare_page(job: ParseJob, decoded: DecodedBody, task: Task) -> Page:
    """The page of a decoded document that is not read."""
    content_type, charset = media_type(job.content_type)
    return Page(
        size=len(decoded.content),
        sha256=decoded.sha256,
        content_type=content_type,
        charset=charset,
        robots=_concerning(_directives(job, task)),
        content=decoded.content if task.keep else None,
        problem=decoded.problem,
    )


def _refreshed(job: ParseJob, reading: Reading) -> Reading:
    """The reading with what the Refresh headers lead to, as if the document said it."""
    references = refreshes(job.refreshes, job.request.url)
    links = tuple(dict.fromkeys((*(reading.links or ()), *references.links)))
    return replace(reading, links=links, bad_examples=(*reading.bad_examples, *references.examples))


def _directives(job: ParseJob, task: Task, reading: Reading | None = None) -> frozenset[str]:
    """Return the directives of header and document that are meant for this robot."""
    return header_directives(job.robots, task.agent) | (reading.robots if reading else frozenset())


def is_document(job: ParseJob) -> bool:
    """Whether a body may be one that is read: the bytes of a coded one cannot be looked at yet."""
    if job.redirects:
        return False
    if job.layers or job.refreshes or job.request.way.sitemap or _kind(job, job.body) is not DocumentKind.OTHER:
        return True
    return is_unreadable(media_type(job.content_type)[0], job.body, assets=True)


def _kind(job: ParseJob, content: bytes) -> DocumentKind:
    return kind_of(media_type(job.content_type)[0], content, is_sitemap=job.request.way.sitemap)


def _source(job: ParseJob, content: bytes, reading: Reading) -> PageSource:
    return PageSource(
        url=job.request.url.href,
        status=job.status,
        content_type=job.content_type,
        content=content,
        encoding=reading.charset,
        title=reading.title,
        links=tuple(dict.fromkeys(link.url.href for link in reading.links or ())),
    )


def _concerning(directives: frozenset[str]) -> tuple[str, ...] | None:
    """Those of them that forbid something; a page may hold any number of others."""
    return tuple(sorted(directives & _FORBIDDING)) or None


_FORBIDDING = frozenset({"noindex", "nofollow", "none", "noarchive", "nosnippet", "noimageindex"})
