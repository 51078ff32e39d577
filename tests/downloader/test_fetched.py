"""The text of an answer, which is read as a crawl reads it."""

import copy
import pickle

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.core.urls import parse
from crawler.downloader.fetched import Answer, Fetched
from crawler.parse.document import Document
from crawler.parse.document_reader import read

HELLO = "\u043f\u0440\u0438\u0432\u0435\u0442"
KANJI = "\u2460\u8868\uff5e"
FAR = b"<script>" + b"var a = 1;\n" * 100 + b"</script>"


def fetched(content: bytes, *content_types: str) -> Fetched:
    """An answer with these values of Content-Type."""
    headers = CIMultiDictProxy(CIMultiDict([("Content-Type", value) for value in content_types]))
    return Fetched(requested="http://h/", url="http://h/", status=200, headers=headers, content=content)


TEXTS = [
    # Content-Type, by the labels of the Encoding standard
    (HELLO.encode("cp1251"), ["text/plain; charset=windows-1251"], HELLO),
    (HELLO.encode("cp1251"), ["text/html; charset=windows-1251, text/html"], HELLO),
    (HELLO.encode("cp1251"), ["text/html; charset=cp1251", "text/html"], HELLO),
    ("\u4e02".encode("gbk"), ["text/plain; charset=gb2312"], "\u4e02"),
    (KANJI.encode("cp932"), ['text/plain; charset="x-sjis"'], KANJI),
    (b"\xad\xa1\xa1\xc1", ["text/plain; charset=EUC-JP"], "\u2460\uff5e"),
    (b"\x80\x9d", ["text/plain; charset=latin1"], "\u20ac\x9d"),
    # a byte order mark comes first, and is no text
    (b"\xef\xbb\xbf" + HELLO.encode(), ["text/plain; charset=koi8-r"], HELLO),
    (b"\xff\xfe" + HELLO.encode("utf-16le"), ["text/plain"], HELLO),
    # what the document declares
    (b"<meta charset=koi8-r>" + HELLO.encode("koi8-r"), ["text/html"], f"<meta charset=koi8-r>{HELLO}"),
    (b"<meta charset=koi8-r>" + HELLO.encode("koi8-r"), [], f"<meta charset=koi8-r>{HELLO}"),
    (b"<?xml encoding='koi8-r'?>" + HELLO.encode("koi8-r"), ["application/xml"], f"<?xml encoding='koi8-r'?>{HELLO}"),
    (b"<?xml encoding='koi8-r'?>" + HELLO.encode("koi8-r"), ["image/svg+xml"], f"<?xml encoding='koi8-r'?>{HELLO}"),
    # else UTF-8, or windows-1252
    (HELLO.encode(), ["text/plain"], HELLO),
    (HELLO.encode(), ["application/json"], HELLO),
    (b"<meta charset=koi8-r>\xe9 ", ["text/plain"], "<meta charset=koi8-r>\u00e9 "),
    (b"\xe9 ", [], "\u00e9 "),
    (b"", [], ""),
    # codecs of Python's that are none of the web
    (b"abc-\xe9 ", ["text/plain; charset=punycode"], "abc-\u00e9 "),
    (b"+AGE-", ["text/plain; charset=utf-7"], "+AGE-"),
    (b"\\u0041", ["text/plain; charset=unicode_escape"], "\\u0041"),
    (b"abc", ["text/plain; charset=rot13"], "abc"),
    (b"YQ==", ["text/plain; charset=base64"], "YQ=="),
    (b"abc", ["text/plain; charset=idna"], "abc"),
    (b"abc", ["text/plain; charset=\udce9"], "abc"),
    (b"abc", ["text/plain; charset=undefined"], "abc"),
    (b"x", ["text/plain; charset=iso-2022-kr"], "\ufffd"),
]


@pytest.mark.parametrize(("content", "content_types", "text"), TEXTS)
def test_text_is_in_the_encoding_of_the_web(content: bytes, content_types: list[str], text: str) -> None:
    """HTML, "determining the character encoding"; labels are those of the Encoding standard."""
    assert fetched(content, *content_types).text == text


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=sjis", "application/xhtml+xml", "text/html; charset=x"]
)
@pytest.mark.parametrize("declared", [b"", b"<meta charset=euc-jp>", FAR + b"<meta charset=euc-jp>"])
@pytest.mark.parametrize("title", [KANJI.encode(), KANJI.encode("cp932"), b"\xad\xa1\xc9\xbd", b"\xe9"])
def test_text_is_read_as_a_crawl_reads_it(content_type: str, declared: bytes, title: bytes) -> None:
    """One code for both."""
    body = declared + b"<title>" + title + b"</title>"

    told = read(Document(url=parse("http://h/"), body=body, content_type=content_type))

    assert f"<title>{told.title}</title>" in fetched(body, content_type).text


@pytest.mark.parametrize("kind", [Answer, Fetched])
def test_an_answer_is_a_value(kind: type[Answer]) -> None:
    """It is copied and pickled with its headers; its text is short, and shows no credentials."""
    headers = CIMultiDictProxy(CIMultiDict([("A", "1"), ("a", "2")]))
    answer = kind(requested="http://h/", url="http://me:secret@h/" + "x" * 1000, status=200, headers=headers)

    pickled = pickle.loads(pickle.dumps(answer))  # noqa: S301, TID251 - that it can be done is the point
    copies = [pickled, copy.copy(answer), copy.deepcopy(answer)]

    assert copies == [answer] * 3
    assert copies[0].headers.getall("A") == ["1", "2"]
    assert len(repr(answer)) < 300
    assert "secret" not in repr(answer)
