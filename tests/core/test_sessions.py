"""core.sessions: what of a URL is a session id, and when its document shows that it is content."""

import pytest

from crawler.core.models import Find
from crawler.core.sessions import Document, InSession, in_session
from crawler.core.urls import Host, parse

DRAWN = [
    "sid=0f3c9a7e55d1",
    "sid=aa11bb22",
    "sid=99AA99AA99AA99AA",
    "sess=0123456789abcdef",
    "session=6f1c2a34-aaaa-4bbb-8ccc-1234567890ab",
    "session=00000000-0000-4000-8000-000000000000",
    "session_id=k3v1q9zz07ab5c2d",
    "session-id=Zk3v1Q-9zz07ab5c2d_x",
    "sessionid=01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "sessid=u8k2m4n6p0r2s4t6v8x0z2b4d6",
    "s=0123456789abcdef0123456789abcdef",
]
WRITTEN = [
    "session=day-3-how-we-scaled",
    "session=windows-11-update-error",
    "session=covid19-vaccination-update",
    "session=h264-vs-h265-vs-av1",
    "session=k8s-and-i18n-for-b2b-2024",
    "session=2024-11-05T09-30-00-keynote",
    "session=20241105T093000Z",
    "session=2024110509300012",
    "session=windows11-update-error",
    "sid=1234567ab",
    "session=release-v1-2-3-rc2",
    "session=v10_0_19045_build_2364",
    "session=web3-2024q3-results-call",
    "session_id=4711",
    "sid=USW00094846",
    "sid=19/05/12/1234567",
    "sid=20241105b",
    "sid=deadbeef",
    "sid=12345678",
    "sid=1.2.3",
    "sid=",
    "s=windows-11-update-error",
    "s=0123456789abcdef",
    "s=6f1c2a34-aaaa-4bbb-8ccc-1234567890ab",
    "s=iphone15promax256gb",
    "q=0123456789abcdef0123456789abcdef",
    "this=0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("pair", DRAWN)
def test_a_drawn_value_is_an_id(pair: str) -> None:
    """Hexadecimal digits, UUIDs, and long runs in which letters and digits take turns."""
    assert in_session(f"/a?x=1&{pair}&y") == InSession("/a?x=1&&y", (pair.partition("=")[2],))


@pytest.mark.parametrize("pair", WRITTEN)
def test_what_a_person_writes_is_none(pair: str) -> None:
    """Words, slugs, dates, versions, plain numbers and searches are content."""
    assert in_session(f"/a?x=1&{pair}&y") is None


@pytest.mark.parametrize(
    "target", ["/a;jsessionid=1?q", "/a?PHPSESSID=x", "/a?CFID=1&CFTOKEN=2", "/(S(abc))/a.aspx", "/a?zenid="]
)
def test_a_frameworks_name_says_enough(target: str) -> None:
    """Any value is a session, and no document makes content of it."""
    found = in_session(target)

    assert found is not None
    assert found.values == ()


def document(url: str, *links: str) -> Document:
    """A document with these links."""
    return Document(parse(url), tuple(Find(url=parse(link)) for link in links))


ONE, TWO, THREE = "0f3c9a7e55d10000", "aa11bb22cc33dd44", "99aa99aa99aa99aa"
HOST = Host("h:80")


def test_two_values_side_by_side_are_two_pages() -> None:
    """The same rest of a URL of the same host, under values that differ."""
    found = document(
        "http://h/",
        f"http://h/talk?sid={ONE}",
        f"http://h/talk?sid={TWO}",
        f"http://h/about?sid={ONE}",
        f"http://h/news?sid={ONE}",
        f"http://other/news?sid={TWO}",
        f"http://h/shop?PHPSESSID={ONE}",
        f"http://h/shop?PHPSESSID={TWO}",
        f"http://h/cart?PHPSESSID={ONE}&sid={ONE}",
        f"http://h/cart?PHPSESSID={TWO}&sid={TWO}",
    )

    assert found.tells_apart(HOST, "/talk?")
    for page in ("/about?", "/news?", "/shop?", "/cart?&", "/cart?"):
        assert not found.tells_apart(HOST, page)


def test_a_page_that_links_to_itself_under_an_old_session_shows_nothing() -> None:
    """A user's old link and the present session make two, in every answer anew; three are content."""
    two = document(f"http://h/t?sid={THREE}", f"http://h/t?sid={ONE}", f"http://h/t?sid={TWO}")
    three = document("http://h/t?sid=1a2b3c4d5e6f7a8b", *(f"http://h/t?sid={sid}" for sid in (ONE, TWO, THREE)))

    assert not two.tells_apart(HOST, "/t?")
    assert three.tells_apart(HOST, "/t?")
