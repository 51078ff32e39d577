"""The encoding of a document, by its mark, its header, its markup and its bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from crawler.encoding import detect
from crawler.encoding.decode import text, utf_8
from crawler.encoding.labels import ENCODINGS, named
from crawler.encoding.meta_charset import of_markup

LABELS = [
    # https://encoding.spec.whatwg.org/#names-and-labels
    ("utf8", "utf-8"),
    ("UTF-8", "utf-8"),
    ("\t unicode-1-1-utf-8 \n", "utf-8"),
    ("unicode11utf8", "utf-8"),
    ("x-unicode20utf8", "utf-8"),
    ("latin1", "windows-1252"),
    ("iso-8859-1", "windows-1252"),
    ("iso8859-1", "windows-1252"),
    ("us-ascii", "windows-1252"),
    ("ascii", "windows-1252"),
    ("l1", "windows-1252"),
    ("latin5", "windows-1254"),
    ("iso-8859-9", "windows-1254"),
    ("iso-8859-11", "windows-874"),
    ("tis-620", "windows-874"),
    ("iso-8859-8-i", "iso-8859-8-i"),
    ("logical", "iso-8859-8-i"),
    ("visual", "iso-8859-8"),
    ("koi", "koi8-r"),
    ("koi8-ru", "koi8-u"),
    ("mac", "macintosh"),
    ("x-mac-ukrainian", "x-mac-cyrillic"),
    ("gb2312", "gbk"),
    ("chinese", "gbk"),
    ("gb18030", "gb18030"),
    ("big5-hkscs", "big5"),
    ("sjis", "shift_jis"),
    ("windows-31j", "shift_jis"),
    ("x-euc-jp", "euc-jp"),
    ("ks_c_5601-1987", "euc-kr"),
    ("iso-2022-jp", "iso-2022-jp"),
    ("iso-2022-kr", "replacement"),
    ("hz-gb-2312", "replacement"),
    ("replacement", "replacement"),
    ("utf-16", "utf-16le"),
    ("ucs-2", "utf-16le"),
    ("unicode", "utf-16le"),
    ("unicodefffe", "utf-16be"),
    ("x-user-defined", "x-user-defined"),
    # in no table of the standard's
    ("utf-7", None),
    ("utf-32", None),
    ("cp037", None),
    ("base64", None),
    ("rot13", None),
    ("utf 8", None),
    ("\u017futf8", None),
    ("\u212aoi8-r", None),  # the sign of kelvin, which is k in lower case
    ("\ud800", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("label", "name"), LABELS)
def test_labels_are_the_standards(label: str | None, name: str | None) -> None:
    """Python's other codecs are no encodings of the web."""
    assert named(label) == name


