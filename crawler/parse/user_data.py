"""The data that a user asks a page for: the text, what the selectors give, and what the user's own function gives.

Rules
- All parts together are one JSON object, and no two parts have one name.
- Data that fails or is too large costs the page its data, and a reason says why.
Runs on: a worker process, or the loop of a crawl without workers.
"""

from typing import NamedTuple

import msgspec

from crawler.core.errors import ParseError, UsageError
from crawler.core.reasons import Reason
from crawler.parse.decoding import ParseJob
from crawler.parse.document import Reading, Wants
from crawler.parse.extract import Extractor, PageSource, check_size, extract


class UserData(NamedTuple):
    """The data of a page as JSON, and why some of it is missing; None = there is none, or nothing is missing."""

    encoded: msgspec.Raw | None
    problem: Reason | None
    error: str | None


def user_data(job: ParseJob, content: bytes, reading: Reading, extractor: Extractor | None) -> UserData:
    """Return the data of a document that was read."""
    data = dict(reading.data or {})
    if reading.text is not None:
        data["text"] = reading.text
    problem, error = Reason.DATA_LIMIT if reading.data_cut else None, None
    if extractor is not None:
        source = PageSource(
            url=job.request.url.href,
            status=job.status,
            content_type=job.content_type,
            content=content,
            encoding=reading.charset,
            title=reading.title,
            links=tuple(dict.fromkeys(link.url.href for link in reading.links or ())),
        )
        try:
            data |= extract(extractor, source) or {}
        except ParseError as failure:
            problem, error = failure.reason, str(failure)
    if not data:
        return UserData(None, problem, error)
    try:
        check_size(encoded := msgspec.json.encode(data))
    except ParseError as failure:
        return UserData(None, failure.reason, str(failure))
    return UserData(msgspec.Raw(encoded), problem, error)


def check_data_names(wants: Wants) -> None:
    """Refuse two parts of the data that have one name.

    Raises:
        UsageError: two parts have one name.
    """
    names = [name for name, _ in wants.selectors] + ["text"] * wants.text
    for name in names:
        if names.count(name) > 1:
            by = " (--text is one of them)" if wants.text and name == "text" else ""
            raise UsageError(f"--select: two parts of the data would have the name {name!r}{by}: give one another name")
