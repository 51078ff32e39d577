"""core.traps: which URLs look like those of a site without end, one by one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core import calendars, traps
from crawler.core.reasons import Reason
from crawler.core.urls import Url, parse

YEAR = 2026
SHAPES: list[tuple[str, Reason | None]] = [
    ("/", None),
    ("/" + "x" * 2063, None),  # 2083 characters in all
    ("/" + "x" * 2064, Reason.TRAP_URL_LENGTH),
    ("/1/2" * 10, None),  # 20 segments
    ("/1/2" * 10 + "/", Reason.TRAP_PATH_DEPTH),
    ("/1?" + "/x" * 30, None),  # what counts are the path's
    ("/?" + "&".join(f"k{n}=1" for n in range(20)), None),
    ("/?" + "&".join(f"k{n}=1" for n in range(21)), Reason.TRAP_QUERY_PARAMETERS),
    ("/?" + "&".join(f"k{n}=1" for n in range(20)) + "&empty=" * 9 + "&&", None),  # fields that were left empty
    ("/compare?" + "&".join(f"id={n}" for n in range(22)), None),  # things to compare, and boxes that were ticked
    ("/?" + "&".join(f"cat[]={n}" for n in range(22)), None),
    ("/a/a/a/a/a", None),
    ("/a/a/a/a/a/a", Reason.TRAP_REPEATED_SEGMENTS),
    ("/a/a/a/a/a/a/", Reason.TRAP_REPEATED_SEGMENTS),
    ("/a/a/a/a/a/aa", None),
    ("/a/b/a/b/a/b/a/b/a/b", None),
    ("/a/b/a/b/a/b/a/b/a/b/a", Reason.TRAP_REPEATED_SEGMENTS),
    ("/x/a/y/a/z/a/1/a/2/a/3/a", Reason.TRAP_REPEATED_SEGMENTS),  # not in a row
    ("//////", Reason.TRAP_REPEATED_SEGMENTS),
    ("/1/1/1/1/1/1/1/1/1/1", None),  # numbered folders
    ("/django/django/blob/main/django/db/django/tests/django", None),
]


def site(path: str, host: str = "site.example") -> Url:
    """The URL of a path."""
    return parse(f"http://{host}{path}")


def kept(*paths: str) -> dict[Reason, set[bytes]]:
    """The keys of all families of these URLs, by reason."""
    found: dict[Reason, set[bytes]] = {}
    for path in paths:
        for family in traps.families(site(path), YEAR):
            found.setdefault(family.reason, set()).add(family.key)
    return found


def family(path: str, reason: Reason) -> traps.Family | None:
    """The family of this kind that a URL belongs to."""
    return next((family for family in traps.families(site(path), YEAR) if family.reason is reason), None)


@pytest.mark.parametrize(("path", "reason"), SHAPES)
def test_the_shape_of_a_trap(path: str, reason: Reason | None) -> None:
    """Too long, too deep, too many parameters or one name too often."""
    assert traps.refusal(site(path)) is reason


def test_every_url_counts_towards_the_size_of_its_host() -> None:
    """The host's own family comes first and has one key, whatever the path."""
    first = {traps.families(site(path), YEAR)[0] for path in ("/", "/a/b", "/?q=1", "/2030/05/12/")}

    assert first == {traps.Family(b"", 1, traps.MOST_URLS, Reason.TRAP_HOST_SIZE)}
    assert len(traps.families(site("/wiki/Page_1"), YEAR)) == 1


