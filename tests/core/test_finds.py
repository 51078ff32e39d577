"""core.finds: finds as one piece of bytes."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from crawler.core.finds import Find, Finds
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.core.visits import BadLink, Page
from support.ways import a_find, packed

FINDS = st.builds(
    a_find,
    url=st.sampled_from(["http://h/a?b", "https://[::1]:8443/", "http://xn--bcher-kva.example/%C3%BC"]).map(parse),
    depth=st.integers(0, 10**6),
    hops=st.integers(0, 20),
    chain=st.integers(0, 20),
    seed=st.booleans(),
    foreign=st.booleans(),
    sitemap=st.booleans(),
    lastmod=st.none() | st.text(max_size=30),
    refusal=st.none() | st.sampled_from(Reason),
)


@given(st.lists(FINDS, max_size=5).map(tuple))
def test_what_is_packed_comes_out_as_it_was(finds: tuple[Find, ...]) -> None:
    """Every field, the URL's parts too, also when copied as pickle would; any number of times."""
    small = packed(finds)

    assert tuple(small) == tuple(deepcopy(small)) == finds
    assert [(find.url.scheme, find.url.host, find.url.port) for find in small] == [
        (find.url.scheme, find.url.host, find.url.port) for find in finds
    ]
    assert len(small) == len(finds)


def test_they_are_small() -> None:
    """A hundred thousand links of a page, which may wait long for their commit, take a few megabytes."""
    small = packed(a_find(f"http://e{number}.example/", depth=1) for number in range(1000))

    assert small.size < 60_000


def test_finds_that_differ_in_their_urls_alone_are_one_run() -> None:
    """Another way, refusal or origin begins a new run; the order stays."""
    urls = ["http://h/1", "http://h/2", "https://h/3", "http://h:81/4", "http://h/5"]
    finds = [a_find(url, depth=1) for url in urls] + [a_find("http://h/6", depth=2), a_find("http://h/7", depth=2)]
    finds.append(a_find("http://h/8", depth=2, refusal=Reason.NOFOLLOW))

    runs = packed(finds).runs()

    assert [len(run.hrefs) for run in runs] == [2, 1, 1, 1, 2, 1]
    assert [run.of(href) for run in runs for href in run.hrefs] == finds


def test_links_to_one_host_are_smaller_still() -> None:
    """The facts of a run are packed once."""
    small = packed(a_find(f"http://e.example/{number:03}", depth=1) for number in range(1000))

    assert small.size < 24_000


def test_a_page_weighs_what_it_holds() -> None:
    """Its body, its data, its finds, and what it wrote that is no URL."""
    bad = (BadLink(text="ab", reason=Reason.NOT_A_URL),)

    page = Page(size=3, sha256="", content=b"abc", data=Raw(b"{}"), finds=Finds(b"12345", 1), bad_links=bad)

    assert page.weight == 3 + 2 + 5 + 2
