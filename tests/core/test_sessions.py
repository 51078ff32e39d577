"""core.sessions: what of a URL is a session id, and when its document shows that it is content."""

import pytest

from crawler.core.finds import Find
from crawler.core.sessions import InSession, LinkingDocument, in_session
from crawler.core.urls import parse

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
    "target",
    [
        "/a;jsessionid=0A1B?q",
        "/a;jsessionid=123456789",
        "/a?PHPSESSID=x",
        "/a?ci_session=0f3c9a7e55d10000",
        "/a?CFID=1&CFTOKEN=2",
        "/a?cftoken=2&cfid=1",
        "/a?cfid=4f1c2a34",
        "/(S(lit3py55t21z5v55vlm25s55))/a.aspx",
        "/a?zenid=",
    ],
)
def test_a_frameworks_name_says_enough(target: str) -> None:
    """Any value is a session, and no document makes content of it."""
    found = in_session(target)

    assert found is not None
    assert found.values == ()


@pytest.mark.parametrize(
    "target",
    ["/a;jsessionid=1?q", "/a?cfid=12", "/a?cftoken=12345678", "/a?zenid=12&x", "/(S(3))/a", "/chem/(S(abc))/a"],
)
def test_a_small_number_under_such_a_name_is_content(target: str) -> None:
    """A content file has an id of its own, and S is sulfur, too; ColdFusion's two numbers stand together."""
    assert in_session(target) is None


ONE, TWO, THREE = "0f3c9a7e55d10000", "aa11bb22cc33dd44", "99aa99aa99aa99aa"


def shown(url: str, *links: str) -> list[str]:
    """The links of a document that it shows to be in a session."""
    parsed = [parse(link) for link in links]
    document = LinkingDocument(parse(url), tuple(Find(url=link) for link in parsed))
    found = [(link, in_session(link.target)) for link in parsed]
    return [link.href for link, ids in found if ids and ids.values and document.is_in(ids, link.host_port)]


def test_an_id_on_several_pages_of_a_document_is_a_sessions() -> None:
    """Its links carry one id; those to another host are judged by themselves."""
    links = [f"http://h/about?sid={ONE}", f"http://h/news?sid={ONE}", "http://h/imprint"]

    assert shown("http://h/", *links, f"http://other/?sid={ONE}") == links[:2]


def test_links_under_ids_that_all_differ_are_in_a_session_where_the_document_is() -> None:
    """Some sites begin a session with each link."""
    links = [f"http://h/a?sid={ONE}", f"http://h/b?sid={TWO}"]

    assert shown(f"http://h/c?sid={THREE}", *links) == links
    assert shown("http://h/c", *links) == []
    assert shown(f"http://other/c?sid={THREE}", *links) == []


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("http://h/speaker/1", [f"http://h/talk?sid={ONE}"]),
        ("http://h/speaker/1", ["http://h/", "http://h/talks", f"http://h/talk?sid={ONE}"]),
        (f"http://h/talk?sid={ONE}", [f"http://h/talk?sid={TWO}"]),  # the next one
        (f"http://h/talk?sid={ONE}", ["http://h/", "http://h/talks", f"http://h/slides?sid={ONE}"]),
        (
            "http://h/speaker/1",
            ["http://h/", "http://h/talks", "http://h/x", f"http://h/talk?sid={ONE}", f"http://h/slides?sid={ONE}"],
        ),
    ],
)
def test_an_id_on_one_link_is_contents(url: str, links: list[str]) -> None:
    """Alone, or with a menu around it that has none."""
    assert shown(url, *links) == []


def test_two_values_side_by_side_are_two_pages() -> None:
    """The same rest of a URL of the same host, under values that differ, be all other links in a session."""
    session = [f"http://h/about?sid={ONE}", f"http://h/news?sid={ONE}"]
    talks = [f"http://h/talk?sid={ONE}", f"http://h/talk?sid={TWO}"]

    assert shown("http://h/", *session, *talks, f"http://other/news?sid={TWO}") == session


def test_a_page_that_links_to_itself_under_an_old_session_shows_nothing() -> None:
    """A user's old link and the present session make two, in every answer anew; three are content."""
    away = f"http://h/a?sid={TWO}"
    themselves = [f"http://h/t?sid={sid}" for sid in (ONE, TWO, "1a2b3c4d5e6f7a8b")]

    assert shown(f"http://h/t?sid={THREE}", *themselves[:2], away) == [*themselves[:2], away]
    assert shown(f"http://h/t?sid={THREE}", *themselves, away) == [away]
