"""The URLs that a robots.txt pattern covers: RFC 9309, 2.2.2 and 2.2.3, and Google's parser where the RFC is silent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.urls import parse
from crawler.robots.rules import RobotsRules, Ruling, ruling

AGENT = "crawler"


def verdicts(body: bytes, *targets: str) -> list[bool]:
    """Return whether each path and query may be asked for; both ways of asking must agree."""
    urls = [parse(f"http://h{target}") for target in targets]
    rules = RobotsRules(body, AGENT)
    assert [rules.allows(url) for url in urls] == [ruling(body, url, AGENT).allowed for url in urls]
    return [rules.allows(url) for url in urls]


def covers(pattern: str | bytes, target: str) -> bool:
    """Return whether a Disallow with this pattern refuses the URL."""
    written = pattern if isinstance(pattern, bytes) else pattern.encode()
    (allowed,) = verdicts(b"User-agent: *\nDisallow: " + written, target)
    return not allowed


OCTETS: list[tuple[str | bytes, str, bool]] = [
    # RFC 9309, 2.2.2: the table of the section
    ("/foo/bar?baz=quz", "/foo/bar?baz=quz", True),
    ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https://foo.bar", True),
    ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", True),
    ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar", True),
    ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84", True),
    ("/foo/bar/%E3%83%84", "/foo/bar/\u30c4", True),
    ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
    ("/foo/bar/baz", "/foo/bar/%62%61%7A", True),
    # octets, and no characters: a pattern may end within one
    ("/%E3%81", "/%E3%81%82", True),
    ("/%E3", "/\u3042", True),
    (b"/\xe3\x81", "/%E3%81%82", True),
    ("/%E3%81$", "/%E3%81%82", False),
    ("/%E3%81*x", "/%E3%81%82x", True),
    # octets that are no UTF-8 differ from one another, and from U+FFFD
    ("/%E9", "/%E9tude", True),
    ("/%e9", "/%E9tude", True),
    (b"/\xe9", "/%e9tude", True),
    ("/%E9", "/%E8tude", False),
    (b"/\xe9", "/%E8tude", False),
    ("/%FF", "/%EF%BF%BD", False),
    ("/%EF%BF%BD", "/%E9", False),
    ("/caf\u00e9", "/cafe%CC%81", False),  # two spellings of one word are two paths
    # escapes of unreserved and reserved characters, in any case of their digits
    ("/%7Ejoe/", "/~joe/", True),
    ("/~joe/", "/%7ejoe/", True),
    ("/a%3Bb", "/a;b", True),
    ("/a;b", "/a%3bb", True),
    ("/a%3cd", "/a%3Cd", True),
    ("/a<d", "/a%3Cd", True),
    ("/a b", "/a%20b", True),
    ("/a|b", "/a|b", True),
    ("/a|b", "/a%7Cb", True),
    ("/a%7cb", "/a|b", True),
    ("/{id}", "/%7Bid%7D", True),
    (b"/a\x00b", "/a%00b", True),
    ("/A", "/a", False),
    # an escaped slash of a path is none, and an escaped percent sign begins no escape
    ("/a%2Fb", "/a/b", False),
    ("/a/b", "/a%2Fb", False),
    ("/a%2fb", "/a%2Fb", True),
    ("/*%2F", "/x?u=%2Fy", True),
    ("/*u=/y", "/x?u=%2Fy", True),
    ("/*/y", "/x%2Fy", False),
    ("/a%2541", "/aA", False),
    ("/a%2541", "/a%2541", True),
    ("/a%", "/a%", True),
    ("/a%zz", "/a%zz", True),
    ("/a%4", "/a%41", False),
]


@pytest.mark.parametrize(("pattern", "target", "expected"), OCTETS)
def test_paths_are_compared_octet_by_octet(pattern: str | bytes, target: str, *, expected: bool) -> None:
    """RFC 9309, 2.2.2: both sides are normalised, then a pattern is a beginning of the URL's octets."""
    assert covers(pattern, target) is expected


WILDCARDS = [
    # RFC 9309, 2.2.3
    ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
    ("/path/file-with-a-%2A.html", "/path/file-with-a-%2A.html", True),
    ("/path/file-with-a-%2a.html", "/path/file-with-a-x.html", False),
    ("/path/foo-%24", "/path/foo-$", True),
    ("/path/foo-%24", "/path/foo-%24", True),
    ("/path/foo-%24", "/path/foo-", False),
    ("/this/path/exactly$", "/this/path/exactly", True),
    ("/this/path/exactly$", "/this/path/exactly/", False),
    ("/this/path/exactly$", "/this/path/exactly$", False),
    ("/this/*/exactly", "/this/way/exactly", True),
    # `$` means the end only at the end, and a star before it takes all
    ("/a$b", "/a$bc", True),
    ("/a$*", "/a$", True),
    ("/a$*", "/a", False),
    ("/a$$", "/a$", True),
    ("/a*$", "/abc", True),
    ("/$", "/", True),
    ("/$", "/a", False),
    ("/*.php$", "/x.php", True),
    ("/*.php$", "/x.php?y=1", False),
    ("/*.php$", "/x.php?y=.php", True),
    ("/*.php", "/x.php5", True),
    ("/*.php", "/x.PHP", False),
    ("/fish*", "/fish", True),
    ("/fish*.php", "/fishheads/catfish.php?id=1", True),
    ("/a*b*c", "/a-c-b", False),
    ("/a*b*c", "/a-b-b-c", True),
    ("/x*b*b*c", "/x-b-c", False),
    ("/a**b", "/ab", True),
    ("/*aba$", "/ababa", True),
    ("/a*a$", "/a", False),
    ("/*?", "/a?", True),
    ("/*?", "/a", False),
    ("/*\u00e9$", "/caf%C3%A9", True),
    # a pattern begins with a slash or a wildcard, or covers nothing
    ("*", "/a", True),
    ("*a", "/ba", True),
    ("*.gif$", "/x.gif", True),
    ("a", "/a", False),
    ("$", "/", False),
    ("http://h/a", "/a", False),
]


