"""The meaning of a robots.txt and of the answers in its place."""

import gzip
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import Url, parse
from crawler.robots.parser import LONGEST, MAX_SITEMAPS, MAX_WILDCARDS
from crawler.robots.rules import LIFETIME, RobotsOutcome, RobotsRules, Ruling, judge, rules_of, ruling

AGENT = "crawler"
NOW = 1_700_000_000.0


def at(path: str) -> Url:
    """A URL of the site."""
    return parse(f"http://h{path}")


def rules(*lines: str, agent: str = AGENT) -> RobotsRules:
    """The rules of these lines."""
    return RobotsRules("\n".join(lines).encode(), agent)


def allowed(text: str | bytes, path: str) -> bool:
    """Return whether a body allows a path to this robot."""
    return RobotsRules(text if isinstance(text, bytes) else text.encode(), AGENT).allows(at(path))


def test_hosts_with_equal_short_bodies_share_their_rules() -> None:
    """Thousands of hosts have no robots.txt, or that of one program; a long body is read by itself."""
    short, long = b"User-agent: *\nDisallow: /a", b"User-agent: *\nDisallow: /a".ljust(4096, b"#")

    assert rules_of(short, AGENT) is rules_of(bytes(bytearray(short)), AGENT)
    assert rules_of(short, AGENT) is not rules_of(short, "other")
    assert rules_of(long, AGENT) is not rules_of(long, AGENT)
    assert not rules_of(short, AGENT).allows(at("/a"))
    assert not rules_of(long, AGENT).allows(at("/a"))


# --- RFC 9309, section 2.2 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("User-agent: *\nDisallow: /a", "/a/b", False),
        ("User-agent: *\nDisallow: /a", "/b", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b", True),  # the longest decides, wherever it stands
        ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),  # of equals, the one that allows
        ("User-agent: *\nDisallow: /*.gif$", "/x.gif", False),
        ("User-agent: *\nDisallow: /*.gif$", "/x.gif?y", True),
        ("User-agent: *\nDisallow: /a*c", "/abcd", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /%C3%A9", "/é", False),
        ("User-agent: *\nDisallow: /é", "/%c3%a9", False),
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),  # an escaped slash is no slash
        ("User-agent: *\nDisallow: /?s=", "/?s=1", False),
        ("User-agent: *\nDisallow: / # all of it", "/a", False),
        ("User-agent: *\nDisallow: //a", "//a/b", False),  # the path, and no host
        ("Disallow: /", "/a", True),  # of no group
        ("", "/a", True),
    ],
)
def test_the_longest_match_decides(text: str, path: str, *, expected: bool) -> None:
    """A pattern is compared with path and query; without a match everything is allowed."""
    assert allowed(text, path) is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["User-agent: crawler", "Allow: /", "User-agent: *", "Disallow: /"], True),
        (["User-agent: *", "Allow: /", "User-agent: CRAWLER", "Disallow: /"], False),
        (["User-agent: crawler/9.9 beta", "Disallow: /"], False),  # the product token of it
        (["User-agent: crawl", "Disallow: /"], True),  # another robot; protego alone would take it for us
        (["User-agent: crawler2", "Disallow: /"], False),  # a digit ends a token (RFC 9309, 2.2.1)
        (["User-agent: other", "User-agent: crawler", "Disallow: /"], False),
        (["User-agent: crawler", "Allow: /x", "User-agent: o", "Allow: /", "User-agent: crawler", "Disallow:/"], False),
        (["User-agent: crawler", "User-agent: *", "Disallow:"], True),
        (["User-agent: *", "Disallow: /", "User-agent: crawler"], True),  # a group of ours, and it forbids nothing
        (["User-agent: crawler", "", "Disallow: /"], False),  # blank lines part nothing
        (["User-agent: crawler", "Sitemap: http://h/s", "User-agent: other", "Disallow: /"], False),
        (["User-agent: crawler", "Noindex: /x", "User-agent: other", "Disallow: /"], False),  # 2.2.4
        (["User-agent: crawler", "Crawl-delay: 1", "User-agent: other", "Disallow: /"], False),  # 2.2.4, too
        (["User-agent: crawler*", "Disallow: /"], False),
        (["User agent crawler", "Dissallow /"], False),
    ],
)  # fmt: skip
def test_groups_of_our_token_are_merged(lines: list[str], *, expected: bool) -> None:
    """Ours count, all of them, whatever their case; those for everybody where there is none."""
    assert rules(*lines).allows(at("/a")) is expected
    assert ruling("\n".join(lines).encode(), at("/a"), AGENT).allowed is expected


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /a",
        b"User-agent: *\rDisallow: /a\r",
        b"User-agent: *\r\nDisallow: /a\r\n",
        b"\xff\xfe\x00 \n\x00User-agent\xff\nUser-agent: *\nDisallow: /a\n\x00",
        b"<!doctype html>\n<p>\nUser-agent: *\nDisallow: /a\n</p>",
        b"User-agent: *\nDisallow: /a\xe2\x80\xa8b\nDisallow: /a",
    ],
)
def test_whatever_else_stands_in_it(body: bytes) -> None:
    """A byte order mark, any line end, bytes that are no text, HTML: lines of robots.txt are found all the same."""
    assert not allowed(body, "/a")
    assert allowed(body, "/b")