PRESCANS = [
    (b"<meta charset=koi8-r>", "koi8-r"),
    (b"<META CHARSET = 'KOI8-R' >", "koi8-r"),
    (b'<meta charset="koi8-r">', "koi8-r"),
    (b"<meta/charset=koi8-r>", "koi8-r"),
    (b"<meta\fcharset=koi8-r>", "koi8-r"),
    (b"<meta charset=koi8-r/>", None),  # the slash belongs to the value
    (b"<meta charset='koi8-r'/>", "koi8-r"),
    (b"<metacharset=koi8-r>", None),
    (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
    (b"<meta charset=koi8-r charset=utf-8>", "koi8-r"),  # the first of a name
    (b"<meta charset><meta charset=koi8-r>", "koi8-r"),
    (b"<meta charset=utf-16>", "utf-8"),  # it was read as ASCII, so it is not in UTF-16
    (b"<meta charset=utf-16be>", "utf-8"),
    (b"<meta charset=x-user-defined>", "windows-1252"),
    (b"<meta charset=iso-2022-kr>", "replacement"),
    # http-equiv needs both
    (b"<meta http-equiv=content-type content='text/html; charset=koi8-r'>", "koi8-r"),
    (b"<meta content='text/html; charset=koi8-r' http-equiv=Content-Type>", "koi8-r"),
    (b"<meta content='text/html; charset=koi8-r'>", None),
    (b"<meta http-equiv=content-type content='text/html'>", None),
    (b"<meta http-equiv=content-type charset=koi8-r>", "koi8-r"),
    (b"<meta http-equiv=content-type charset=koi8-r content='charset=utf-8'>", "koi8-r"),
    (b"<meta http-equiv=refresh content='charset=koi8-r'>", None),
    (b"<meta http-equiv=content-type content='charset=koi8-r'>", "koi8-r"),
    (b"<meta http-equiv=content-type content='charset = &quot;koi8-r'>", None),  # entities are not looked at
    (b"<meta http-equiv=content-type content='xcharset \t= \"koi8-r\"x'>", "koi8-r"),
    (b'<meta http-equiv=content-type content="charset=\'koi8-r">', None),  # a quote that is not closed
    (b"<meta http-equiv=content-type content='charset charset=koi8-r'>", "koi8-r"),
    (b"<meta http-equiv=content-type content='charset=koi8-r;x'>", "koi8-r"),
    (b"<meta http-equiv=content-type content='charset='>", None),
    # what is skipped
    (b"<!-- <meta charset=utf-8> --><meta charset=koi8-r>", "koi8-r"),
    (b"<!--><meta charset=koi8-r>", "koi8-r"),
    (b"<!-- > <meta charset=koi8-r>", None),  # a comment that does not end
    (b"<p title='<meta charset=utf-8>'><meta charset=koi8-r>", "koi8-r"),
    (b"<p a=\"'\" b='<meta charset=utf-8>'><meta charset=koi8-r>", "koi8-r"),
    (b"</p title='<meta charset=utf-8>'><meta charset=koi8-r>", "koi8-r"),
    (b"<!doctype '<meta charset=utf-8>'><meta charset=koi8-r>", "koi8-r"),
    (b"<!doctype '>'<meta charset=koi8-r>'>", "koi8-r"),  # ends at the first >, quotes or not
    (b"<? <meta charset=utf-8 ?><meta charset=koi8-r>", "koi8-r"),
    (b"</ <meta charset=utf-8><meta charset=koi8-r>", "koi8-r"),
    (b"< <meta charset=koi8-r>", "koi8-r"),
    (b"<p <meta charset=koi8-r>", None),  # attributes of <p>
    (b"<script>'<meta charset=koi8-r>'</script>", "koi8-r"),  # the prescan knows no scripts
    # running out of bytes
    (b"<meta charset=koi8-r", None),
    (b"<meta charset='koi8-r>", None),
    (b"<meta charset='koi8-r'", None),
    (b"<meta charset=koi8-r name", None),
    (b"<p title='<meta charset=koi8-r>", None),
    (b"<meta charset=koi8-r>".rjust(1024), "koi8-r"),
    (b"<", None),
    (b"", None),
    # XML
    (b"<?xml version='1.0' encoding='koi8-r'?>", "koi8-r"),
    (b'<?xml encoding = "koi8-r" >', "koi8-r"),
    (b"<?xml encoding='koi8-r'?><meta charset=utf-8>", "utf-8"),  # meta comes first
    (b"<?xml encoding='utf-16'?>", "utf-8"),
    (b"<?xml encodings='x' encoding='koi8-r'?>", None),  # only the first "encoding" is looked at
    (b"<\0?\0x\0<meta charset=koi8-r>", "utf-16le"),  # that comes first
    (b"<?xml encoding=koi8-r?>", None),
    (b"<?xml encoding='koi 8-r'?>", None),
    (b"<?xml encoding='koi8-r'", None),
    (b" <?xml encoding='koi8-r'?>", None),
    ("<?xml encoding='koi8-r'?>".encode("utf-16le"), "utf-16le"),
    ("<?xml encoding='koi8-r'?>".encode("utf-16be"), "utf-16be"),
]


@pytest.mark.parametrize(("head", "name"), PRESCANS)
def test_the_prescan_finds_what_the_standard_finds(head: bytes, name: str | None) -> None:
    """HTML, "prescan a byte stream to determine its encoding"."""
    assert of_markup(head) == name


FAR = b"<script>" + b"var a = '<b>';\n" * 80 + b"</script>"  # more than the prescan reads
KOI8 = b"<meta charset=koi8-r>"
PARSED = [
    # behind the first 1024 bytes
    (FAR + KOI8, "koi8-r"),
    (FAR + b"<body><p>" + KOI8, "koi8-r"),
    (FAR + b"<META/CHARSET = 'KOI8-R'/>", "koi8-r"),
    (FAR + b"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
    (FAR + b"<meta charset=utf-16>", "utf-8"),
    (FAR + b"<meta charset=x-user-defined>", "windows-1252"),
    (FAR + b"<meta charset=nonsense><meta name=x content='charset=gbk'>" + KOI8, "koi8-r"),
    (FAR + KOI8 + b"<meta charset=gbk>", "koi8-r"),
    (FAR + b"<meta charset='&#107;oi8-r'>", "koi8-r"),  # a parser decodes character references
    (b" " * 1010 + KOI8, "koi8-r"),  # begun within them
    (FAR + b"<noscript>" + KOI8 + b"</noscript>", "koi8-r"),  # scripts are not run
    (FAR + b"<template>" + KOI8 + b"</template>", "koi8-r"),
    (FAR + b"<svg>" + KOI8, "koi8-r"),
    (FAR + b"<a href=x<meta charset=gbk>" + KOI8, "koi8-r"),
    (FAR + b"< <3 <!-->" + KOI8 + b"-->", "koi8-r"),
    (FAR + b"<!-- x --!>" + KOI8 + b"-->", "koi8-r"),
    (FAR + b"<title/>" + b"</TITLE >" + KOI8, "koi8-r"),
    # where none is a tag of the page
    (FAR + b"<!--" + KOI8 + b"-->", None),
    (FAR + b"<!-- > " + KOI8, None),
    (FAR + b"<title>" + KOI8 + b"</title>", None),
    (FAR + b"<textarea>" + KOI8 + b"</textarea>", None),
    (FAR + b"<script>" + KOI8 + b"</scripty></script>", None),
    (FAR + b"<style>" + KOI8, None),
    (FAR + b"<iframe>" + KOI8 + b"</iframe>", None),
    (FAR + b"<xmp>" + KOI8 + b"</xmp>", None),
    (FAR + b"<plaintext>" + KOI8, None),
    (FAR + b"<p title='" + KOI8 + b"'>", None),
    (FAR + b"<!doctype '" + KOI8.removesuffix(b">") + b"'>", None),
    (FAR + b"<metal charset=koi8-r></meta charset=koi8-r>", None),
    (FAR + b"<meta charset=koi8-r", None),
    # where a parser finds another one than the prescan
    (b"<title>" + KOI8 + b"</title><meta charset=gbk>", "gbk"),
    (b"<script>'" + KOI8 + b"'</script>" + FAR + b"<meta charset=gbk>", "gbk"),
    (b"<script>'" + KOI8 + b"'</script>", "koi8-r"),
    (b"<!-- --!><meta charset=gbk><p title='-->" + KOI8 + b"'>", "gbk"),
    (b"<meta http-equiv=content-type charset=nonsense content='charset=gbk'>" + KOI8, "gbk"),
    (b"<title>x</title>" + KOI8, "koi8-r"),
]


@pytest.mark.parametrize(("page", "name"), PARSED)
def test_a_meta_of_the_page_has_the_last_word(page: bytes, name: str | None) -> None:
    """HTML 13.2.3.4, "changing the encoding while parsing", and 13.2.6.4.4, the start tag "meta"."""
    assert of_markup(page) == name


def test_the_header_and_the_mark_are_certain() -> None:
    """HTML 13.2.3.1: then no `<meta>` changes anything, wherever it stands."""
    assert detect.of_html(FAR + KOI8, "gbk") == "gbk"
    assert detect.of_html(b"\xef\xbb\xbf" + FAR + KOI8, "gbk") == "utf-8"
    assert detect.of_html(FAR + KOI8, "nonsense") == "koi8-r"
    assert detect.of_html(FAR + KOI8) == "koi8-r"
    assert detect.of_xml(FAR + KOI8) == "utf-8"


META_PIECES = [
    KOI8,
    b"<meta charset=gbk/>",
    b"<title>",
    b"</title>",
    b"<!--",
    b"-->",
    b"--!>",
    b"<script>",
    b"</script>",
]
META_PIECES += [
    b"<p title='",
    b"'",
    b'"',
    b">",
    b"<",
    b"</",
    b"<noscript>",
    b"<textarea>",
    b"</textarea>",
    b"x",
    b"=",
    b"<?x",
]


@given(st.lists(st.sampled_from(META_PIECES), max_size=15).map(b"".join))
@example(b"<script><!--<script></script><meta charset=koi8-r>")
@example(b"<script><!--<script></script>--></script><meta charset=koi8-r>")
@example(b"<script><!--></script><meta charset=koi8-r>")
@example(b"<script><!--<script>--></script><meta charset=koi8-r>")
def test_a_meta_of_the_page_is_one_of_its_tree(page: bytes) -> None:
    """The first one that declares an encoding, as a parser of HTML builds the tree."""
    metas = LexborHTMLParser(page).css("meta[charset]")

    assert of_markup(FAR + page) == next(filter(None, (named(meta.attributes["charset"]) for meta in metas)), None)


START_PIECES = [
    *(
        b"<!doctype html>",
        b'<html lang="en">',
        b"<head>",
        b"\n ",
        b"<title>a</title>",
        b"<title>",
        b"<title><b></title>",
    ),
    *(b'<meta name="x" content="a>b">', b'<meta name="charset" content="koi8-r" />', b'<link rel="x" href="y">'),
    *(
        b'<meta name="x" charset="koi8-r">',
        b"<script>",
        b"</script>",
        b"<style>",
        b"x",
        b'<html a="<meta charset=gbk>">',
    ),
    *(b'<meta charset="gbk">', b'<META CHARSET="unknown">', b'<meta charset="utf-16" />', b"<meta charset=koi8-r>"),
    *(b'<meta http-equiv="Content-Type" content="text/html; charset=gbk">', b'<meta charset="gbk" name="\'">'),
]


@given(st.lists(st.sampled_from(START_PIECES), max_size=8).map(b"".join))
@example(b'<meta name="x" charset="koi8-r"><meta charset="gbk">')
@example(b'<title><b></title><meta charset="gbk">')
@example(b'<html a="<meta charset=koi8-r>"><meta charset="gbk">')
@example(b'<script><meta charset="gbk">')
def test_a_plain_start_declares_what_any_other_does(head: bytes) -> None:
    """A comment in front makes no difference, except that the start is not read in one step."""
    assert of_markup(head) == of_markup(b"<!---->" + head)


@given(st.binary(max_size=2000))
@example(b"<meta " * 500)
@example(b"<meta charset='" + b"x" * 2000)
@example(b"<!--" * 500)
def test_the_prescan_takes_any_bytes(head: bytes) -> None:
    """It gives the name of an encoding or nothing."""
    found = of_markup(head)

    assert found is None or named(found) == found


PIECES = [
    *("<meta", "charset", "content", "http-equiv", "content-type", "koi8-r", "<!--", "-->", "<?xml", "encoding"),
    *("</", "<!", "x", " ", "/", ">", "<", "'", '"', "=", ";", "\0"),
]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=40).map(lambda pieces: "".join(pieces).encode())


@given(MARKUP)
def test_the_prescan_takes_any_markup(head: bytes) -> None:
    """Also markup that is nearly a declaration."""
    assert of_markup(head) in {None, "koi8-r"}


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS))
def test_decoding_never_fails(body: bytes, encoding: str) -> None:
    """The text of any bytes can be written as UTF-8."""
    decoded = text(body, encoding)

    assert utf_8(body, encoding).decode("utf-8", "replace") == decoded


