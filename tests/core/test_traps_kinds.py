"""core.traps against twenty kinds of real sites, each by the oddity of its URLs: not one page of them is refused."""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from itertools import product

import pytest

from crawler.core import traps
from crawler.core.finds import Find
from crawler.core.sessions import LinkingDocument
from crawler.core.urls import parse

YEAR = 2026
TODAY = date(YEAR, 11, 24)
DAY = timedelta(days=1)

Pages = Iterator[list[str]]  # the links of one document after the other


def refused(pages: Pages) -> list[str]:
    """The links that a frontier refuses, each judged when it is found first."""
    counts, seen, lost = defaultdict[bytes, int](int), set[str](), list[str]()
    for number, links in enumerate(pages):
        document = LinkingDocument(
            parse(f"http://h/list/{number}"), [Find(url=parse(f"http://h{link}")) for link in links]
        )
        for link in links:
            if link in seen:
                continue
            seen.add(link)
            url = parse(f"http://h{link}")
            families = traps.families(url, YEAR, document)
            if traps.refusal(url) or any(counts[family.key] + family.weight > family.limit for family in families):
                lost.append(link)
                continue
            for family in families:
                counts[family.key] += family.weight
    return lost


def listed(links: Iterator[str], size: int = 50) -> Pages:
    """Lists of so many links each."""
    page: list[str] = []
    for link in links:
        page.append(link)
        if len(page) == size:
            yield page
            page = []
    yield page


def token(n: int, size: int = 16) -> str:
    """The same hexadecimal digits for the same number, two for each byte."""
    return blake2b(str(n).encode(), digest_size=size).hexdigest()


# --- ids ----------------------------------------------------------------------------------------------------------


def conference() -> Pages:
    """An agenda whose talks have slugs, one whose talks have UUIDs, and pages of talks with three related ones."""
    slugs = ["day-{}-how-we-scaled", "windows-{}-update-error", "h264-vs-av{}-in-2024", "k8s-{}-in-b2b", "20241105T{}"]
    yield [f"/agenda?session={slug.format(n)}" for slug, n in product(slugs, range(10, 40))]
    yield [f"/talk?sid={uuid.UUID(token(n))}" for n in range(12)]
    for n in range(12, 600, 3):
        yield [f"/talk?sid={uuid.UUID(token(n + at))}" for at in range(3)]


def embedded() -> Pages:
    """Pages that each have one link with an id: a speaker's talk, the next talk, a post's video, a station, a bill."""
    menu = ["/", "/talks", "/speakers", "/imprint"]
    for n in range(600):
        yield [f"/talk?sid={uuid.UUID(token(n))}"]
        yield [*menu, f"/session?sessionId=k3V{token(n, 8)}Q", f"/station?sid={token(n, 8)}"]
        yield [*menu, f"/item?s={token(n)}", f"/bill?session=2023A{n % 10}B2C{n}"]
        yield [f"/view.cfm?cfid={n}", f"/page?zenid={n}", f"/chem/(S({n}))/x"]


def videos() -> Pages:
    """Recordings under drawn ids, four to a page, and searches that lead from page to page."""
    for n in range(0, 4000, 4):
        yield [f"/watch?session_id={token(n + at, 10)}&lang=en" for at in range(4)]
        yield [f"/?s=windows-{n}-update-error", f"/?s=iphone{n}promax256gb", f"/?s={token(n, 8)}"]


def stories() -> Pages:
    """A magazine whose stories have dates as ids, one link to a document."""
    for n in range(3000):
        yield [f"/article.pl?sid={TODAY - n * DAY:%y/%m/%d}/0{n % 10}00{n}"]
        yield [f"/story?sid={TODAY - n * DAY:%Y%m%d}b", f"/show?session={TODAY - n * DAY:%Y%m%d}T093000Z"]


def candidates() -> Pages:
    """Numbers under names that end like those of dates."""
    names = ("candidate", "update", "mandate", "holiday")
    return listed(f"/profile?{name}={number}" for name, number in product(names, range(202_900, 212_900)))


def parts() -> Pages:
    """Part and case numbers, and folders of numbers, that are no dates or of no century."""
    draw = random.Random(1)  # noqa: S311 - chance, not a secret
    numbers = [(draw.randrange(1000, 10_000), draw.randrange(100), draw.randrange(100)) for _ in range(20_000)]
    return listed(
        spelling.format(*number)
        for number in numbers
        for spelling in ("/part/{}-{:02}-{:02}", "/find?pn={}-{:02}-{:02}", "/image/{}/{:02}/{:02}/full.jpg")
    )