def test_only_cr_and_lf_end_a_line() -> None:
    """A line end of Python's alone is a character of the pattern."""
    for char in "\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        text = f"User-agent: *\nDisallow: /a{char}Disallow: /b"

        assert allowed(text, "/b")
        assert allowed(text, "/a")
        assert not allowed(f"User-agent: *\nDisallow: /a{char}b", quote(f"/a{char}b"))


def test_html_and_garbage_allow() -> None:
    """A page in place of a robots.txt says nothing."""
    for body in (
        b"<html><title>User-agent</title>",
        b"\x00\xff" * 1000,
        gzip.compress(b"User-agent: *"),
        "di\u017fallow: /",
    ):
        assert allowed(body, "/a")


def test_only_whole_lines_of_the_first_half_mebibyte_count() -> None:
    """A line that the limit cuts is dropped: it would say something else than it does."""
    head = b"User-agent: *\nDisallow: /before\n"
    body = head + b"#" * (LONGEST - len(head) - 16) + b"\nDisallow: /after\nDisallow: /beyond\n"

    assert not allowed(body, "/before")
    assert allowed(body, "/afte")
    assert allowed(body, "/after")
    assert allowed(body, "/beyond")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2"], 2.0),
        ([".5"], 0.5),
        (["1.5", "3", "2"], 3.0),  # of several, the longest
        (["0"], 0.0),
        (["86400"], 3600.0),
        (["9" * 5000], None),
        (["-1"], None),
        (["nan", "inf", "1e3", "1_000", "\u0661", "2 s", ""], None),
        (["inf", "7"], 7.0),
    ],
)
def test_a_crawl_delay_is_a_plain_number(values: list[str], expected: float | None) -> None:
    """A value that is no number of seconds is ignored, and more than an hour is an hour."""
    assert rules("User-agent: *", *(f"Crawl-delay: {value}" for value in values)).crawl_delay == expected


def test_the_crawl_delay_is_our_groups() -> None:
    """Nobody else's waits are ours."""
    lines = ("User-agent: *", "Crawl-delay: 9", "Disallow: /", "User-agent: crawler", "Disallow: /x")

    assert rules(*lines).crawl_delay is None
    assert rules(*lines, agent="other").crawl_delay == 9


def test_octets_of_a_sitemap_line_stay_octets() -> None:
    """A robots.txt is UTF-8 (RFC 9309, 2.2); of what is none no URL is made that its server did not write."""
    body = b"Sitemap: /jos\xe9.xml\nSitemap: /jos\xc3\xa9.xml\n"

    assert RobotsRules(body, "crawler").sitemaps == ("/jos%E9.xml", "/jos\u00e9.xml")


def test_sitemaps_belong_to_the_whole_site() -> None:
    """They count in any group, each once and as written, and in a bounded number."""
    lines = (
        "Sitemap: http://h/1",
        "User-agent: x",
        "sitemap:/2",
        "Sitemap:",
        "Sitemap: http://h/1",
        f"Sitemap: {'/' * 9000}",
    )

    assert rules(*lines).sitemaps == ("http://h/1", "/2")
    assert len(rules(*(f"Sitemap: /{number}" for number in range(2 * MAX_SITEMAPS))).sitemaps) == MAX_SITEMAPS


# --- which line decides ----------------------------------------------------------------------------------------------

SAMPLE = b"""# A site
User-agent: other
Disallow: /

User-agent: *
User-agent: Crawler/1.0
Disallow: /private   # keep out
Allow: /private/open
Disallow: /*?s=
Disallow: /private
Disallow: /x
Disallow: /x/y
Disallow: /x/
Disallow: /tie
Allow: /tie
"""