SESSIONS = [
    ("/a?PHPSESSID=k3v1", "/a?PHPSESSID=zz"),
    ("/a;jsessionid=0A1B?q=1", "/a;jsessionid=2C.node1?q=1"),
    ("/a?q=1&sid=0f3c9a7e55d1", "/a?q=1&sid=aa11bb22"),
    ("/a?s=0123456789abcdef0123456789abcdef&q", "/a?s=f123456789abcdef0123456789abcde0&q"),
    ("/a?session_id=6f1c2a34-aaaa-4bbb-8ccc-1234567890ab", "/a?session_id=00000000-aaaa-4bbb-8ccc-1234567890ab"),
    ("/a?CFID=1&CFTOKEN=2", "/a?CFID=3&CFTOKEN=4"),
    ("/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "/(S(aaa3py55t21z5v55vlm25s55))/a.aspx"),
]
NO_SESSIONS = [
    "/a",
    "/article.pl?sid=19/05/12/1234567",  # a story
    "/stations?sid=USW00094846",  # a weather station
    "/talks?session_id=4711",  # a session of a conference
    "/?s=crawler",  # a search
    "/?class=deadbeef01&pages=deadbeef01",  # only whole names count
    "/sid=deadbeef01x",
    "/?sid=deadbeef",  # a word
    "/?sid=12345678",  # a number
]


@pytest.mark.parametrize(("one", "other"), SESSIONS)
def test_a_page_under_two_sessions_is_one_family(one: str, other: str) -> None:
    """URLs that differ in the session alone grow together, and another page does not."""
    keys = kept(one, other)[Reason.TRAP_SESSION_ID]

    assert len(keys) == 1
    assert keys.isdisjoint(kept(one.replace("/a", "/b"))[Reason.TRAP_SESSION_ID])


@pytest.mark.parametrize("path", NO_SESSIONS)
def test_an_ordinary_value_is_no_session(path: str) -> None:
    """A name that people give needs a value that looks drawn."""
    assert family(path, Reason.TRAP_SESSION_ID) is None


def test_a_query_in_another_order_is_the_same_family() -> None:
    """Equal pairs of equal paths grow together; two pairs are left alone."""
    orders = ("/a?x=1&y=2&z=3", "/a?z=3&x=1&y=2")
    others = ("/a?x=1&y=2&z=4", "/b?x=1&y=2&z=3", "/a?x=1&y=2&z=3&z=3")

    assert len(kept(*orders)[Reason.TRAP_QUERY_PERMUTATIONS]) == 1
    assert len(kept(*orders, *others)[Reason.TRAP_QUERY_PERMUTATIONS]) == 4
    assert family("/a?y=1&x=2", Reason.TRAP_QUERY_PERMUTATIONS) is None


def test_pairs_of_one_name_are_a_sequence() -> None:
    """The stops of a journey in another order are another journey; other names may still stand anywhere."""
    journeys = ("/r?stop=A&stop=B&stop=C", "/r?stop=C&stop=B&stop=A", "/r?stop=B&stop=A&stop=C")

    assert len(kept(*journeys)[Reason.TRAP_QUERY_PERMUTATIONS]) == 3
    assert len(kept("/r?x=1&stop=A&stop=B", "/r?stop=A&x=1&stop=B")[Reason.TRAP_QUERY_PERMUTATIONS]) == 1


def test_all_queries_of_a_path_are_one_family() -> None:
    """Each path has one of its own, an empty query counts, and a path without a query has none."""
    assert len(kept("/a?", "/a?x", "/a?y=1&x=2")[Reason.TRAP_QUERY_VARIANTS]) == 1
    assert len(kept("/a?x", "/b?x")[Reason.TRAP_QUERY_VARIANTS]) == 2
    assert family("/a", Reason.TRAP_QUERY_VARIANTS) is None


FAR, DAY, GUESSED, PAGE = (
    calendars.FAR_MONTH_WEIGHT,
    calendars.FAR_DAY_WEIGHT,
    calendars.FAR_NUMBERS_WEIGHT,
    calendars.FAR_PAGE_WEIGHT,
)
OLD = 1
DATES = [
    ("/calendar/2029/11/24/", DAY),
    ("/calendar/2028/11/24/", None),  # from here...
    ("/calendar/2006/11/24/", None),  # ...to here it may be a page of an archive
    ("/calendar/2005/11/24/", OLD),
    ("/calendar/1066/10/14", OLD),
    ("/calendar/2029/1", FAR),  # below a calendar, a month without a zero in front
    ("/cal/2029/1/2/", DAY),
    ("/Kalender/2029-01/", FAR),
    ("/events/2029-01/", FAR),
    ("/events/month/2029-01/", FAR),
    ("/events/party/2029-01-31", DAY),
    ("/2029/01/31/a-title", PAGE),
    ("/1999/05/12/", OLD),
    ("/1999/05/12/a-title", None),  # a text of a known time
    ("/1999/05/", None),  # a month's archive; without a calendar around it, it may be a thread's page
    ("/thread/4512/12", None),
    ("/event/4512/2", None),
    ("/part/4512-12-24", None),
    ("/image/4512/12/24/full.jpg", None),
    ("/calendar/4512/12/24/", DAY),
    ("/events/4512-12-24/", DAY),
    ("/4512/13/24/", None),  # no 13th month
    ("/4512/12/32/", None),  # no 32nd day
    ("/parts/4512-05", None),
    ("/12029/01/31/", None),  # part of a longer number
    ("/2029/01/312", None),
    ("/item?id=20290131", None),
    ("/?month=1&year=2029", FAR),
    ("/?statisticsYear=7749", FAR),
    ("/?year=123456", OLD),
    ("/?year=1999&month=5", OLD),
    ("/?date=20290131", DAY),
    ("/?tribe-bar-date=2029-01", FAR),
    ("/?week=2029-W05", FAR),
    ("/?x=2029-01-31", DAY),
    ("/?x=2029-01", None),
    ("/?x=2029-13-31", None),
    ("/?x=4512-12-24", None),  # a part's number
    ("/?candidate=203112", None),
    ("/?update=203112", None),
    ("/?startDate=203112", FAR),
    ("/?y=3000&x=2000", None),  # coordinates
    ("/?day=4512", None),
    ("/calendar/1/2029", GUESSED),
    ("/Calendar/31.1.2029", GUESSED),
    ("/kalender/2029/w05", GUESSED),
    ("/agenda?m=1&y=2029", GUESSED),
    ("/cal?date=1%2F31%2F2029", DAY),
    ("/cal?m=1999-05", OLD),
    ("/cal?m=2019-05", None),
    ("/calendar/2029", None),  # a year alone may be any number
    ("/calendar/5/2200", None),  # another century may be the number of an event
    ("/calendar/event/20290131", None),
    ("/events/2029/05", None),
    ("/?m=1&y=2029", None),
    # years of other calendars: 2026 is 2083 in Nepal, 2569 in Thailand, 4359 in Korea, 5787 in Hebrew
    ("/?year=2569&id=1", None),
    ("/?year=2480&id=1", OLD),
    ("/?year=2580", FAR),
    ("/?month=256705&id=1", None),
    ("/?date=2567-05-12", None),
    ("/news/2081/05/12/story", None),
    ("/calendar/2567/5/7", None),
    ("/?year=5785", None),
    ("/?year=20252026", None),  # a season
    ("/?year=202605", None),
    ("/?year=1234567", None),
    # numbers that are no dates
    ("/?day=203001", None),
    ("/?workday=20300105", None),
    ("/?mydate=203013", None),
    ("/?month=203000", None),
    ("/?week=203099", None),
    ("/?date=2031-13", None),
    # a plan, a product or a forecast that a year names
    ("/agenda-2030/ods-13/indicador-45", None),
    ("/agenda2063/goal-7/country-12", None),
    ("/agenda-2030/12/3", None),
    ("/agenda/2030/ods-13", None),
    ("/calendula/var-2100-05/7", None),
    ("/monthly-outlook/2045/17", None),
    ("/agenda?room=2&id=2045", None),
    ("/calendars/wall-calendar-2030-07/7", PAGE),
    ("/moon/2031/05/12", DAY),
    ("/bonds/2045-02-15/isin7", PAGE),
    ("/events/2045-02-15/isin7", PAGE),
    # calendars in other words
    ("/?jahr=2031&monat=5", FAR),
    ("/?date=05.12.2031", DAY),
    ("/?year=2031&month=5&day=3", DAY),
    ("/kalenteri/2031/w5", GUESSED),
    ("/takvim/5-2031", GUESSED),
    ("/calendar/may-2031", GUESSED),
    ("/calendar/2031?m=5", GUESSED),
    ("/calendar-5-2031", GUESSED),
    ("/calendar/5/2031/party", PAGE),
]


@pytest.mark.parametrize(("path", "weight"), DATES)
def test_dates_count_and_those_of_the_far_future_most(path: str, weight: int | None) -> None:
    """An old date alone counts once, any of the far future many times, what an archive may have not at all."""
    found = family(path, Reason.TRAP_CALENDAR)

    assert (found.weight if found else None) == weight


def test_the_dates_of_one_place_are_one_family() -> None:
    """Old days, old months and the far future of a calendar grow together; another place's do not."""
    assert len(kept("/calendar/1999/11/24/", "/calendar/1999/11/", "/calendar/2031/01")[Reason.TRAP_CALENDAR]) == 1
    assert len(kept("/calendar/1/2031", "/calendar/2031/w05", "/calendar/may-2031")[Reason.TRAP_CALENDAR]) == 1
    assert len(kept("/?y=1&year=2031&m=5", "/?m=7&year=2032&date=2032-07-01")[Reason.TRAP_CALENDAR]) == 1
    assert len(kept("/?year=2031&id=1", "/?year=2031&id=2", "/?year=2032&id=1")[Reason.TRAP_CALENDAR]) == 2
    assert len(kept("/calendar/1999/11/24/", "/1999/11/24/", "/?date=1999-11-24")[Reason.TRAP_CALENDAR]) == 3


def test_families_of_two_kinds_never_share_a_counter() -> None:
    """The queries of `/` and the dates of `/` are two families."""
    assert kept("/?x")[Reason.TRAP_QUERY_VARIANTS].isdisjoint(kept("/1999/11/24/")[Reason.TRAP_CALENDAR])


PIECES = ["a", "b", "1", "", "2031", "05", "12", "calendar", "sid=deadbeef01", "year=2031", "(S(abc))", ";jsessionid=1"]
ADDRESSES = st.builds(
    lambda path, query: site("/" + "/".join(path) + ("?" + "&".join(query) if query else "")),
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.lists(st.sampled_from(PIECES), max_size=6),
)


@given(ADDRESSES | st.text(max_size=60).map(lambda text: site(f"/{text}")))
def test_judging_depends_on_the_url_alone(url: Url) -> None:
    """Asking again, or for the same path of another host, changes nothing."""
    twins = [url, parse(url.href), site(url.target, host="other.exampl")]
    judges: list[Callable[[Url], object]] = [traps.refusal, lambda url: traps.families(url, YEAR)]

    for judge in judges:
        assert [judge(twin) for twin in twins] == [judge(url)] * 3


@given(ADDRESSES)
def test_a_family_can_be_stored(url: Url) -> None:
    """Keys are of one size and belong to one reason; no single URL passes a limit by itself."""
    families = traps.families(url, YEAR)

    assert [len(family.key) for family in families] == [0] + [16] * (len(families) - 1)
    assert len({family.key for family in families}) == len(families) == len({family.reason for family in families})
    assert all(0 < family.weight <= family.limit for family in families)