# --- queries ------------------------------------------------------------------------------------------------------


def catalogue() -> Pages:
    """A library's search, whose form sends 26 fields, most of them empty."""
    fields = "&".join(f"field{n}=" for n in range(22))
    return listed(f"/search?{fields}&title=word{n}&year=&sort=date&page={n % 9}" for n in range(5000))


def shop() -> Pages:
    """Products in five colours, and the selections of six facets in the order of the form."""
    facets = ("brand", "color", "size", "price", "rating", "stock")
    values = product(*(["", *(f"{name}={n}" for n in range(3))] for name in facets))
    yield from listed("/c?" + "&".join(filter(None, chosen)) for chosen in values)
    yield from listed(f"/p/{n}?variant={40_000_000_000 + n}&currency=EUR&country=DE" for n in range(20_000))


def board() -> Pages:
    """Threads, posts and members, with the sort links of their lists in two orders."""
    yield from listed(
        f"/viewtopic.php?f={n % 30}&t={n}&start={15 * page}" for n, page in product(range(9000), range(3))
    )
    yield from listed(f"/viewtopic.php?p={n}#p{n}" for n in range(9000))
    for n, key in product(range(500), "abc"):
        yield [f"/memberlist.php?sk={key}&sd=a&start={n}", f"/memberlist.php?start={n}&sk={key}&sd=a"]


def wiki() -> Pages:
    """Pages, their histories and the differences of their versions."""
    return listed(
        link
        for n in range(9000)
        for link in (
            f"/w/index.php?title=P{n}&action=history",
            f"/w/index.php?title=P{n}&diff=prev&oldid={n}",
            f"/w/index.php?title=P{n}&diff={n + 9}&oldid={n}",
            f"/wiki/Talk:P{n}/Archive_{n % 9}",
        )
    )


def git_viewer() -> Pages:
    """Commits, trees and blobs of gitweb and cgit, under their digests."""
    for n in range(3000):
        yield [
            f"/?p=linux.git;a=commit;h={token(n, 20)}",
            f"/?p=linux.git;a=blob;f=mm/slab.c;h={token(n + 1, 20)};hb={token(n, 20)}",
            f"/cgit/linux.git/tree/drivers/net/ethernet/intel/ice/ice_main.c?h=v6.{n}&id={token(n, 20)}",
        ]


def bibliography() -> Pages:
    """Articles under DOIs, ISSNs and page numbers."""
    return listed(
        link
        for n in range(9000)
        for link in (f"/doi/10.1093/{2029 + n}/a{n}", f"/issn/{1000 + n}-{2000 + n}", f"/art?isbn=978-3-16-14{n:04}-0")
    )


# --- dates --------------------------------------------------------------------------------------------------------


def events() -> Pages:
    """Ten a day for a year ahead, under their dates and ids, in paths and queries."""
    for n in range(365):
        day = TODAY + n * DAY
        yield [
            link
            for at in range(10)
            for link in (f"/event/{day}-concert-{at}", f"/e/{day:%Y/%m/%d}/talk-{at}", f"/show?date={day}&id={n}{at}")
        ]


def monthly_calendar() -> Pages:
    """Twenty years back and two ahead, in four languages."""
    months = [(year, month) for year in range(2007, 2029) for month in range(1, 13)]
    return listed(f"/{tongue}/calendar/{y}/{m:02}/" for tongue, (y, m) in product(("en", "de", "fr", "it"), months))


def newspaper() -> Pages:
    """Its issues since 1851, and their pages."""
    first = date(1851, 9, 18)
    return listed(
        link
        for n in range(0, 60_000, 2)
        for link in (f"/issue/{first + n * DAY:%Y/%m/%d}/", f"/issue/{first + n * DAY:%Y/%m/%d}/page-{n % 30}")
    )


def time_tables() -> Pages:
    """Trains of the next half year, and the year of each model since 1900."""
    yield from listed(f"/trip?from={n % 90}&to={n % 70}&day={TODAY + n % 180 * DAY:%Y%m%d}" for n in range(30_000))
    yield from listed(f"/cars?make={make}&modelyear={year}" for make, year in product(range(80), range(1950, 2028)))


