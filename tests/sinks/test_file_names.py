"""core.filenames: which file a URL's content is kept in."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.errors import UrlError
from crawler.core.urls import Url, parse
from crawler.sinks.file_names import MAX_BYTES, MAX_FOLDERS, file_name, safe_part

FILE = re.compile(r"[^/~]+~([0-9a-f]{32})(\.[a-z0-9]{1,11})?")
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])( *)(\..*)?", re.IGNORECASE)
TYPES = st.none() | st.sampled_from(["text/html", "text/plain", "image/png", "application/octet-stream", "a/b/../c"])

# What means something to a system, alone or side by side; \uff.. are full-width letters, dots and slashes.
_HOSTILE = [
    *("..", ".", "/", "//", "\\", "%2e%2e", "%2F", "%5c", "%00", "%0a", "%E2%80%AE", "%ff", "%", "%25", "%252e"),
    *("?", "&", "=", "a=1", "%3F", ";", ":", "*", "|", "<", ">", '"', "~", "%7E", " ", "%20", "-", "--rf", "$(x)"),
    *("CON", "nul", "NUL.txt", "com1", "LPT9.x", "con.", "aux ", "COM¹", "\uff2e\uff35\uff2c"),
    *("\uff0e\uff0e", "\uff0f", "\u202e", ".html", ".tar.gz", ".x.x.x.x", "index", "index.html"),
    *("a", "A", "ä", "a\u0308", "ǆ", "ﷺ", "日本", "हिन्दी"),
]
_paths = st.lists(st.sampled_from(_HOSTILE) | st.text(max_size=5) | st.text("aé漢", max_size=300), max_size=30).map(
    "".join
)
_hosts = st.sampled_from(
    ["h", "h:8080", "con", "nul.example", "[::1]", "127.0.0.1:81", "h.", "xn--nxasmq6b", "a" * 300]
)


def _url(host: str, path: str) -> Url | None:
    try:
        return parse(f"http://{host}/{path}")
    except UrlError:
        return None


URLS = st.builds(_url, _hosts, _paths).filter(bool).map(lambda url: url or parse("http://h/"))


def name(text: str, media_type: str | None = "text/html") -> str:
    """A URL's file, with `~` alone for the key."""
    url = parse(text)
    return file_name(url, media_type).replace(url.key.hex(), "")


# Hostile URLs


@given(URLS, TYPES)
def test_a_name_stays_below_the_folder_on_any_system(url: Url, media_type: str | None) -> None:
    """No part climbs, hides, looks like an option, is a device, is too long or has a character with a meaning."""
    parts = file_name(url, media_type).split("/")

    assert 2 <= len(parts) <= MAX_FOLDERS + 2
    for part in parts:
        assert re.fullmatch(r"[\w.=~\u0300-\U0010ffff-]+", part)
        assert part.isprintable()
        assert part[0] not in ".-=~"
        assert part[-1] not in ".-= ~"
        assert not DEVICES.fullmatch(part)
        assert len(part.encode()) <= 143
    assert len("/".join(parts).encode()) < 2000


@given(URLS, TYPES)
def test_the_key_in_a_name_is_the_urls(url: Url, media_type: str | None) -> None:
    """It can be read from the name, whatever stands around it: so two URLs never share a file."""
    last = file_name(url, media_type).split("/")[-1]

    found = FILE.fullmatch(last.casefold())

    assert found is not None
    assert found[1] == url.key.hex()


@given(st.lists(URLS, max_size=20), TYPES)
def test_no_file_is_a_folder_of_another(urls: list[Url], media_type: str | None) -> None:
    """Not even where case is not told apart."""
    names = [PurePosixPath(file_name(url, media_type).casefold()) for url in urls]
    folders = {folder for path in names for folder in path.parents}

    assert len(set(names)) == len(set(urls))
    assert folders.isdisjoint(names)


def test_a_folder_cannot_be_named_like_a_file() -> None:
    """Even a URL with the key of /a in it puts no folder into the place of its file."""
    file = file_name(parse("http://h/a"), "text/html").removeprefix("h/")

    forged = file_name(parse(f"http://h/{file}/b"), "text/html")

    assert forged.split("/")[1] == file.replace("~", "_")


