"""The Refresh header does what its meta element does (HTML, "create and initialize a Document object")."""

import gzip

import pytest
from msgspec.structs import replace

from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.parse.decoding import job_of
from crawler.parse.follow import follow_lists
from crawler.parse.page_reader import PageReader, is_document
from support.pages import CRAWL, found, read
from support.ways import a_find, a_request

TO_NEW = b"0; url=/new"


def answer(
    body: bytes = b"", *refreshes: bytes, status: int = 200, content_type: str | None = "text/html", robots: str = ""
) -> Response:
    """A response of `http://h/a` with these Refresh headers."""
    headers = [(b"Refresh", value) for value in refreshes] + [(b"X-Robots-Tag", robots.encode())]
    if content_type is not None:
        headers.append((b"Content-Type", content_type.encode()))
    request = a_request("http://h/a", depth=3)
    return Response(request=request, status=status, headers=tuple(headers), body=body)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (b"0; url=/new", "/new"),
        (b"5", None),
        (b"0;URL='new' x", "/new"),
        (b"0, new", "/new"),
        (b"x; url=/new", None),
        ("0; url=/jos\u00e9/".encode(), "/jos%C3%A9/"),
        (b"0; url=/jos\xe9/", "/jos%E9/"),  # no UTF-8: the bytes stay
        (b"0; url=/citt\xc3\xa0", "/citt%C3%A0"),  # the last byte would be white space in latin-1
        (b"0; url=/\xc3\x85\xc2\x85 \t", "/%C3%85%C2%85"),
    ],
)
def test_its_value_is_read_like_a_meta_element_s(value: bytes, target: str | None) -> None:
    """HTML, "shared declarative refresh steps"."""
    assert found(read(answer(b"", value))) == ({target: None} if target else {})


@pytest.mark.parametrize(
    ("response", "links"),
    [
        (answer(b"", TO_NEW), 1),
        (answer(b"", TO_NEW, content_type=None), None),
        (answer(b"text", TO_NEW, content_type="text/plain"), None),
        (answer(b"\x89PNG\r\n\x1a\n\0", TO_NEW, content_type="image/png"), None),
        (answer(gzip.compress(b"x"), TO_NEW, content_type="application/gzip"), None),
        (answer(b"<base href=//other/>", TO_NEW), 1),  # the header stands in no document, so no base is its base
        (answer(b"", TO_NEW, status=204), 1),
    ],
)
def test_it_leads_on_from_anything(response: Response, links: int | None) -> None:
    """Return whether there is a document to be read or not; it is a hop, as a meta refresh is."""
    page = read(response)

    assert is_document(job_of(response))
    assert tuple(page.finds) == (a_find("http://h/new", depth=3, hops=1, chain=1),)
    assert page.links == links


def test_it_leads_on_from_what_cannot_be_read() -> None:
    """A damaged body, and a document of which a worker died: the headers are whole."""
    response = answer(b"damaged", TO_NEW)
    damaged = replace(response, headers=(*response.headers, (b"Content-Encoding", b"gzip")))

    assert found(read(damaged)) == {"/new": None}
    assert found(PageReader(CRAWL).decode_only(job_of(response))) == {"/new": None}


@pytest.mark.parametrize("status", [404, 500])
def test_it_counts_on_success_alone(status: int) -> None:
    """A meta refresh does the same."""
    assert found(read(answer(b"", TO_NEW, status=status))) == {}


def test_header_and_meta_element_both_count() -> None:
    """Each leads a browser on; what robots are asked holds for both."""
    body = b"<meta http-equiv=refresh content='0;/meta'>"

    assert found(read(answer(body, TO_NEW))) == {"/meta": None, "/new": None}
    assert set(found(read(answer(body, TO_NEW, robots="nofollow"))).values()) == {Reason.NOFOLLOW}
    assert found(read(answer(b"", TO_NEW), replace(CRAWL, follow=follow_lists(obey=True)))) == {}


def test_of_many_the_first_count() -> None:
    """A target that is no URL is a bad link of its page."""
    many = read(answer(b"", *(b"0; /%d" % at for at in range(1000))))

    assert len(many.finds) == 10
    assert [bad.text for bad in read(answer(b"", b"0; http://[")).bad_links] == ["http://["]
