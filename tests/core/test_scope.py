"""core.scope: which URLs belong to a run."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.config import ScopeConfig
from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge, Scope, ScopeMode
from crawler.core.urls import Host, Url, parse

# mode, a seed, what it brings in, what it does not
REACH = [
    (
        "host",
        "http://h/docs/guide",
        ["http://h/", "https://h/x", "http://h:443/", "https://h:80/", "http://h/docs/other?q"],
        ["http://www.h/", "http://h.example/", "http://h:8080/", "http://h./"],
    ),
    ("host", "https://h/", ["http://h/", "https://h:443/a"], ["https://h:8443/"]),
    ("host", "http://h:8080/", ["https://h:8080/a"], ["http://h/", "http://h:8081/"]),
    ("host", "http://[::1]:8000/", ["http://[0::1]:8000/a"], ["http://[::1]/", "http://[::2]:8000/"]),
    (
        "domain",
        "http://www.example.co.uk/a/b",
        ["https://example.co.uk/", "http://a.b.example.co.uk:8080/"],
        ["http://other.co.uk/", "http://co.uk/", "http://example.com/", "http://example.co.uk./"],
    ),
    ("domain", "http://alice.github.io/", ["http://www.alice.github.io/"], ["http://bob.github.io/"]),
    ("domain", "http://127.0.0.1:8000/", ["http://127.0.0.1:9000/"], ["http://10.0.0.1/", "http://1.0.0.127/"]),
    ("domain", "http://localhost/", ["http://localhost:81/"], ["http://app.localhost/"]),
    (
        "prefix",
        "http://h/docs/guide/intro.html?from=/a/b/",
        ["http://h/docs/guide/", "https://h/docs/guide/deep/er?x", "http://h/docs/guide/intro.html"],
        [
            "http://h/docs/guide",
            "http://h/docs/",
            "http://h/Docs/guide/",
            "http://h:81/docs/guide/",
            "http://h/?/docs/guide/",
        ],
    ),
    ("prefix", "http://h/docs", ["http://h/", "http://h/other/x"], ["http://g/docs"]),  # the folder of `docs` is `/`
    ("prefix", "http://h/a//", ["http://h/a//b"], ["http://h/a/b"]),
    ("prefix", "http://h/a%2Fb/c", ["http://h/a%2Fb/d"], ["http://h/a/b/d"]),
    ("all", "http://h/", ["http://elsewhere.example:81/a", "https://[::1]/"], []),
]

HOSTS = st.sampled_from(
    ["h", "h:8080", "www.example.co.uk", "example.co.uk", "alice.github.io", "127.0.0.1", "[::1]:81"]
)
PATHS = st.lists(st.sampled_from(["a", "b", "", "c.html"]), max_size=5).map("/".join)
URLS = st.builds(
    lambda scheme, host, path, query: parse(f"{scheme}://{host}/{path}{query}"),
    st.sampled_from(["http", "https"]),
    HOSTS,
    PATHS,
    st.sampled_from(["", "?", "?q=/a/b"]),
)


def is_in(scope: Scope, url: Url, seeds: list[Url]) -> bool:
    """Return True if one of the URL's places was brought in, as a frontier asks."""
    return not {scope.brings(seed) for seed in seeds}.isdisjoint(scope.places(url))


@pytest.mark.parametrize(("mode", "seed", "inside", "outside"), REACH)
def test_how_far_a_seed_reaches(mode: str, seed: str, inside: list[str], outside: list[str]) -> None:
    """A seed brings in its host, its domain, its folder or everything."""
    scope = Scope(mode)

    for text in [seed, *inside]:
        assert is_in(scope, parse(text), [parse(seed)]), text
    for text in outside:
        assert not is_in(scope, parse(text), [parse(seed)]), text


@given(st.sampled_from(ScopeMode), URLS, st.lists(URLS, max_size=4))
def test_seeds_only_ever_widen_the_scope(mode: ScopeMode, url: Url, seeds: list[Url]) -> None:
    """A URL is in scope if one seed alone has it there, and a seed itself always is."""
    scope = Scope(mode)

    assert is_in(scope, url, seeds) == any(is_in(scope, url, [seed]) for seed in seeds)
    assert is_in(scope, url, [*seeds, url])


@given(URLS, URLS)
def test_a_prefix_is_the_folder_on_the_same_site(url: Url, seed: Url) -> None:
    """The mode prefix is the mode host with the path's beginning compared."""
    folder = seed.target.partition("?")[0].rpartition("/")[0] + "/"
    expected = is_in(Scope("host"), url, [seed]) and url.target.partition("?")[0].startswith(folder)

    assert is_in(Scope("prefix"), url, [seed]) == expected


@given(st.sampled_from(ScopeMode), URLS, URLS)
def test_no_place_is_shared_across_sites(mode: ScopeMode, url: Url, seed: Url) -> None:
    """A URL in scope has the site of a seed, so the flag of a host may be asked first."""
    scope = Scope(mode)

    if is_in(scope, url, [seed]):
        assert scope.site(url.host_port) == scope.site(seed.host_port)


