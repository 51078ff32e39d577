"""core.sitemaps: how sitemaps are named, and what becomes of those that a robots.txt names."""

import pytest

from crawler.core.config import ScopeConfig
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge
from crawler.core.sitemaps import MAX_DISCOVERED, discovered, sitemap_in
from support.ways import a_find, a_request

REQUEST = a_request("http://h:8000/deep/page?x", depth=3, hops=1, seed=True, named=True)
JUDGE = LinkJudge(ScopeConfig(include=("x",), exclude=("y",)))


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("Sitemap: http://h/s", "http://h/s"),
        ("SITEMAP:http://h/s", "http://h/s"),
        ("sitemap \t:\t /s", "/s"),
        ("sitemap:", ""),
        ("http://h/sitemap:x", None),
        ("Sitemaps: http://h/s", None),
        ("", None),
    ],
)
def test_a_line_names_a_sitemap_as_in_a_robots_txt(line: str, url: str | None) -> None:
    """In any case, with or without spaces."""
    assert sitemap_in(line) == url


def test_a_robots_txt_names_sitemaps_and_no_seeds() -> None:
    """Relative ones are relative to itself, what is no URL is left out, and nothing of the request is taken over."""
    urls = ["https://cdn.example/s.xml", "/y.xml", "s.xml", "/s.txt", "ftp://h/s", "http://["]

    assert discovered(urls, REQUEST, JUDGE).finds == (
        a_find("https://cdn.example/s.xml", sitemap=True),
        a_find("http://h:8000/y.xml", sitemap=True, refusal=Reason.EXCLUDED),
        a_find("http://h:8000/s.xml", sitemap=True),
        a_find("http://h:8000/s.txt", sitemap=True),
    )


def test_the_sitemaps_of_a_robots_txt_are_bounded() -> None:
    """The first thousand are taken."""
    finds = discovered((f"/{at}" for at in range(2000)), REQUEST, JUDGE).finds

    assert [find.url.target for find in finds] == [f"/{at}" for at in range(MAX_DISCOVERED)]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("http://h/a\thttp://h/b", None),
        ("http://h/a http://h/b", None),
        ("http://h/a\x0bb", None),
        ("/a\u00a0b", None),
        ("127.0.0.1:18400/s.xml", None),  # a URL without its scheme, and no path
        ("www.example.com/s.xml", None),
        ("http:/h/s.xml", None),
        (" http://h/a \t", "http://h/a"),
        ("HTTPS://h/a", "https://h/a"),
        ("//h/a", "http://h/a"),
        ("maps/s.xml", "http://h:8000/maps/s.xml"),
        ("s.xml?a=/b", "http://h:8000/s.xml?a=/b"),
        ("/my map.xml", "http://h:8000/my%20map.xml"),
    ],
)
def test_a_robots_txt_names_no_sitemap_that_nobody_wrote(written: str, found: str | None) -> None:
    """sitemaps.org asks for "the full URL"; a relative one is taken where it can mean nothing else."""
    assert [find.url.href for find in discovered([written], REQUEST, JUDGE).finds] == ([found] if found else [])


def test_a_sitemap_that_is_no_url_is_named() -> None:
    """So that the user can be told of it: nothing of a robots.txt is left out without a word."""
    found = discovered(["http://[x/", "/map.xml", "http://h/a\thttp://h/b"], REQUEST, JUDGE)

    assert len(found.finds) == 1
    assert found.bad == ("http://[x/", "http://h/a\thttp://h/b")