@pytest.mark.parametrize(
    ("path", "agent", "expected"),
    [
        ("/private/x", "crawler", Ruling(allowed=False, line=7, rule="Disallow: /private", group="Crawler/1.0")),
        ("/private/open", "crawler", Ruling(allowed=True, line=8, rule="Allow: /private/open", group="Crawler/1.0")),
        ("/private/x", "somebody", Ruling(allowed=False, line=7, rule="Disallow: /private", group="*")),
        (
            "/private/open?s=1",
            "crawler",
            Ruling(allowed=True, line=8, rule="Allow: /private/open", group="Crawler/1.0"),
        ),
        ("/x?s=1", "crawler", Ruling(allowed=False, line=9, rule="Disallow: /*?s=", group="Crawler/1.0")),
        ("/x/y/z", "crawler", Ruling(allowed=False, line=12, rule="Disallow: /x/y", group="Crawler/1.0")),
        ("/tie", "crawler", Ruling(allowed=True, line=15, rule="Allow: /tie", group="Crawler/1.0")),
        ("/robots.txt", "crawler", Ruling(allowed=True)),
        ("/public", "crawler", Ruling(allowed=True)),
        ("/public", "OTHER", Ruling(allowed=False, line=3, rule="Disallow: /", group="other")),
        ("/robots.txt", "other", Ruling(allowed=True)),
    ],
)
def test_the_deciding_line_is_named(path: str, agent: str, expected: Ruling) -> None:
    """With its number, as it is written, and the group that it stands in."""
    assert ruling(SAMPLE, at(path), agent) == expected


PIECES = ["/", "a", "b", "%41", "%2F", "é", "*", "**", "index.html", "=", "%3d", "~"]
ODD_PIECES = [*PIECES, "%", "$", "?", "%2A", "%24", "%E3", "\x85"]
OTHER_LINES = ["", "# x", "Sitemap: http://h/s", "Host: h", "Noindex: /", "Disallow: /a # b"]


def _paths(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=6).map("".join)


def _files(pieces: list[str], others: list[str]) -> st.SearchStrategy[list[str]]:
    kinds = st.sampled_from(["Allow", "Disallow", "disallow", "DISSALLOW "])
    rule_lines = st.builds("{}: {}".format, kinds, _paths(pieces))
    agents = st.builds("User-agent: {}".format, st.sampled_from(["*", "crawler", "Crawler", "other", "zebra"]))
    return st.lists(st.one_of(agents, rule_lines, rule_lines, st.sampled_from(others)), max_size=12)


@given(_files([*PIECES, "$"], OTHER_LINES), _paths([one for one in PIECES if "*" not in one]).map("/{}".format))
def test_the_verdict_is_protegos(lines: list[str], path: str) -> None:
    """For a whole file, with groups and all, the crawl and the explanation say what protego says.

    It differs on purpose where the two are not asked here: it takes octets that are no UTF-8 for U+FFFD, a final `$`
    for the character as well, a URL's own `*` for a wildcard, `?` for three octets, `%2F` of a query for no slash, and
    ends a list of agents at a Crawl-delay.
    """
    text, url = "\n".join(lines), at(path)

    expected = Protego.parse(text).can_fetch(url.href, AGENT)

    assert RobotsRules(text.encode(), AGENT).allows(url) == ruling(text.encode(), url, AGENT).allowed == expected


@given(_files(ODD_PIECES, [*OTHER_LINES, "Crawl-delay: 2"]), _paths(ODD_PIECES).map("/{}".format))
def test_the_deciding_line_decides(lines: list[str], path: str) -> None:
    """Alone against all lines of the other kind it prevails; and no line is named only where none matches."""
    body, url = "\n".join(lines).encode(), at(path)
    found = ruling(body, url, AGENT)
    mine, others = ("allow", "dis") if found.allowed else ("dis", "allow")

    assert RobotsRules(body, AGENT).allows(url) == found.allowed
    if found.line is None:
        assert found.allowed
        return
    kept = [
        line if number == found.line or not line.lower().startswith((mine, others)) or line.lower().startswith(others)
        else "Disallow:"
        for number, line in enumerate(lines, 1)
    ]  # fmt: skip
    assert lines[found.line - 1].partition("#")[0].strip() == found.rule
    assert RobotsRules("\n".join(kept).encode(), AGENT).allows(url) == found.allowed


@given(st.binary(max_size=300), st.text(max_size=10))
def test_no_body_and_no_agent_make_it_fail(body: bytes, agent: str) -> None:
    """Any answer of a server has a verdict."""
    assert RobotsRules(body, agent).allows(at("/a?b")) == ruling(body, at("/a?b"), agent).allowed