def other_eras() -> Pages:
    """News of Thailand and Nepal, whose years are 543 and 57 ahead, and the years of Hebrew ones."""
    yield [f"/news.php?year=2567&id={n}" for n in range(3000)]
    yield from listed(f"/list?month={2549 + n % 20}{n % 12 + 1:02}&id={n}" for n in range(3000))
    yield from listed(f"/list?date={2549 + n % 20}-{n % 12 + 1:02}-{n % 28 + 1:02}&id={n}" for n in range(9000))
    yield from listed(f"/samachar/{2064 + n % 19}/{n % 12 + 1:02}/{n % 28 + 1:02}/story-{n}" for n in range(9000))
    yield from listed(f"/calendar/{y}/{m}/{d}" for y, m, d in product(range(2550, 2570), range(1, 13), range(1, 29)))
    yield from listed(f"/shiur?year={5700 + n % 88}&p={n}" for n in range(9000))


def futures() -> Pages:
    """An almanac of twelve years, bonds by the day on which they are due, and forecasts by region."""
    yield from listed(f"/moon/{y}/{m:02}/{d:02}" for y, m, d in product(range(2029, 2041), range(1, 13), range(1, 29)))
    yield from listed(f"/bonds/{2029 + n % 30}-02-15/isin{n}" for n in range(20_000))
    yield from listed(f"/climate?region={n}&year={2030 + 10 * decade}" for n, decade in product(range(4000), range(8)))
    yield from listed(f"/?{name}={n}" for name in ("day", "workday", "mydate") for n in range(203_001, 205_000))


def plans() -> Pages:
    """Folders that a year names, with numbered chapters."""
    yield from listed(f"/agenda-2030/ods-{n % 17 + 1}/indicador-{n}" for n in range(9000))
    yield from listed(f"/agenda2063/goal-{n % 20}/country-{n % 55}/{n}" for n in range(5000))
    yield from listed(f"/calendars/wall-calendar-2030-07/{n}" for n in range(5000))
    yield from listed(f"/monthly-outlook/2045/{n}" for n in range(5000))
    yield from listed(f"/agenda/2030/{n % 17}/{n}" for n in range(5000))


# --- paths --------------------------------------------------------------------------------------------------------


def sources() -> Pages:
    """Packages within packages of one name, and modules deep below a browser's tests."""
    deep = "/chromium/src/+/refs/heads/main/third_party/blink/web_tests/external/wpt/html/semantics/embedded-content"
    yield from listed(f"{deep}/media-elements/track/track-element/cues-{n}.html" for n in range(5000))
    yield from listed(f"/django/django/blob/main/django/contrib/django/django/test_{n}.py" for n in range(5000))


def packages() -> Pages:
    """A mirror of packages: versions, and folders of first letters."""
    return listed(f"/pool/main/l/lib{n}/lib{n}_{n % 9}.{n % 7}.{n % 5}-1_amd64.deb" for n in range(30_000))


def documentation() -> Pages:
    """Versions and languages of one manual, which repeat its name."""
    parts = product(("en", "de", "ja"), ("latest", "1.0", "2.0"), range(2000))
    return listed(f"/{tongue}/{version}/docs/docs/api/docs/page{n}.html" for tongue, version, n in parts)


def mailing_list() -> Pages:
    """Messages by month, in three archives' spellings."""
    return listed(
        link
        for year, n in product(range(1996, 2027), range(300))
        for link in (
            f"/list/{year}-May/{n:06}.html",
            f"/list/{year}/05/msg{n:05}.html",
            f"/list/{year}{n % 12 + 1:02}/{n}",
        )
    )


def tiles() -> Pages:
    """A map's, whose numbers look like years and months."""
    return listed(f"/tiles/12/{x}/{y}.png" for x, y in product(range(2000, 2200), range(1, 100)))


def galleries() -> Pages:
    """Pictures below folders of digits, as content stores spread them."""
    spread = (f"{n:09}" for n in range(0, 400_000, 13))
    return listed(f"/media/{n[:3]}/{n[3:6]}/{n[6:]}/original/image.jpg" for n in spread)


KINDS: list[Callable[[], Pages]] = [
    *(conference, embedded, videos, stories, candidates, parts),
    *(catalogue, shop, board, wiki, git_viewer, bibliography),
    *(events, monthly_calendar, newspaper, time_tables, other_eras, futures, plans),
    *(sources, packages, documentation, mailing_list, tiles, galleries),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_real_kind_of_site_loses_no_page(kind: Callable[[], Pages]) -> None:
    """Each list of links of such a site is followed as a whole."""
    assert refused(kind()) == []
