"""The groups of a robots.txt and their owners: RFC 9309, 2.1, 2.2.1 and 2.2.4, and Google's parser."""

import pytest

from crawler.core.urls import parse
from crawler.robots.parser import LONGEST
from crawler.robots.rules import RobotsRules


def allowed(body: str | bytes, target: str = "/a", agent: str = "crawler") -> bool:
    """Return whether a body lets an agent have a path."""
    written = body if isinstance(body, bytes) else body.encode()
    return RobotsRules(written, agent).allows(parse(f"http://h{target}"))


BETWEEN = [
    "Crawl-delay: 5",
    "Crawl-delay: soon",
    "crawl delay 5",
    "Request-rate: 1/10",
    "Visit-time: 0600-0845",
    "Sitemap: http://h/s.xml",
    "Host: h",
    "Clean-param: ref /some",
    "Noindex: /a",
    "Content-Signal: ai-train=no",
    "nonsense",
    ": /a",
    "# a comment",
    "",
]


@pytest.mark.parametrize("line", BETWEEN)
def test_only_rules_end_a_list_of_agents(line: str) -> None:
    """RFC 9309, 2.2.4: any other line leaves the group as it is, as in Google's parser."""
    body = f"User-agent: crawler\n{line}\nUser-agent: other\nDisallow: /\n\nUser-agent: *\nAllow: /"

    assert not allowed(body)
    assert not allowed(body, agent="other")
    assert allowed(body, agent="third")


@pytest.mark.parametrize("rule", ["Disallow: /x", "Disallow:", "Allow: /", "Allow:", "disallow /x", "Dissalow: /x"])
def test_a_rule_ends_a_list_of_agents(rule: str) -> None:
    """RFC 9309, 2.1: a group is one or more agents and the rules after them; a rule without a path is one."""
    body = f"User-agent: crawler\n{rule}\nUser-agent: other\nDisallow: /"

    assert allowed(body)
    assert not allowed(body, agent="other")


DELAYS = [
    (["User-agent: other", "Crawl-delay: 5", "User-agent: crawler", "Disallow: /x"], 5.0),
    (["User-agent: crawler", "Crawl-delay: 5", "User-agent: other", "Disallow: /x"], 5.0),
    (["User-agent: crawler", "Crawl-delay: 5", "User-agent: other", "Crawl-delay: 9", "Disallow: /x"], 9.0),
    (["User-agent: crawler", "User-agent: other", "Disallow: /x", "Crawl-delay: 5"], 5.0),
    (["User-agent: crawler", "Crawl-delay: 5", "Allow: /", "User-agent: crawler", "Crawl-delay: 2"], 5.0),
    (["User-agent: other", "Disallow: /x", "Crawl-delay: 5", "User-agent: crawler", "Disallow: /x"], None),
    (["User-agent: other", "Crawl-delay: 5", "Disallow: /x", "User-agent: crawler", "Disallow: /x"], None),
    (["User-agent: *", "Crawl-delay: 5", "Disallow: /x", "User-agent: crawler"], None),
    (["Crawl-delay: 5", "User-agent: crawler", "Disallow: /x"], None),
]


@pytest.mark.parametrize(("lines", "expected"), DELAYS)
def test_a_delay_is_its_whole_groups(lines: list[str], expected: float | None) -> None:
    """It counts for each agent of the group that it stands in, whichever comes first."""
    assert RobotsRules("\n".join(lines).encode(), "crawler").crawl_delay == expected