DECODED = [  # more of them: tests/conformance/test_encodings.py
    (b"a\x80\x81\x8d\x8f\x90\x9d\xff", "windows-1252", "a\u20ac\x81\x8d\x8f\x90\x9d\xff"),
    (b"\x98\xaa", "windows-1253", "\x98\ufffd"),  # below A0 a control character, above nothing
    (b"\xc3\xa4\xff", "utf-8", "\u00e4\ufffd"),
    (b"\xf0\x9f\x98", "utf-8", "\ufffd"),  # one for the whole truncated sequence
    (b"\xed\xa0\x80", "utf-8", "\ufffd" * 3),  # a surrogate
    (b"\xa2\xe3", "gbk", "\u20ac"),
    (b"\x81\x30\x81\x30", "gbk", "\x80"),  # gbk is decoded as gb18030
    (b"\x00\xd8", "utf-16le", "\ufffd"),
    (b"\xff\xfea\0", "utf-16le", "a"),
    (b"\x80", "x-user-defined", "\uf780"),
    (b"<a href=x>", "replacement", "\ufffd"),
    (b"", "replacement", ""),
]


@pytest.mark.parametrize(("body", "encoding", "right"), DECODED)
def test_bytes_mean_what_the_standard_says(body: bytes, encoding: str, right: str) -> None:
    """Also where Python's own tables have holes."""
    assert text(body, encoding) == right


