"""Documents read as tests need it: at http://h/d/map, with their links as short texts."""

from crawler.core.urls import parse
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read

LINKS_ONLY = Wants()


def reading(
    body: bytes | str,
    content_type: str | None = "application/xml",
    wants: Wants = LINKS_ONLY,
    *,
    sitemap: bool = False,
    at: str = "http://h/d/map",
) -> Reading:
    """Return the reading of such a document."""
    content = body.encode() if isinstance(body, str) else body
    return read(
        Document(url=parse(at), body=content, content_type=content_type, sitemap=sitemap), wants, agent="crawler"
    )


def paths(told: Reading) -> list[str] | None:
    """Return each link without the host h; None = the document can have none."""
    return None if told.links is None else [link.url.href.removeprefix("http://h") for link in told.links]


def links(told: Reading) -> list[str] | None:
    """Return each link as its kind, its URL without the host h, and its nofollow; None = the document can have none."""
    if told.links is None:
        return None
    return [
        f"{link.kind.value} {link.url.href.removeprefix('http://h')}{' nofollow' if link.nofollow else ''}"
        for link in told.links
    ]