GROUPS = [
    # RFC 9309, 2.2.1: the groups of one agent are one, and those of `*` count where there is none
    ("User-agent: crawler\nDisallow: /x\nUser-agent: *\nDisallow: /\nUser-agent: crawler\nDisallow: /a", False),
    ("User-agent: crawler\nDisallow: /x\n\nUser-agent: *\nDisallow: /", True),
    ("User-agent: other\nDisallow:\n\nUser-agent: *\nDisallow: /", False),
    ("User-agent: *\nDisallow: /\n\nUser-agent: crawler\nCrawl-delay: 1", True),
    ("USER-AGENT: CRAWLER\nDISALLOW: /", False),
    ("user-agent:crawler\ndisallow:/", False),
    ("  User-agent  :  crawler  \n\t Disallow \t: \t / \t", False),
    ("User-agent: crawler # we\nDisallow: / # all", False),
    ("User-agent: *\nDisallow: /a#b", False),
    ("User-agent: crawler\n\n\n\nDisallow: /", False),
    ("Disallow: /\nUser-agent: crawler\nDisallow: /x", True),  # a rule before any agent is nobody's
    ("User-agent:\nDisallow: /", True),
]


@pytest.mark.parametrize(("body", "expected"), GROUPS)
def test_a_group_is_its_agents(body: str, *, expected: bool) -> None:
    """RFC 9309, 2.2.1: names are compared without case, and all groups of one name hold."""
    assert allowed(body) is expected


TOKENS = [
    ("crawler, otherbot", "crawler"),
    ("crawler;", "crawler"),
    ("crawler(all)", "crawler"),
    ("crawler:", "crawler"),
    ("crawler+http://h/", "crawler"),
    ("Crawler.Bot", "crawler"),
    ("crawler2", "crawler"),
    ('"crawler"', "crawler"),
    ("*crawler", "crawler"),
    ("*/1.0", "*"),
    ("*;", "*"),
    ("crawler-images", None),
    ("crawler_images", None),
    ("my crawler", None),
    ("/crawler", None),
    ("", None),
]


@pytest.mark.parametrize(("written", "token"), TOKENS)
def test_a_token_ends_at_the_first_character_that_none_may_have(written: str, token: str | None) -> None:
    """RFC 9309, 2.2.1: it has letters, `_` and `-`; a star or quote before it is left out, since that forbids more."""
    assert allowed(f"User-agent: {written}\nDisallow: /") is (token is None)
    assert allowed(f"User-agent: {written}\nDisallow: /", agent="third") is (token != "*")


@pytest.mark.parametrize(("written", "is_ours"), [("bot2.x", True), ("bot2.x!", True), ("bot3", False), ("bot", False)])
def test_what_else_our_own_token_has_belongs_to_one(written: str, *, is_ours: bool) -> None:
    """A token with a digit is told from its neighbours by it."""
    assert allowed(f"User-agent: {written}\nDisallow: /", agent="Bot2.x/1.0") is not is_ours


BYTES = [
    b"User-agent: *\r\nDisallow: /a\r\n",
    b"User-agent: *\rDisallow: /a",
    b"User-agent: *\n\rDisallow: /a\n\r",
    b"User-agent: *\r\r\n\nDisallow: /a",
    b"\xef\xbb\xbfUser-agent: *\nDisallow: /a",
    b"\x00\nUser-agent: *\n\x00\x00\nDisallow: /a",
    b"\xff\xfe\nUser-agent: *\n\xe9: \xe9\nDisallow: /a",
    b"User-agent: *\nDisallow: /a\x00\nDisallow: /a",
    b"User-agent: *\nNoise: " + b"x" * 100_000 + b"\nDisallow: /a",
    b"User-agent: *\nDisallow: /" + b"x" * 100_000 + b"\nDisallow: /a",
    b"User-agent: *\nDisallow: /a*" + b"x" * 100_000,  # longer than any URL: as far as its wildcard
    b"# " + b"\xe9" * 200_000 + b"\nUser-agent: *\nDisallow: /a",
]


@pytest.mark.parametrize("body", BYTES, ids=range(len(BYTES)))
def test_lines_are_found_in_any_bytes(body: bytes) -> None:
    """RFC 9309, 2.2: CR, LF and CRLF end a line, a byte order mark begins none, and other bytes hide none."""
    assert len(body) <= LONGEST
    assert not allowed(body)
    assert allowed(body, "/b")
