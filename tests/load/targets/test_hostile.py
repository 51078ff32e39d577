"""load.targets against files of any content: requests, or one clear line, and never a traceback."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load
from crawler.load.targets.formats import PARSERS, WRITTEN, format_of
from crawler.load.targets.line import TargetLine
from crawler.load.targets.make import make_targets

PIECES = (
    *("GET ", "POST ", "http://h", "https://[::1]:8/", "/a", "?q=1", "#", " ", "\n", "\r", "\t", "\\x22", '"', "\\"),
    *("{", "}", "[", "]", ":", ",", '"method":', '"url":', '"header":', '"body":', '"log":', '"entries":', "null"),
    *('"request":', '"GET"', '"/a"', '"uri":', "1", "-", "[10/Oct/2000:13:55:36 -0700]", " HTTP/1.1", " 200 ", "é"),
    *('"ts":', "\x00", "\x1b", "\ud800", '"\\ud800"', "@", "${", "$${", "}", "weight=", "tag=", "..", "%2e", "\x85"),
)
CONTENT = st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map(
    lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
)


@pytest.mark.parametrize("kind", PARSERS)
@given(CONTENT)
@example(b'{"method":"GET","url":"http://h/","header":{"a":["\\ud800"]}}')
@example(b'{"request":{"method":"GET","url":"http://h/\\ud800"}}')
@example(b'{"method":"GET","url":"http://h/\xff","\xff":1}')
@settings(max_examples=150, deadline=None)
def test_a_line_is_read_or_has_a_problem(kind: str, raw: bytes) -> None:
    """A parser raises nothing but ValueError, with a problem of one line."""
    line, problem = None, "none"
    try:
        line = PARSERS[kind](raw, 1)
    except ValueError as error:
        problem = str(error)

    assert line is None or isinstance(line, TargetLine)
    assert problem.strip()
    assert "codec" not in problem
    assert "\n" not in problem


@example(b'{"log":{"\xff":1,"entries":[{"\xff":"\xff"}]}}', None, None, False)
@example(b'{"log":{"entries":["\xff"]}}', None, None, False)
@given(CONTENT, st.sampled_from([None, *PARSERS]), st.sampled_from([None, "http://server/"]), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_file_is_sent_or_refused(content: bytes, kind: str | None, url: str | None, skips: bool) -> None:
    """Each request that comes of it has one head of whole lines, and goes to the server of the command line."""
    options: dict[str, object] = {"skip-broken": skips} | ({} if kind is None else {"targets-format": kind})
    if (kind or format_of(content)) not in WRITTEN:
        options["methods"] = "POST"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(content)
        requests, groups = list[bytes](), tuple[str, ...]()
        with suppress(UsageError):
            targets = make_targets(url, configure_load({"targets": str(path), **options}), Path(folder))
            groups = targets.groups
            with targets.open() as opened:
                requests = [opened.message(number) for number in range(targets.count)]
    for request in requests:
        head = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert head[0].count(b" ") == 2
        assert head[0].isascii()
        assert all(b": " in line or line.endswith(b":") for line in head[1:])
        assert not any(b"\n" in line or b"\r" in line or b"\0" in line for line in head)
        assert url is None or b"Host: server" in head
    assert all(group.isprintable() for group in groups)


@given(CONTENT)
@example(b'{"\xff":1}')
@settings(max_examples=300, deadline=None)
def test_a_format_is_found_for_any_beginning(head: bytes) -> None:
    """The choice never fails."""
    assert format_of(head) in PARSERS
