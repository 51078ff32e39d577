"""core.traps against whole sites: a real one of 50,000 pages loses nothing, one without end comes to an end."""

import random
import re
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import permutations, product
from string import ascii_lowercase

import pytest

from crawler.core import traps
from crawler.core.reasons import Reason
from crawler.core.urls import Url

PAGES = 50_000
NOW = date(2026, 11, 24)
DAY = timedelta(days=1)


class Gate:
    """A gate that treats the links to one host as a frontier does: it asks, and counts those that it lets in."""

    def __init__(self, found: int = 0) -> None:
        self._counts = defaultdict(int, {b"": found})
        self.refused: Counter[Reason] = Counter()

    def lets_in(self, path: str) -> bool:
        """True for a new URL that belongs to no trap."""
        url = Url(f"http://h{path}", "http", "h", 80)
        if reason := traps.refusal(url):
            self.refused[reason] += 1
            return False
        families = traps.families(url, NOW.year)
        for family in families:
            if self._counts[family.key] + family.weight > family.limit:
                self.refused[family.reason] += 1
                return False
        for family in families:
            self._counts[family.key] += family.weight
        return True


def crawl(links: Callable[[str], Iterable[str]], gate: Gate, *, most: int) -> list[str]:
    """The pages that all links from `/` lead to, breadth first; more than `most` are an error."""
    seen, waiting, pages = {"/"}, deque(["/"]), list[str]()
    while waiting:
        pages.append(waiting.popleft())
        assert len(pages) <= most, f"no end after {most} pages: {pages[-1]}"
        for path in links(pages[-1]):
            if path not in seen:
                seen.add(path)
                if gate.lets_in(path):
                    waiting.append(path)
    return pages


def chance(seed: object) -> random.Random:
    """The same throws for the same seed."""
    return random.Random(str(seed))  # noqa: S311 - chance, not a secret


# --- real sites ---------------------------------------------------------------------------------------------------


