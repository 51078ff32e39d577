"""The grammars inside attributes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.attributes import (
    MAX_CANDIDATES,
    TooManyCandidates,
    candidates,
    directives,
    has_token,
    refresh,
    words,
)
from support.growth import grows_linearly


def taken(srcset: str) -> list[str]:
    """The candidates that come before there are too many."""
    found: list[str] = []
    with suppress(TooManyCandidates):
        for url in candidates(srcset):
            found.append(url)  # noqa: PERF402 - what came before the error counts
    return found


SRCSETS = [
    ("", []),
    (" , ,, ", []),
    ("a", ["a"]),
    ("a 2x", ["a"]),
    ("a, b 2x ,c", ["a", "b", "c"]),
    ("a,b", ["a,b"]),  # a comma within a URL belongs to it
    ("a,b 2x, c", ["a,b", "c"]),
    ("a,, b", ["a", "b"]),  # at its end it does not
    (",a,", ["a"]),
    ("data:image/gif;base64,AAA= 1x, b 2x", ["data:image/gif;base64,AAA=", "b"]),
    ("a\n\t2x\f,\r\nb", ["a", "b"]),
    ("a 100w, b 200w 100h, c 100h 200w", ["a", "b", "c"]),
    ("a 1.5x, b .5x, c 1e3x, d 0x", ["a", "b", "c", "d"]),
    ("a 2y, b", ["b"]),  # what is no descriptor makes its candidate none
    ("a 0w, b", ["b"]),
    ("a 1.5w, b", ["b"]),
    ("a 1.x, b", ["b"]),
    ("a -1x, b", ["b"]),
    ("a 2X, b", ["b"]),
    ("a 100h, b", ["b"]),  # a height without a width
    ("a 1x 2x, b", ["b"]),
    ("a\u00a02x, b", ["a\u00a02x", "b"]),  # only ASCII white space separates
    ("a 2x\u00a0, b", ["b"]),
    ("a 100w\u00a0100h, b", ["b"]),
    ("a\x0b2x", ["a\x0b2x"]),
    ("a\u3000b 2x", ["a\u3000b"]),
    ("a 1x 100w, b", ["b"]),
    ("a (b, c) d, e", ["e"]),  # commas within parentheses part nothing
    ("a (b, c", []),
    ("a 2x (b), c", ["c"]),
    ("a" + " " * 5000 + "2x, b" + " 1x" * 5000, ["a"]),
]


@pytest.mark.parametrize(("srcset", "urls"), SRCSETS)
def test_a_srcset_gives_its_candidates(srcset: str, urls: list[str]) -> None:
    """HTML, "parse a srcset attribute"."""
    assert list(candidates(srcset)) == urls


@pytest.mark.parametrize("part", ["a,", "a, ", ",", " ", "(", "a (", "a 1x,", "a (,) "])
def test_a_srcset_of_megabytes_is_read_in_one_pass(part: str) -> None:
    """Its candidates are bounded, and no pattern goes back, whatever it is made of."""
    assert len(taken(part * 500_000)) <= MAX_CANDIDATES
    assert grows_linearly(lambda size: taken(part * size), 50_000)


def test_a_srcset_that_is_cut_says_so() -> None:
    """After a thousand candidates; those before have been given."""
    srcset = [f"{at} {at + 1}w" for at in range(MAX_CANDIDATES + 1)]

    assert len(taken(", ".join(srcset))) == MAX_CANDIDATES
    with pytest.raises(TooManyCandidates):
        list(candidates(", ".join(srcset)))
    assert len(list(candidates(", ".join(srcset[1:])))) == MAX_CANDIDATES


@pytest.mark.parametrize("space", list("\t\n\f\r "))
def test_ascii_white_space_separates_tokens(space: str) -> None:
    """Infra, "split on ASCII whitespace"."""
    assert has_token(f"a{space}NoFollow", "nofollow")
    assert words(f"{space}a{space}b") == ["a", "b"]


@pytest.mark.parametrize("other", list("\x0b\x1c\x1f\x85\u00a0\u2003\u2028\u3000"))
def test_no_other_white_space_separates_tokens(other: str) -> None:
    """Though Python's own methods know more of it."""
    assert not has_token(f"a{other}nofollow", "nofollow")
    assert words(f"a{other}b") == [f"a{other}b"]


REFRESHES = [
    ("0;url=x", "x"),
    ("0; URL = 'x' y", "x"),
    ('5,url="x', "x"),
    ("5 url=x", "x"),
    ("5 x", "x"),
    ("5;x", "x"),
    ("5;'x'", "x"),
    (".5;x", "x"),
    ("1.2.3;x", "x"),
    ("0;url=x;y", "x;y"),
    ("0;url=x ", "x "),  # the URL parser takes white space off
    ("0;urls", "urls"),
    ("0;url", "url"),
    ("0;ur=x", "ur=x"),
    ("0;;x", ";x"),
    (" \t0\n;\fx", "x"),
    ("0", None),
    ("0;", None),
    ("0;url=", None),
    ("0;url=''", None),
    ("", None),
    (";url=x", None),
    ("x;url=y", None),
    ("-1;url=x", None),
    ("0x;url=y", None),
    ("url=x", None),
]


@pytest.mark.parametrize(("content", "target"), REFRESHES)
def test_a_refresh_leads_to_its_url(content: str, target: str | None) -> None:
    """HTML, "shared declarative refresh steps"; to the page itself is None."""
    assert refresh(content) == target


@pytest.mark.parametrize("part", ["1", ".", "1.", " ", "url=", "0;"])
def test_a_refresh_of_megabytes_is_read_in_one_pass(part: str) -> None:
    """No pattern goes back."""
    assert grows_linearly(lambda size: refresh(part * size + "x"), 50_000)
    refresh(part * 1_000_000 + "x")


@given(st.text())
def test_any_text_has_a_meaning(text: str) -> None:
    """Attributes hold whatever was written."""
    assert all(candidates(text))
    assert refresh(text) != ""
    assert "" not in directives(text)
    assert not has_token(text, "\0nofollow")
