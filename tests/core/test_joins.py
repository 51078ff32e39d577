from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core import joins
from crawler.core.errors import UrlError
from crawler.core.joins import MOST_CHARACTERS, Joiner
from crawler.core.urls import Url, parse

BASES = [
    parse(text)
    for text in (
        "http://h/d/p.html?q=1",
        "http://h/d/other.html",
        "http://h/d/",
        "http://h/e/p.html",
        "http://h/",
        "http://h/?a/b",
        "http://h/d?a/b/c",
        "https://h/d/p.html",
        "https://h:8443/d/p.html",
        "http://other/d/p.html",
        "http://h/" + "d/" * MOST_CHARACTERS,
    )
]
PIECES = [
    "",
    "a",
    "b.html",
    "/",
    "//",
    "\\",
    ".",
    "..",
    "./",
    "../",
    "?",
    "#",
    ":",
    "http:",
    "https://",
    "HTTP://",
    "h",
    "@",
]
BLANKS = [" ", "\t", "\n", "\x00", "\u00a0", "\u00e4", "%2e", "%2F", ";", "=", "&", "x" * MOST_CHARACTERS]


def resolved(reference: str, base: Url | None) -> Url | str:
    """Return the URL, or the reason why there is none."""
    try:
        return Joiner(base).join(reference)
    except UrlError as error:
        return error.reason


def anew(reference: str, base: Url | None) -> Url | str:
    """Return the same without any memory."""
    try:
        return parse(reference, base)
    except UrlError as error:
        return error.reason


@given(st.lists(st.sampled_from(PIECES + BLANKS), max_size=6).map("".join))
@example("http:x")
@example("http:")
@example("http:?x")
@example("//other/x")
@example("a:b")
@example("./a:b")
@example("\t?x")
def test_a_reference_leads_to_the_same_url_under_every_base(reference: str) -> None:
    """The memory of one base never answers for another that counts."""
    for base in (*BASES, None):
        assert resolved(reference, base) == anew(reference, base), base


@pytest.mark.parametrize(
    ("reference", "base", "like"),
    [
        ("x.html", BASES[0], BASES[1]),  # one folder
        ("/x", BASES[0], BASES[3]),  # one origin
        ("http://far/x", BASES[0], BASES[9]),  # whole: any base
    ],
)
def test_what_another_page_of_the_folder_held_is_remembered(reference: str, base: Url, like: Url) -> None:
    """It is the very object, so it was not resolved again."""
    assert Joiner(base).join(reference) is Joiner(like).join(reference)


@pytest.mark.parametrize("reference", ["x" * (MOST_CHARACTERS + 1), "http://[bad", "?x"])
def test_what_is_long_or_wrong_or_depends_on_the_page_is_not_remembered(reference: str) -> None:
    """The memory holds MOST results of a bounded length each."""
    before = joins._memory.room

    with suppress(UrlError):
        Joiner(BASES[0]).join(reference)

    assert joins._memory.room == before


def test_a_full_memory_takes_no_more_and_is_emptied_for_the_next_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base takes three places, for its folder, its origin and whole URLs, and each result takes one."""
    monkeypatch.setattr(joins, "MOST", 5)
    monkeypatch.setattr(joins, "_memory", joins._Memory())
    joiner = Joiner(BASES[0])

    kept = [joiner.join(name) is joiner.join(name) for name in "abc"]
    old = joiner.join("a")

    assert kept == [True, True, False]
    assert Joiner(BASES[0]).join("a") is not old
    assert Joiner(BASES[0]).join("a") == old