@given(st.text() | _paths)
@example("CON." + "a" * 200)
@example("a" * (MAX_BYTES - 1) + ".b")
@example("%25%32%35")
def test_a_safe_part_is_left_as_it_is(text: str) -> None:
    """Making it safe again changes nothing."""
    part = safe_part(text)

    assert safe_part(part) == part
    assert 1 <= len(part.encode()) <= MAX_BYTES


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("..", "_"),
        ("", "_"),
        ("%2e%2e%2fetc", "_etc"),
        ("a%00b\\c", "a_b_c"),
        (".git", "git"),
        ("-rf", "rf"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("COM¹", "_COM1"),
        ("console", "console"),
        ("trailing. . ", "trailing._._"),
        ("%D0%9F%D1%80%D0%B8", "При"),
        ("%e0%a4%b9%e0%a4%bf", "हि"),
        ("%ff%fe", "_"),
        ("a%20%E2%80%AEgpj.exe", "a_gpj.exe"),
        ("\uff0e\uff0e\uff0f", "_"),
        ("é" * 100, "é" * (MAX_BYTES // 2)),
    ],
)
def test_parts_say_what_they_may(text: str, part: str) -> None:
    """Letters of any script stay readable; whatever means something to a system does not stay."""
    assert safe_part(text) == part


# Readable names


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/", "h/index~.html"),
        ("https://h/docs/", "h/docs/index~.html"),
        ("http://h:8080/a//b", "h_8080/a/b~.html"),
        ("https://h:80/a.html", "h_80/a~.html"),
        ("http://[::1]/x", "_1_/x~.html"),
        ("http://h/cats.php?page=2&x=%2F", "h/cats.php_page=2_x=_~.html"),
        ("http://h/a?", "h/a~.html"),
        ("http://h/a.htm?v=1.2", "h/a_v=1.2~.htm"),
        ("http://h/%3Fa=1", "h/_a=1~.html"),
        ("http://h/?a=1", "h/index_a=1~.html"),
        ("http://h/.html", "h/html~.html"),
    ],
)
def test_a_name_shows_its_url(url: str, expected: str) -> None:
    """Host, with a port that is not the usual one, path and query; a folder's own page is its index."""
    assert name(url) == expected


@pytest.mark.parametrize(
    ("url", "media_type", "expected"),
    [
        ("http://h/a", "text/html", "h/a~.html"),
        ("http://h/A.HTM", "text/html", "h/A~.htm"),
        ("http://h/a.xhtml", "application/xhtml+xml", "h/a~.xhtml"),
        ("http://h/a.jpeg", "image/jpeg", "h/a~.jpeg"),
        ("http://h/logo.png", "image/webp", "h/logo.png~.webp"),
        ("http://h/load.php?only=styles", "text/css", "h/load.php_only=styles~.css"),
        ("http://h/README", "text/plain", "h/README~.txt"),
        ("http://h/setup.py", "text/plain", "h/setup~.py"),
        ("http://h/api/", "application/json", "h/api/index~.json"),
        ("http://h/a.tar.gz", "application/gzip", "h/a.tar~.gz"),
        ("http://h/a.b_c", None, "h/a.b_c~"),
        ("http://h/a.verylongone", None, "h/a.verylongone~"),
        ("http://h/a", "x/unknown", "h/a~"),
        ("http://h/a.bin", "x/unknown", "h/a~.bin"),
    ],
)
def test_the_extension_suits_the_content(url: str, media_type: str | None, expected: str) -> None:
    """A browser goes by it; where the type is vague or unknown, the URL's own is kept."""
    assert name(url, media_type) == expected


def test_only_as_many_folders_as_a_path_may_have() -> None:
    """A file that lies deeper is put into the last of them."""
    deep = name("http://h/" + "d/" * 3000 + "a")

    assert deep == "h/" + "d/" * MAX_FOLDERS + "a~.html"