DETECTED = [
    (b"", "utf-8"),
    (b"ascii", "utf-8"),
    ("\u00e4".encode(), "utf-8"),
    ("\u00e4".encode()[:1], "utf-8"),  # cut in the middle of a character
    (b"\xe4", "utf-8"),  # which looks the same
    (b"\xe4 ", "windows-1252"),
    (b"x" * 100_000 + b"\xe4 ", "windows-1252"),  # however late
    ("\u0434".encode("koi8-r") + b" ", "windows-1252"),  # nobody guesses
]


@pytest.mark.parametrize(("body", "name"), DETECTED)
def test_undeclared_text_is_utf_8_if_it_is_valid(body: bytes, name: str) -> None:
    """And windows-1252 if not, as the standard has it."""
    assert (detect.of_html(body), detect.of_text(body)) == (name, name)


XML = [
    (b"<x/>", None, "utf-8"),
    (b"<x>\xe4</x>", None, "utf-8"),  # XML without a declaration is in UTF-8, valid or not
    (b"<?xml encoding='koi8-r'?>", None, "koi8-r"),
    (b"<?xml encoding='koi8-r'?>", "latin1", "windows-1252"),  # the header comes first (RFC 7303)
    (b"\xef\xbb\xbf<?xml encoding='koi8-r'?>", "latin1", "utf-8"),  # and the mark before it
    (b"<meta charset=koi8-r>", None, "utf-8"),  # is for HTML
]


@pytest.mark.parametrize(("body", "label", "name"), XML)
def test_xml_declares_its_encoding_at_the_start(body: bytes, label: str | None, name: str) -> None:
    """RFC 7303, 3."""
    assert detect.of_xml(body, label) == name
