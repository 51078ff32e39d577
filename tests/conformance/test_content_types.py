"""Content-Type as browsers read it: Fetch, "extract a MIME type", and MIME Sniffing, "parse a MIME type"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.http.media_types import media_type
from crawler.parse.page_reader import PageReader, Task

NONE = (None, None)

ONE_VALUE = [
    (None, NONE),
    ("", NONE),
    ("text/html", ("text/html", None)),
    ("Text/HTML; Charset=UTF-8", ("text/html", "utf-8")),
    ("text/html;charset=gbk", ("text/html", "gbk")),
    # white space: around the value, the type and a parameter's end, but not around "/" and "="
    (" \t text/html \t ; \n charset=gbk \r\n", ("text/html", "gbk")),
    ("text/html;charset= gbk", ("text/html", "gbk")),  # part of the value, and no part of a label
    ("text/html;charset =gbk", ("text/html", None)),
    ("text /html;charset=gbk", NONE),
    ("text/ html;charset=gbk", NONE),
    ("text/html charset=gbk", NONE),
    # what is no media type says nothing
    ("text", NONE),
    ("text/", NONE),
    ("/html", NONE),
    ("text/html/x", NONE),
    ("te(xt/html", NONE),
    ("; charset=utf-8", NONE),
    ("charset=utf-8", NONE),
    ("t\u00e9xt/html", NONE),
    # parameters
    ("text/html;;;", ("text/html", None)),
    ("text/html;;;;charset=gbk", ("text/html", "gbk")),
    ("text/html;charset", ("text/html", None)),
    ("text/html;xcharset=no;charset", ("text/html", None)),
    ("text/html;charset=;charset=gbk", ("text/html", "gbk")),  # an empty one is none
    ('text/html;charset="";charset=gbk', ("text/html", None)),  # in quotes it is one
    ("text/html;charset=gbk;charset=utf-8", ("text/html", "gbk")),
    ("text/html;boundary=x;CHARSET=GBK", ("text/html", "gbk")),
    ("text/html;charset=gbk=x", ("text/html", "gbk=x")),
    ("text/html;charset='gbk'", ("text/html", "'gbk'")),  # no quotes of this grammar
    ("text/html;charset=g\x01bk;charset=utf-8", ("text/html", "utf-8")),
    ("text/html;charset=\u2603;charset=utf-8", ("text/html", "utf-8")),
    # quoted strings
    ('text/html;charset="gbk"', ("text/html", "gbk")),
    ('text/html;charset="gbk', ("text/html", "gbk")),
    ('text/html;charset="g\\bk"', ("text/html", "gbk")),
    ('text/html;charset="a\\"b"', ("text/html", 'a"b')),
    ('text/html;charset="gbk\\', ("text/html", "gbk\\")),
    ('text/html;charset="gbk"x;y', ("text/html", "gbk")),
    ('text/html;charset=" gbk "', ("text/html", "gbk")),
    ('text/html;charset=g"bk"', ("text/html", 'g"bk"')),
    ('text/html;x=";charset=utf-8";charset=gbk', ("text/html", "gbk")),
    ('text/html;"charset=utf-8";charset=gbk', ("text/html", "gbk")),
]

LISTS = [
    # the last media type counts
    ("text/plain, text/html", ("text/html", None)),
    ("text/html, text/plain;charset=gbk", ("text/plain", "gbk")),
    ("text/html, nonsense", ("text/html", None)),
    ("text/html, */*", ("text/html", None)),
    ("*/*", NONE),
    ("text/html, */*;charset=gbk", ("text/html", None)),
    (",,text/html,", ("text/html", None)),
    # with the charset of an earlier value of the same type
    ("text/html; charset=windows-1251, text/html", ("text/html", "windows-1251")),
    ("text/html;charset=gbk, TEXT/HTML;x=y", ("text/html", "gbk")),
    ("text/html;charset=gbk, nonsense, text/html", ("text/html", "gbk")),
    ("text/html;charset=gbk, text/html;charset=utf-8", ("text/html", "utf-8")),
    ("text/html;charset=gbk, text/html;charset=utf-8, text/html", ("text/html", "gbk")),
    ("text/html;charset=gbk, text/plain", ("text/plain", None)),
    ("text/html;charset=gbk, text/plain, text/html", ("text/html", None)),
    ("text/html, text/html;charset=gbk", ("text/html", "gbk")),
    # a comma within quotes is none
    ('text/html;x="a,text/plain";charset=gbk', ("text/html", "gbk")),
    ('text/html;x="a\\",text/plain";charset=gbk', ("text/html", "gbk")),
    ('text/html;x="a, text/plain;charset=gbk', ("text/html", None)),
]


@pytest.mark.parametrize(("header", "told"), [*ONE_VALUE, *LISTS])
def test_content_type_is_read_as_browsers_read_it(header: str | None, told: tuple[str | None, str | None]) -> None:
    """The type in lower case, and the charset."""
    assert media_type(header) == told


@given(st.lists(st.sampled_from(["text/html", "*/*", ";", ",", '"', "\\", "charset", "=", "gbk", " ", "\t", "x"])))
def test_any_value_is_read(pieces: list[str]) -> None:
    """Nothing raises, and a charset comes with a type alone."""
    essence, charset = media_type("".join(pieces))

    assert essence in {None, "text/html", "x/x"} or "/" in essence
    assert charset is None or (essence and charset == charset.strip().lower())


TITLE = "\u043f\u0440\u0438\u0432\u0435\u0442"
BODY = f"<title>{TITLE}</title>".encode("windows-1251")


@pytest.mark.parametrize(
    "values",
    [
        [b"text/html; charset=windows-1251, text/html"],
        [b"text/html; charset=windows-1251", b"text/html"],
        [b"text/html", b"text/html; charset=cp1251"],
        [b"text/plain", b'text/html; charset="windows-12\\51"', b"*/*"],
    ],
)
def test_a_page_is_read_by_all_of_its_headers(values: list[bytes]) -> None:
    """All headers count, in each form in which a server or a proxy in front of it writes them."""
    request = Request(url=parse("http://h.example/"))
    headers = tuple((b"Content-Type", value) for value in values)

    page = PageReader(Task(max_decoded=1000)).read_response(
        Response(request=request, status=200, headers=headers, body=BODY)
    )

    assert (page.title, page.charset, page.content_type) == (TITLE, "windows-1251", "text/html")