def wiki() -> Iterator[str]:
    """Articles, some below others, their histories and their old versions."""
    for n in range(PAGES // 4):
        yield f"/wiki/Page_{n}"
        yield f"/wiki/Page_{n}/Talk/Page_{n}"
        yield f"/index.php?title=Page_{n}&action=history"
        yield f"/index.php?title=Page_{n}&diff={n + 7}&oldid={n}&prev=no"


def blog() -> Iterator[str]:
    """Twenty years of posts, each with its feed, and archives by day, month and year."""
    for n in range(20 * 365):
        day = NOW - n * DAY
        yield f"{day:/%Y/%m/%d/}"
        for post in range(3):
            yield f"{day:/%Y/%m/%d/}post-{n}-{post}/"
            yield f"{day:/%Y/%m/%d/}post-{n}-{post}/feed/"
    for year, month in product(range(2006, 2027), range(1, 13)):
        yield f"/{year}/{month:02}/"
        yield f"/archive?year={year}&month={month}"


def newspaper() -> Iterator[str]:
    """Every issue since 1851, by its day alone."""
    day = date(1851, 9, 18)
    for n in range(PAGES):
        yield f"{day + n * DAY:/archive/%Y/%m/%d/}"


def news() -> Iterator[str]:
    """Twenty years of articles with ids below their days."""
    for n in range(PAGES):
        yield f"{NOW - n % 7300 * DAY:/news/%Y/%m/%d/}{1_000_000 + n}.html"


def shop() -> Iterator[str]:
    """Products in a hundred categories, each with the combinations of four facets."""
    facets = [("color", 3), ("size", 4), ("brand", 5), ("sort", 2)]
    chosen = [[f"{name}={n}" for n in range(most)] for name, most in facets]
    for category in range(100):
        yield from (f"/c{category}/product-{n}" for n in range(400))
        yield from (f"/c{category}?{'&'.join(values)}" for values in product(*chosen))
        yield from (f"/c{category}?{'&'.join(values)}" for values in product(*chosen[:2]))


def lists() -> Iterator[str]:
    """One list, sorted by two parameters, and ten thousand pages of another."""
    for page, sort, order in product(range(1, 5001), ("name", "price", "age", "size"), ("up", "down")):
        yield f"/list?page={page}&sort={sort}&order={order}"
    yield from (f"/?page={n}" for n in range(1, 10_001))


def forum() -> Iterator[str]:
    """Threads with their pages, as one script, as folders and as a board with a session that never changes."""
    for thread, page in product(range(1, 4001), range(6)):
        yield f"/viewtopic.php?f={thread % 20}&t={thread}&start={page * 15}"
    for thread, page in product(range(1000, 3000), range(1, 13)):
        yield f"/thread/{thread}/{page}"
    yield from (f"/thread/{thread}/page-{page}/" for thread, page in product(range(1000), range(2, 5)))
    yield from (f"/b.php?t={n}&s=0123456789abcdef0123456789abcdef" for n in range(3000))


def documentation() -> Iterator[str]:
    """Modules of modules, in five versions and two languages."""
    modules = [f"{one}/{two}/{three}.html" for one, two, three in product(["core", "net", "io"], range(30), range(56))]
    for language, version, module in product(("en", "de"), range(5), modules):
        yield f"/{language}/3.{version}/library/{module}"


def sources() -> Iterator[str]:
    """A browser of sources: project, user, branch and package have one name."""
    for n in range(PAGES):
        project = f"project{n % 50}"
        yield f"/{project}/{project}/blob/main/src/main/java/org/{project}/{project}/impl/{project}/File{n}.java"


def letters() -> Iterator[str]:
    """All folders of nine names, five deep."""
    for depth in range(1, 6):
        yield from ("/" + "/".join(names) for names in product("abcdefghi", repeat=depth))


def numbers() -> Iterator[str]:
    """A binary tree of numbered folders, and the tiles of a map."""
    yield from ("/t/" + "/".join(f"{n:b}") + "/" for n in range(1, PAGES // 2))
    yield from (f"/tiles/{zoom}/{x}/{y}.png" for zoom, x, y in product(range(5), range(100), range(100)))


def portal() -> Iterator[str]:
    """A dozen parameters, of which one changes."""
    fixed = "&".join(f"p{n}=1" for n in range(11))
    yield from (f"/view.do?{fixed}&docid={n}" for n in range(PAGES))


def sessions() -> Iterator[str]:
    """Every page with the session that the first one gave."""
    yield from (f"/page{n};jsessionid=0A1B2C3D4E5F?sid=deadbeef01&PHPSESSID=k3v1" for n in range(PAGES))


def ids() -> Iterator[str]:
    """Yield all else that stands for a page: numbers, digests, stories, stations, talks, searches, future trains."""
    draw = chance(1)
    for n in range(PAGES // 10):
        token = uuid.UUID(int=draw.getrandbits(128))
        yield from (f"/item?id={n}", f"/item/{token}", f"/commit/{token.hex}", f"/item?key={token.hex}")
        yield f"/article.pl?sid={n % 28:02}/05/12/{n}"
        yield from (f"/stations?sid=USW{n:08}", f"/talks?session_id={n}", f"/?s=word{n}", f"/event/{1000 + n}/2")
        yield f"/agenda/12/{1000 + n}"
        yield f"/trains?id={n}&date={NOW + n % 300 * DAY:%Y-%m-%d}"


REAL = [
    *(wiki, blog, newspaper, news, shop, lists, forum, documentation, sources),
    *(letters, numbers, portal, sessions, ids),
]


@pytest.mark.parametrize("pages", REAL, ids=lambda pages: pages.__name__)
def test_a_real_site_loses_nothing(pages: Callable[[], Iterable[str]]) -> None:
    """No page of a site of about 50,000 is refused."""
    gate = Gate()

    lost = [path for path in dict.fromkeys(pages()) if not gate.lets_in(path)]

    assert not lost, gate.refused


# --- sites without end --------------------------------------------------------------------------------------------


def ahead(path: str) -> Iterator[str]:
    """A calendar of months that always has a next one."""
    year, month = (int(part.partition("=")[2]) for part in path[2:].split("&")) if path != "/" else (2026, 11)
    yield f"/?year={year + month // 12}&month={month % 12 + 1}"


def both_ways(path: str) -> Iterator[str]:
    """A calendar of days: each has the one before, the one after, and its month; a month has its days."""
    parts = [int(part) for part in path.strip("/").split("/")[1:]] or [2026, 11, 24]
    first = date(parts[0], parts[1], 1)
    if len(parts) == 2:
        days: Iterable[date] = (first + n * DAY for n in range(28))
    else:
        days = (first + (parts[2] - 2) * DAY, first + parts[2] * DAY)
    yield from (f"{day:/calendar/%Y/%m/%d/}" for day in days)
    yield from (f"{first + n * DAY:/calendar/%Y/%m/}" for n in (-1, 0, 31))


def otherwise(path: str) -> Iterator[str]:
    """Calendars of months that write their dates in other ways."""
    if path == "/":
        yield from ("/kalender/11-2026", "/calendar/11/2026", "/cal?y=2026&m=11")
        return
    numbers = [int(number) for number in re.findall(r"\d+", path)]
    months = max(numbers) * 12 + min(numbers) - 1
    for year, month in (divmod(months - 1, 12), divmod(months + 1, 12)):
        if path.startswith("/cal?"):
            yield f"/cal?y={year}&m={month + 1}"
        else:
            yield re.sub(r"\d+(.)\d+", rf"{month + 1}\g<1>{year}", path)


def party(path: str) -> Iterator[str]:
    """Three weekly events, each date on a page of its own, for ever."""
    week = int(path.rpartition("-")[2]) if path != "/" else 0
    day = NOW + (week + 1) * 7 * DAY
    yield from (f"{day:/event/%Y-%m-%d/}{name}-{week + 1}" for name in ("party", "talk", "walk"))


def forgetful(path: str) -> Iterator[str]:
    """Two hundred pages; every view of one links to twenty others with a session of its own."""
    draw = chance(path)
    session = f"{draw.getrandbits(64):016x}"
    yield from (f"/page{draw.randrange(200)}?sid={session}" for _ in range(20))


def shuffled(path: str) -> Iterator[str]:
    """A list with eight parameters: each page links to ten random selections of them in random order."""
    draw = chance(path)
    for _ in range(10):
        keys = draw.sample("abcdefgh", draw.randrange(1, 9))
        yield "/list?" + "&".join(f"{key}=1" for key in keys)


def reordered(_path: str) -> Iterator[str]:
    """All orders of all selections of five parameters, from every page."""
    for size in range(1, 6):
        yield from ("/?" + "&".join(f"{key}=1" for key in keys) for keys in permutations("abcde", size))


def nested(path: str) -> Iterator[str]:
    """A relative link to `a/`, on every page."""
    yield f"{path}a/"


def concatenated(path: str) -> Iterator[str]:
    """A link without its scheme, and another folder, on every page."""
    yield f"{path}www.site.example/privacy/partners/"
    yield f"{path}more/"


def next_page(path: str) -> Iterator[str]:
    """A list that has a next page whatever the number."""
    yield f"/list?page={int(path.partition('=')[2] or 0) + 1}"


def growing(path: str) -> Iterator[str]:
    """A redirect target within a redirect target: each link holds the page that it is on."""
    yield f"/login?return={path.replace('%', '%25').replace('?', '%3F')}"


def toggles(path: str) -> Iterator[str]:
    """Thirty switches: each page links to itself with one more."""
    taken = path.partition("?")[2].split("&") if "?" in path else []
    draw = chance(path)
    yield "/?" + "&".join([*taken, f"f{draw.randrange(30)}=1"])


# Why it ends, and after how many pages.
ENDLESS = [
    (ahead, {Reason.TRAP_CALENDAR}, 802),  # 26 months that are near, 276 that are in Nepal, 500 of the far future
    (both_ways, {Reason.TRAP_CALENDAR}, 12_562),  # of which 7,500 days are an archive's
    (otherwise, {Reason.TRAP_CALENDAR}, 7924),
    (party, {Reason.TRAP_CALENDAR}, 53_928),  # each may be real: of 50,000 such pages none is lost,
    (forgetful, {Reason.TRAP_SESSION_ID}, 1001),
    (shuffled, {Reason.TRAP_QUERY_PERMUTATIONS}, 722),
    (reordered, {Reason.TRAP_QUERY_PERMUTATIONS}, 74),
    (nested, {Reason.TRAP_REPEATED_SEGMENTS}, 6),
    (concatenated, {Reason.TRAP_REPEATED_SEGMENTS, Reason.TRAP_PATH_DEPTH}, 671),
    (next_page, {Reason.TRAP_QUERY_VARIANTS}, traps.MOST_QUERIES + 1),
    (growing, {Reason.TRAP_URL_LENGTH}, 40),
    (toggles, {Reason.TRAP_QUERY_PARAMETERS}, 31),
]


@pytest.mark.parametrize(("links", "reasons", "pages"), ENDLESS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_site_without_end_comes_to_an_end(
    links: Callable[[str], Iterable[str]], reasons: set[Reason], pages: int
) -> None:
    """A crawl that follows all links is done after so many pages, and is told why."""
    gate = Gate()

    assert len(crawl(links, gate, most=pages)) == pages
    assert set(gate.refused) == reasons


def test_a_calendar_without_end_keeps_its_archive() -> None:
    """Each day of the last twenty years is reached, at any date at which the future was closed."""
    days = {f"{NOW - n * DAY:/calendar/%Y/%m/%d/}" for n in range(20 * 365)}

    pages = crawl(both_ways, Gate(), most=30_000)

    assert days <= {*pages}


def deeper(path: str) -> Iterator[str]:
    """A maze: ten random names below each page."""
    draw = chance(path)
    yield from (f"{path}{word(draw)}/" for _ in range(10))


def wider(path: str) -> Iterator[str]:
    """A maze: ten random names beside each page."""
    draw = chance(path)
    yield from (f"/maze/{word(draw)}" for _ in range(10))


def word(draw: random.Random) -> str:
    """A name that nobody can tell from a real one."""
    return "".join(draw.choices(ascii_lowercase, k=8))


@pytest.mark.parametrize("maze", [deeper, wider])
def test_a_maze_ends_with_its_host(maze: Callable[[str], Iterable[str]]) -> None:
    """Random names are told from a large site by their number alone; here all but the last 2,000 were found before."""
    left = 2000
    gate = Gate(found=traps.MOST_URLS - left)

    assert len(crawl(maze, gate, most=left + 1)) == left + 1
    assert set(gate.refused) == {Reason.TRAP_HOST_SIZE}