def test_the_site_of_a_host() -> None:
    """A site joins both default ports, a registered domain on all ports, or everything."""
    assert Scope("host").site(Host("h:80")) == Scope("host").site(Host("h:443")) == "h"
    assert Scope("prefix").site(Host("h:8080")) == "h:8080"
    assert Scope("domain").site(Host("www.example.co.uk:8080")) == "example.co.uk"
    assert Scope("domain").site(Host("[::1]:80")) == "[::1]"
    assert Scope("all").site(Host("h:80")) == Scope("all").site(Host("g:81"))


def test_an_unknown_mode_is_refused() -> None:
    """The message names the modes that there are."""
    with pytest.raises(UsageError, match=r"--scope: expected host, domain, prefix, all, got 'site'"):
        Scope("site")


PATTERNS: list[tuple[tuple[str, ...], tuple[str, ...], str, Reason | None]] = [
    ((), (), "http://h/", None),
    ((), (r"\.pdf$",), "http://h/a.pdf", Reason.EXCLUDED),
    ((), (r"\.pdf$",), "http://h/a.pdf?v=1", None),  # the pattern sees the query too
    ((), (r"\.pdf$", "/private/"), "http://h/private/", Reason.EXCLUDED),
    (("/docs/",), (), "http://h/docs/a", None),
    (("/docs/",), (), "http://h/news/a", Reason.NOT_INCLUDED),
    (("/docs/", "/news/"), (), "http://h/news/a", None),  # one of them is enough
    (("/docs/",), ("draft",), "http://h/docs/draft", Reason.EXCLUDED),  # exclude beats include
    (("/docs/",), ("draft",), "http://h/draft", Reason.EXCLUDED),
    (("^https:",), (), "http://h/https:", Reason.NOT_INCLUDED),  # the whole URL, scheme and host included
    (("(?i)/DOCS/",), (), "http://h/docs/", None),
    (("%C3%BC",), (), "http://h/ü", None),  # the canonical spelling
    ((r"xn--bcher-kva\.example/",), (), "http://bücher.example/", None),
]


@pytest.mark.parametrize(("include", "exclude", "url", "reason"), PATTERNS)
def test_patterns_choose_among_the_links(
    include: tuple[str, ...], exclude: tuple[str, ...], url: str, reason: Reason | None
) -> None:
    """A link must match a pattern of --include, if there are any, and none of --exclude."""
    judge = LinkJudge(ScopeConfig(include=include, exclude=exclude))

    assert judge.refusal(parse(url), depth=1) is reason


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://h/docs/a", (None, "/docs/")),
        ("http://h/docs/old", (Reason.EXCLUDED, "old")),
        ("http://h/news", (Reason.NOT_INCLUDED, None)),
    ],
)
def test_the_pattern_that_decides_is_known(url: str, told: tuple[Reason | None, str | None]) -> None:
    """The pattern is told as the user wrote it; none where none matches."""
    judge = LinkJudge(ScopeConfig(include=("/x/", "/docs/"), exclude=("new$", "old")))

    assert judge.by_pattern(parse(url)) == told


@pytest.mark.parametrize(
    ("most", "depth", "reason"),
    [(None, 10**6, None), (2, 2, None), (2, 3, Reason.DEPTH_LIMIT), (0, 0, None), (0, 1, Reason.DEPTH_LIMIT)],
)
def test_links_are_followed_so_many_steps(most: int | None, depth: int, reason: Reason | None) -> None:
    """--max-depth counts the links from a seed; a redirect of a seed is none."""
    assert LinkJudge(ScopeConfig(max_depth=most)).refusal(parse("http://h/"), depth) is reason


def test_traps_of_shape_are_refused_unless_told_otherwise() -> None:
    """--no-traps lets every shape through."""
    endless = parse("http://h" + "/a" * 30)

    assert LinkJudge(ScopeConfig()).refusal(endless, depth=1) is Reason.TRAP_PATH_DEPTH
    assert LinkJudge(ScopeConfig(traps=False)).refusal(endless, depth=1) is None


def test_a_long_url_is_refused_before_a_pattern_sees_it() -> None:
    """The cost of backtracking is bounded by the length that a trap has, not by that of a URL."""
    judge = LinkJudge(ScopeConfig(include=("never",)))

    assert judge.refusal(parse("http://h/" + "a" * 3000), depth=1) is Reason.TRAP_URL_LENGTH


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", r"include: '\(' is no regular expression: missing \)"),
        ("*.pdf", r"include: '.*' is no regular expression: nothing to repeat at .*; .* is \\.html\$ here$"),
        ("a{99999999999999999999}", "is no regular expression: .* too large"),
        ("(" * 10_000, "is no regular expression"),
        ("ü", "include: 'ü' matches no URL: they are ASCII, so write ü as %C3%BC"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_at_the_start(pattern: str, message: str) -> None:
    """The message names the option and says what is wrong."""
    with pytest.raises(UsageError, match=message):
        LinkJudge(ScopeConfig(include=(pattern,)))


@given(URLS, st.integers(0, 4))
def test_the_judge_travels_to_another_process(url: Url, depth: int) -> None:
    """Pickled and read back, it judges as before, and asking twice changes nothing."""
    judge = LinkJudge(ScopeConfig(include=("a",), exclude=("b/c",), max_depth=3))

    twin = pickle.loads(pickle.dumps(judge))  # noqa: S301, TID251 - that it can be done is the point

    assert twin.refusal(url, depth) is judge.refusal(url, depth) is judge.refusal(url, depth)
