"""The reader of responses: it decodes the body, reads the document, and returns a `Page`.

Rules
- Decoding comes first and needs nothing of the document, so a document that cannot be read is kept all the same.
- Links are taken from a 2xx, and from a 3xx that does not redirect. An error page links to its server's menu only.
- Headers (X-Robots-Tag, Refresh) count also where the document is not read.
Runs on: a worker process, or the loop of a crawl without workers.
"""

import os
import time

import msgspec
from msgspec import structs
from msgspec.structs import replace

from crawler.core.finds import Finds
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.core.visits import Page
from crawler.http.media_types import media_type
from crawler.parse.decoding import DecodedBody, ParseJob, decode_body, job_of
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read
from crawler.parse.extract import Extractor, load
from crawler.parse.follow import Follow
from crawler.parse.headers import header_directives, refreshes
from crawler.parse.links import Link
from crawler.parse.sniffing import DOCUMENT_TYPES, DocumentKind, is_unreadable, kind_of
from crawler.parse.user_data import check_data_names, user_data


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The work to do with each document; it travels to each worker process once.

    Attributes:
        max_decoded: bytes.
        agent: the product token by which a page may address this robot.
        follow: which links become finds; None = none do.
        extract: `module:function` of the user; where no worker imports it, also the function itself.
        keep: the decoded bytes are wanted.
        times: how often each document is decoded and read: more than once only to make it cost more.
    """

    max_decoded: int
    agent: str = ""
    follow: Follow | None = None
    wants: Wants = Wants()
    extract: str | Extractor | None = None
    keep: bool = False
    times: int = 1


_ALWAYS_READ = frozenset({DocumentKind.HTML, DocumentKind.XHTML, DocumentKind.XML, DocumentKind.GZIP})
_FORBIDDING = frozenset({"noindex", "nofollow", "none", "noarchive", "nosnippet", "noimageindex"})


class PageReader:
    """A reader of documents that does its task with each.

    Raises:
        UsageError: the function to extract with does not exist, or two parts of the data have one name.
    """

    def __init__(self, task: Task) -> None:
        check_data_names(task.wants)
        self.task = task
        self._extractor = load(task.extract) if isinstance(task.extract, str) else task.extract

    def read(self, job: ParseJob) -> Page:
        """Return the page of a job, decoded and read."""
        started = time.monotonic()
        for _ in range(self.task.times):
            page = self.read_decoded(job, decode_body(job, self.task.max_decoded))
        return _timed(page, started)

    def read_response(self, response: Response) -> Page:
        """Return the page of a response, decoded and read."""
        return self.read(job_of(response))

    def decode_only(self, job: ParseJob) -> Page:
        """Return the page of a job, decoded and not read."""
        started = time.monotonic()
        return _timed(self.unread(job, decode_body(job, self.task.max_decoded)), started)

    def unread(self, job: ParseJob, decoded: DecodedBody) -> Page:
        """Return the page of a document that is not read, with its headers and the reason why links may be missing."""
        page = bare_page(job, decoded, self.task)
        if job.refreshes:
            page = replace(page, finds=self._finds(job, _refreshed(job, Reading()).links, _directives(job, self.task)))
        if page.problem or job.redirects:
            return page
        if job.request.way.sitemap:
            return structs.replace(page, problem=Reason.NOT_A_SITEMAP)
        if _is_success(job) and is_unreadable(page.content_type, decoded.content, assets=self.task.wants.assets):
            return structs.replace(page, problem=Reason.DECODE_ERROR)
        return page

    def read_decoded(self, job: ParseJob, decoded: DecodedBody) -> Page:
        """Return the page of a decoded document."""
        if job.redirects:
            return bare_page(job, decoded, self.task)
        if decoded.is_opaque or not self._is_read(job, kind := _kind(job, decoded.content)):
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
        data = user_data(job, decoded.content, reading, self._extractor)
        problem = decoded.problem or data.problem or _problem(job, reading)
        error = data.error
        if not problem and job.request.way.sitemap and (error := _bad_entries(reading)):
            problem = Reason.BAD_ENTRIES
        content_type, charset = media_type(job.content_type)
        robots = _directives(job, self.task, reading)
        return Page(
            size=len(decoded.content),
            sha256=decoded.sha256,
            content_type=content_type,
            charset=reading.charset or charset,
            title=reading.title,
            links=len({link.url.href for link in reading.links or ()}) if can_link else None,
            finds=self._finds(job, reading.links, robots),
            robots=_forbidding(robots),
            bad_links=reading.bad_examples if self._follows(job) else (),
            data=data.encoded,
            content=decoded.content if self.task.keep else None,
            problem=problem,
            error=error,
        )

    def _is_read(self, job: ParseJob, kind: DocumentKind) -> bool:
        """Return whether a document of this kind has anything that this task wants."""
        wants_text = job.request.way.sitemap or self.task.wants.text or self._extractor is not None
        is_sheet = kind is DocumentKind.CSS and self.task.wants.assets
        return kind in _ALWAYS_READ or is_sheet or (kind in {DocumentKind.TEXT, DocumentKind.CSS} and wants_text)

    def _follows(self, job: ParseJob) -> bool:
        follow = self.task.follow
        return follow is not None and follow.heeds(job.request) and _is_success(job)

    def _finds(self, job: ParseJob, links: tuple[Link, ...] | None, robots: frozenset[str]) -> Finds:
        if self.task.follow is None or not links or not self._follows(job):
            return Finds()
        return self.task.follow.finds(links, job.request, robots)


def bare_page(job: ParseJob, decoded: DecodedBody, task: Task) -> Page:
    """Return the page of a decoded document that is not read."""
    content_type, charset = media_type(job.content_type)
    return Page(
        size=len(decoded.content),
        sha256=decoded.sha256,
        content_type=content_type,
        charset=charset,
        robots=_forbidding(_directives(job, task)),
        content=decoded.content if task.keep else None,
        problem=decoded.problem,
    )


def is_document(job: ParseJob) -> bool:
    """Return whether a body may be read; a coded body may, since its bytes cannot be looked at yet."""
    if job.redirects:
        return False
    if job.layers or job.refreshes or job.request.way.sitemap:
        return True
    essence, _ = media_type(job.content_type)
    return essence in DOCUMENT_TYPES or kind_of(essence, job.body) is not DocumentKind.OTHER


def _timed(page: Page, started: float) -> Page:
    return structs.replace(page, seconds=time.monotonic() - started, read_at=started, worker=os.getpid())


def _is_success(job: ParseJob) -> bool:
    """Return whether the links of a page count: it is a 2xx, or a 3xx that does not redirect."""
    return 200 <= job.status < 400 and not job.redirects


def _kind(job: ParseJob, content: bytes) -> DocumentKind:
    return kind_of(media_type(job.content_type)[0], content, is_sitemap=job.request.way.sitemap)


def _problem(job: ParseJob, reading: Reading) -> Reason | None:
    """Return the reason for which a document was not read in full.

    An error page lacks nothing, since its links do not count, unless a sitemap should be there.
    """
    if not _is_success(job) and job.request.way.sitemap:
        return Reason.NOT_A_SITEMAP
    if reading.problem is Reason.XML_ERROR and not _is_success(job):
        return None
    return reading.problem or (Reason.LINK_LIMIT if reading.links_cut else None)


def _bad_entries(reading: Reading) -> str | None:
    """Return a sentence about the entries of a sitemap that were not taken; None = all of them were."""
    bad, ignored = reading.bad_links, reading.ignored_links
    example = f", such as '{safe(reading.bad_examples[0].text)}'" if reading.bad_examples else ""
    told = [f"{bad:,} of its entries {'is' if bad == 1 else 'are'} no URL{example}"] if bad else []
    if ignored:
        told.append(f"{ignored:,} of its entries {'has' if ignored == 1 else 'have'} a scheme that is not fetched")
    return "; ".join(told) or None


def _refreshed(job: ParseJob, reading: Reading) -> Reading:
    """Return the reading with the targets of the Refresh headers, as if the document held them."""
    references = refreshes(job.refreshes, job.request.url)
    links = tuple(dict.fromkeys((*(reading.links or ()), *references.links)))
    return replace(reading, links=links, bad_examples=(*reading.bad_examples, *references.examples))


def _directives(job: ParseJob, task: Task, reading: Reading | None = None) -> frozenset[str]:
    """Return the directives of header and document that are meant for this robot."""
    told = reading.robots if reading else frozenset()
    return header_directives(job.robots, task.agent) | told if job.robots else told


def _forbidding(directives: frozenset[str]) -> tuple[str, ...] | None:
    """Return the directives that forbid something; a page may hold any number of others."""
    return tuple(sorted(directives & _FORBIDDING)) or None
