"""Words for reasons, moments and counts in the sentences of `crawler why`.

Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from crawler.core import traps
from crawler.core.frontier_reports import StoredUrl
from crawler.core.reasons import Reason
from crawler.core.run_names import is_database, quoted_run
from crawler.core.text import counted

SHAPES = {
    Reason.TRAP_URL_LENGTH: f"it has more than {traps.MOST_CHARACTERS:,} characters",
    Reason.TRAP_PATH_DEPTH: f"its path has more than {traps.MOST_SEGMENTS} segments",
    Reason.TRAP_REPEATED_SEGMENTS: f"one segment repeats in its path more than {traps.MOST_REPEATS} times",
    Reason.TRAP_QUERY_PARAMETERS: f"its query has more than {traps.MOST_PARAMETERS} parameters with a value",
}
"""Words for the traps that the shape of a URL shows."""

FAMILIES = {
    Reason.TRAP_HOST_SIZE: "URLs of its host",
    Reason.TRAP_SESSION_ID: "sessions of the same page",
    Reason.TRAP_QUERY_VARIANTS: "queries of the same path",
    Reason.TRAP_QUERY_PERMUTATIONS: "orders of the same parameters",
    Reason.TRAP_CALENDAR: "dates in the same place",
}
"""Words for the members that each kind of trap family counts."""

SKIPPED = {
    Reason.ROBOTS_DENIED: "robots.txt forbids it",
    Reason.OUT_OF_SCOPE: "it is outside the scope of the seeds",
    Reason.DEPTH_LIMIT: "it is too far from a seed",
    Reason.HOP_LIMIT: "its redirect chain is too long",
    Reason.SITEMAP_LIMIT: "its chain of sitemap indexes is too long",
    Reason.HTTP_INSTEAD: "its line has no scheme; https got no answer, and http was requested instead",
    Reason.NOFOLLOW: "the page that links to it says nofollow",
    Reason.EXCLUDED: "a pattern of --exclude matches it",
    Reason.NOT_INCLUDED: "no pattern of --include matches it",
    **dict.fromkeys((*SHAPES, *FAMILIES), "it looks like a crawler trap"),
}
"""Words for the reasons not to request a URL."""

UNREAD = {
    Reason.BODY_LIMIT: "it is longer than --max-body, and was cut there",
    Reason.DECODED_LIMIT: "it unpacks to more than --max-decoded",
    Reason.DECODE_ERROR: "its content coding is damaged or unknown, or it is binary and should be text",
    Reason.PARSE_TIMEOUT: "reading it took longer than --parse-timeout",
    Reason.PARSE_CRASH: "reading it killed the worker process",
    Reason.PARSE_MEMORY: "reading it took more memory than a worker may have",
    Reason.EXTRACT_ERROR: "the function of --extract raised an error",
    Reason.LINK_LIMIT: "it has more links than the limit",
    Reason.DATA_LIMIT: "it gives more data than the limit",
    Reason.PARTIAL_CONTENT: "the server sent only a part",
    Reason.XML_ERROR: "its XML is not a well-formed feed or sitemap; only a part was read",
    Reason.NOT_A_SITEMAP: "it was listed as a sitemap, but is none",
    Reason.BAD_ENTRIES: "some of its entries are no URLs; the others were read",
}
"""Words for the reasons that a response was not read in full."""

_OF_ALL_LIVES = frozenset({"--max-pages", "--max-pages-per-host", "--max-bytes"})


def resume_command(folder: str, stopped_by: str | None) -> str:
    """Return the command that resumes a run, with a larger budget if a budget of the whole run is spent.

    `folder` may also name a database: one more worker goes on there.
    """
    if is_database(folder):
        return f"crawler join {quoted_run(folder)}"
    budget, _, spent = (stopped_by or "").partition(" ")
    more = f" {budget} N, N above {spent}" if budget in _OF_ALL_LIVES else ""
    return f"crawler resume {quoted_run(folder)}{more}"


def moment(seconds: float) -> str:
    """Return a wall-clock moment as text, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def quoted(patterns: Sequence[str]) -> str:
    """Return patterns as a user would type them."""
    return ", ".join(f"'{pattern}'" for pattern in patterns)


def some(names: Sequence[str], all_of_them: int) -> str:
    """Return the first few names, and the number of the others."""
    more = all_of_them - len(names)
    return f"{', '.join(names)} and {more:,} more" if more else ", ".join(names)


def outcome(row: StoredUrl) -> str:
    """Return the status of a finished URL and its reason."""
    return f"{row.status} ({row.reason})" if row.status is not None else f"{row.reason}"


def tries(count: int) -> str:
    """Return the number of tries in words."""
    return {0: "no try", 1: "one try"}.get(count, f"{count} tries")


def distance(depth: int, hops: int) -> str:
    """Return the distance of a URL from a seed in words."""
    parts = [counted(n, noun) for n, noun in ((depth, "link"), (hops, "redirect")) if n]
    return f"{' and '.join(parts)} from a seed" if parts else "a seed"
