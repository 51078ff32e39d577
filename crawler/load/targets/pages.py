"""Reading of a run's `pages.jsonl`: the pages that a crawl fetched are the targets, its own times theirs.

Rules
- A page is asked for with GET, at the moment at which its last try began.
- A page without an answer is None: it would be a request to a server that was not there.
Runs on: anywhere (pure).
"""

import msgspec

from crawler.load.nanoseconds import MILLISECOND
from crawler.load.targets.line import TargetLine, checked_url, from_json
from crawler.load.targets.moments import moment_of, within


class _Page(msgspec.Struct):
    url: str
    status: int | None = None
    fetched_at: str | None = None
    timing: dict[str, float | None] = {}


_DECODER = msgspec.json.Decoder(_Page)


def parse_page(raw: bytes, number: int) -> TargetLine | None:
    """Return the target of a line, or None for a page without an answer.

    Raises:
        ValueError: the line cannot be read.
    """
    page = from_json(_DECODER, raw)
    if page.status is None:
        return None
    moment = moment_of(page.fetched_at)
    if moment is not None:
        lasted = (page.timing.get("total") or 0.0) + (page.timing.get("parse") or 0.0)
        moment = within(moment - round(min(lasted, 1e15) * MILLISECOND))  # a longer time is none, and may be infinite
    return TargetLine(method="GET", url=checked_url(page.url), moment=moment, number=number)
