"""The kinds of documents, by media type and by first bytes."""

import pytest

from crawler.parse.sniffing import DocumentKind, kind_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"

KINDS = [
    ("text/html", b"", DocumentKind.HTML),
    ("text/html", b"plain text", DocumentKind.HTML),
    ("text/html", b"<?xml version='1.0'?><html>", DocumentKind.HTML),
    ("text/html", b"<?xml version='1.0'?><rss>", DocumentKind.XML),
    ("text/html", b"\xef\xbb\xbf<feed xmlns='x'>", DocumentKind.XML),
    ("text/html", b"<!-- <rss> --><html>", DocumentKind.HTML),
    ("text/html", b"<rss-reader>", DocumentKind.HTML),
    ("text/html", PNG, DocumentKind.OTHER),  # an image that says it is a page
    ("text/html", b"\0\0\0\x18ftypmp42", DocumentKind.OTHER),
    ("text/html", b"RIFF\x10\0\0\0WEBP", DocumentKind.OTHER),
    ("text/html", b"RIFFS: a page about music", DocumentKind.HTML),
    ("text/html", b"\x1f\x8b\x08\0\0", DocumentKind.OTHER),
    ("application/xhtml+xml", b"<html>", DocumentKind.XHTML),
    ("text/xml", b"<html>", DocumentKind.XML),
    ("image/svg+xml", b"<svg>", DocumentKind.XML),
    ("application/atom+xml", b"<feed>", DocumentKind.XML),
    ("application/gzip", b"", DocumentKind.GZIP),
    ("text/css", b"<html>", DocumentKind.CSS),
    ("application/json", b"{}", DocumentKind.TEXT),
    ("application/ld+json", b"{}", DocumentKind.TEXT),
    ("image/png", b"<html>", DocumentKind.OTHER),  # what says it is something is believed
    ("application/pdf", b"<html>", DocumentKind.OTHER),
    ("video/mp4", b"", DocumentKind.OTHER),
    # text/plain is text or binary, and never a page or a feed (MIME Sniffing, 7.2)
    *(
        ("text/plain", body, kind)
        for body, kind in (
            (b"", DocumentKind.TEXT),
            (b"<!DOCTYPE html><a href=x>", DocumentKind.TEXT),
            (b"\xef\xbb\xbf<html>", DocumentKind.TEXT),
            (b"\xff\xfe" + "<html>".encode("utf-16le"), DocumentKind.TEXT),
            (b"<?xml version='1.0'?><rss>", DocumentKind.TEXT),
            (b"<urlset>", DocumentKind.TEXT),
            (b"\x1f\x8b\x08", DocumentKind.OTHER),
            (b"text\0", DocumentKind.OTHER),
            (PNG, DocumentKind.OTHER),
        )
    ),
    # where the media type says nothing, the bytes decide
    *(
        (silent, body, kind)
        for silent in (None, "", "application/octet-stream", "html", "text/html, text/html", "*/*", "/")
        for body, kind in (
            (b"", DocumentKind.TEXT),
            (b"plain text", DocumentKind.TEXT),
            (b"1 < 2", DocumentKind.TEXT),
            (b"<nosuchtag>", DocumentKind.TEXT),
            (b" \r\n<!DocType HTML>", DocumentKind.HTML),
            (b"\xef\xbb\xbf<html>", DocumentKind.HTML),
            (b"\xff\xfe" + "<html>".encode("utf-16le"), DocumentKind.HTML),
            (b"<p>", DocumentKind.HTML),
            (b"<pre>", DocumentKind.TEXT),
            (b"<!--", DocumentKind.HTML),
            (b"<?xml version='1.0'?><x/>", DocumentKind.XML),
            (b"<urlset>", DocumentKind.XML),
            (b"<rdf:RDF xmlns:rdf='x'>", DocumentKind.XML),
            (b"%PDF-1.7", DocumentKind.OTHER),
            (b"\x1f\x8b\x08", DocumentKind.GZIP),
            (PNG, DocumentKind.OTHER),
            (b"text\0", DocumentKind.OTHER),
            (b"\x7fELF", DocumentKind.OTHER),
            (b"x" * 2000 + b"\0", DocumentKind.TEXT),  # so far nobody looks
        )
    ),
]


@pytest.mark.parametrize(("essence", "body", "kind"), KINDS)
def test_the_media_type_decides_and_else_the_bytes(essence: str | None, body: bytes, kind: DocumentKind) -> None:
    """MIME Sniffing standard."""
    assert kind_of(essence, body) is kind
