"""The grammars inside attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.attributes import MAX_CANDIDATES, candidates, directives, has_token, refresh

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
    """Whatever it is made of: its candidates are bounded, and no pattern goes back."""
    assert len(list(candidates(part * 500_000))) <= MAX_CANDIDATES


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
    refresh(part * 1_000_000 + "x")


@given(st.text())
def test_any_text_has_a_meaning(text: str) -> None:
    """Attributes hold whatever was written."""
    assert all(candidates(text))
    assert refresh(text) != ""
    assert "" not in directives(text)
    assert not has_token(text, "\0nofollow")