def test_what_is_beyond_a_bound_forbids_more() -> None:
    """A Disallow then counts as far as its first wildcard, an Allow not at all."""
    many = [f"{kind}: /{number}*x" for number, kind in product(range(MAX_WILDCARDS // 2), ("Allow", "Disallow"))]

    full = rules("User-agent: *", *many, "Disallow: /more*x", "Allow: /more/y*", "Allow: /other", "Disallow: /oth*")
    assert [full.allows(at(path)) for path in ("/1y", "/more/y", "/other", "/oth")] == [True, False, True, False]

    same = rules("User-agent: *", *["Disallow: /a*x"] * 2 * MAX_WILDCARDS, "Disallow: /b*x")
    assert [same.allows(at(path)) for path in ("/b", "/bx")] == [True, False]  # the same line twice is one

    long = rules(
        "User-agent: *", "Disallow: /a*" + "b" * 30_000, "Disallow: /b" + "b" * 30_000, "Allow: /ab" + "*" * 30_000
    )
    assert [long.allows(at(path)) for path in ("/ab", "/b", "/c")] == [False, True, True]


# --- what an answer means --------------------------------------------------------------------------------------------


def answer(status: int, body: bytes = b"User-agent: *\nDisallow: /", *, cut: bool = False, **headers: str) -> Response:
    """An answer to `/robots.txt`."""
    named = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Response(request=Request(url=at("/robots.txt")), status=status, headers=named, body=body, cut=cut)


@pytest.mark.parametrize("status", [200, 201, 206, 299])
def test_success_means_rules(status: int) -> None:
    """The body is kept with the answer's status, and believed for a day."""
    copy = judge(answer(status), NOW)

    assert copy == RobotsCopy(
        fetched_at=NOW, expires_at=NOW + LIFETIME, status=status, body=b"User-agent: *\nDisallow: /"
    )


def test_a_part_of_the_rules_is_none() -> None:
    """It could allow what the whole forbids."""
    found = judge(answer(206, Content_Range="bytes 0-9/500"), NOW)

    assert isinstance(found, RobotsOutcome)
    assert found.reason is Reason.ROBOTS_UNREACHABLE


@pytest.mark.parametrize("status", [300, 301, 304, 308, 400, 401, 403, 404, 410, 418, 451])
def test_unavailable_means_allowed(status: int) -> None:
    """The body of a refusal is no robots.txt (RFC 9309, 2.3.1.3)."""
    copy = judge(answer(status), NOW)

    assert isinstance(copy, RobotsCopy)
    assert (copy.status, copy.body, copy.expires_at) == (status, b"", NOW + LIFETIME)


@pytest.mark.parametrize(
    ("status", "header", "asked"),
    [
        (500, None, None),
        (503, "120", 120.0),
        (429, "7", 7.0),
        (599, "Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        (999, "x", None),
    ],
)
def test_unreachable_means_nothing_is_known(status: int, header: str | None, asked: float | None) -> None:
    """The server's own wish comes along (RFC 9309, 2.3.1.4)."""
    found = judge(answer(status, Retry_After=header or ""), NOW)

    assert found == RobotsOutcome(Reason.ROBOTS_UNREACHABLE, f"robots.txt: the server answered {status}", asked)


EARLY = b"User-agent: *\nDisallow: /first\n" + b"#" * (LONGEST - 100) + b"\nDisallow: /late\n"
LONG = EARLY + b"#" * 100 + b"\nDisallow: /beyond\n" + b"#" * LONGEST
HALF = b"User-agent: *\nDisallow: /first\nAllow: /first"  # "/first/2", cut


@pytest.mark.parametrize(
    ("response", "forbidden", "open_"),
    [
        (answer(200, LONG[:LONGEST], cut=True), ["/first", "/late"], ["/beyond"]),
        (answer(200, gzip.compress(LONG), Content_Encoding="gzip"), ["/first", "/late"], ["/beyond"]),
        (answer(200, gzip.compress(LONG)[:-9], Content_Encoding="gzip"), ["/first"], ["/beyond"]),
        (answer(200, HALF, cut=True), ["/first"], ["/x"]),
        (answer(200, HALF, cut=True, Content_Encoding="gzip"), ["/first"], ["/x"]),  # it is not what its header says
        (answer(200, HALF, Content_Encoding="utf-8"), [], ["/first", "/x"]),  # whole, and in no coding at all
    ],
)
def test_as_much_as_can_be_read_counts(response: Response, forbidden: list[str], open_: list[str]) -> None:
    """A robots.txt that is too long, cut short or badly coded still forbids what its whole lines forbid."""
    copy = judge(response, NOW)

    assert isinstance(copy, RobotsCopy)
    assert len(copy.body) <= LONGEST
    assert [path for path in (*forbidden, *open_) if not allowed(copy.body, path)] == forbidden