@pytest.mark.parametrize(("pattern", "target", "expected"), WILDCARDS)
def test_two_characters_are_special(pattern: str, target: str, *, expected: bool) -> None:
    """RFC 9309, 2.2.3: `*` is any number of octets, a final `$` the end; their escapes are the characters."""
    assert covers(pattern, target) is expected


DECISIONS = [
    (["Allow: /p", "Disallow: /"], "/page", "Allow: /p"),
    (["Allow: /folder", "Disallow: /folder"], "/folder/page", "Allow: /folder"),
    (["Allow: /page", "Disallow: /*.htm"], "/page.htm", "Disallow: /*.htm"),
    (["Allow: /$", "Disallow: /"], "/", "Allow: /$"),
    (["Allow: /$", "Disallow: /"], "/page.htm", "Disallow: /"),
    (["Disallow: /x/page.html", "Allow: /x/"], "/x/page.html", "Disallow: /x/page.html"),
    (["Disallow: /*b", "Allow: /ab"], "/abc", "Allow: /ab"),
    (["Allow: /ab", "Disallow: /a*b"], "/abc", "Disallow: /a*b"),
    (["Disallow: /\u00e9", "Allow: /*%A9"], "/%C3%A9", "Disallow: /\u00e9"),  # seven octets and five
    (["Disallow: /%41%42", "Allow: /abc", "Allow: /AB*"], "/ABC", "Allow: /AB*"),  # three octets and four
    (["Disallow: /", "Allow: /slash/index.html"], "/slash/", "Allow: /slash/index.html"),
    (["Disallow: /", "Allow: /slash/index.htm"], "/slash/", "Allow: /slash/index.htm"),
    (["Disallow: /", "Allow: /slash/index.html"], "/slash/index.htm", "Disallow: /"),
    (["Disallow: /a%2Ab", "Disallow: /a*b"], "/a*b", "Disallow: /a%2Ab"),
    (["Disallow: /", "Allow: /%62?u=%2F"], "/b?u=/", "Allow: /%62?u=%2F"),
    (["Disallow:", "Allow:"], "/a", None),
    (["Disallow: /robots"], "/robots.txt", None),
    (["Disallow: /robots"], "/robots.txt?a", None),
    (["Disallow: /robots"], "/robots.txt.gz", "Disallow: /robots"),
]


@pytest.mark.parametrize(("lines", "target", "rule"), DECISIONS)
def test_the_most_octets_decide(lines: list[str], target: str, rule: str | None) -> None:
    """RFC 9309, 2.2.2: the longest match, an Allow among equals, and everything that no rule matches is allowed."""
    body = "\n".join(["User-agent: *", *lines]).encode()

    found = ruling(body, parse(f"http://h{target}"), AGENT)

    expected = rule is None or rule.startswith("Allow")
    assert (
        found == Ruling(allowed=expected, line=2 + lines.index(rule), rule=rule, group="*")
        if rule
        else Ruling(allowed=True)
    )
    assert verdicts(body, target) == [expected]


@given(st.text("ab/*$", max_size=8), st.text("ab/$", max_size=8).map("/{}".format))
def test_a_wildcard_never_needs_to_go_back(pattern: str, target: str) -> None:
    """The first place where a pattern can go on decides as a search of all places does."""
    body, anchored = pattern.removesuffix("$"), pattern.endswith("$")
    regex = ".*".join(re.escape(part) for part in body.split("*")) + ("$" if anchored else "")

    assert covers(pattern, target) is (pattern != "" and re.match(regex, target) is not None)


def test_the_work_for_one_url_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a Disallow counts as far as its first wildcard, an Allow not at all."""
    body = b"User-agent: *\nAllow: /x/*ok\nDisallow: /x/*abc\nDisallow: /y/*def\n"
    targets = ("/x/", "/x/ok", "/x/abc", "/y/", "/z/abc")
    assert verdicts(body, *targets) == [True, True, False, True, True]

    monkeypatch.setattr("crawler.robots.matching.MOST_WORK", 1)

    assert verdicts(body, *targets) == [False, False, False, False, True]


def test_octets_that_are_no_text_are_told_as_urls_write_them() -> None:
    """A rule that is no UTF-8 is told percent-encoded, so that it can be written; so are a group and a sitemap."""
    body = b"Sitemap: http://h/\xe9\nUser-agent: *\nUser-agent: crawler/\xe9\nDisallow: /\xe9\n"

    found = ruling(body, parse("http://h/%E9"), AGENT)

    assert found == Ruling(allowed=False, line=4, rule="Disallow: /%E9", group="crawler/%E9")
    assert RobotsRules(body, AGENT).sitemaps == ("http://h/%E9",)
