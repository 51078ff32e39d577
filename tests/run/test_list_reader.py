"""run.list_reader: bytes become lines, and each line is accounted for."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.leases_and_commits import SeedBatch
from crawler.core.reasons import Reason
from crawler.run.list_reader import LONGEST_LINE, BatchBuilder, LineSplitter
from support.ways import a_find

PIECES = [
    *(b"Sitemap: http://h/s", b"sitemap:"),
    *(b"http://h/a", b"http://h/b?c=d", b"h.example/x", b"ftp://h/", b"http://u:p@h/", b"#note", b"# http://h/"),
    *(b"\n", b"\n", b"\n", b"\r\n", b" ", b"\t", b"\r", b"\xff", b"\xef\xbb\xbf", b"\x00", b"\x1b[2J", "ü".encode()),
    *(b"x" * LONGEST_LINE, b"x" * (LONGEST_LINE - 1), b"y"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


def read(text: bytes, sizes: list[int] | None = None, *, batch: int = 10**9) -> list[SeedBatch]:
    """The batches of a list that is read in blocks of these sizes, over and over."""
    return list(resumed(text, SeedBatch(cursor=0, line=0), sizes, batch=batch))


def resumed(
    text: bytes, after: SeedBatch, sizes: list[int] | None = None, *, batch: int = 10**9
) -> Iterator[SeedBatch]:
    """The batches that come after one that was committed, read by a new life."""
    splitter, builder = LineSplitter(after.cursor), BatchBuilder(line=after.line, offset=after.cursor)
    for block in blocks(text[after.cursor :], sizes or [len(text) or 1]):
        for raw, offset in splitter.feed(block):
            builder.add(raw, offset)
            if len(builder) >= batch:
                yield builder.build(last=False)
    for raw, offset in splitter.finish():
        builder.add(raw, offset)
    yield builder.build(last=True)


def blocks(text: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The text in pieces of these sizes, over and over."""
    start = turn = 0
    while start < len(text):
        size = sizes[turn % len(sizes)]
        yield text[start : start + size]
        start, turn = start + size, turn + 1


def one(text: bytes) -> SeedBatch:
    """The only batch of a text."""
    (batch,) = read(text)
    return batch


@given(TEXTS, st.lists(st.integers(500, 100_000), min_size=1, max_size=5))
@example(b"x" * LONGEST_LINE + b"\n", [LONGEST_LINE])
@example(b"x" * LONGEST_LINE + b"\r\n", [LONGEST_LINE, 1])
def test_the_size_of_the_blocks_changes_nothing(text: bytes, sizes: list[int]) -> None:
    """A list read in any blocks gives what it gives in one."""
    assert read(text, sizes) == read(text)


@given(st.lists(st.sampled_from([b"http://h/a\n", b"\n", b"#\r\n", b"bad\n", b"http://h/b"])).map(b"".join))
def test_every_byte_can_be_a_block(text: bytes) -> None:
    """A list that arrives byte by byte gives what it gives in one block."""
    assert read(text, [1]) == read(text)


@given(TEXTS, st.integers(1, 5), st.lists(st.integers(500, 100_000), min_size=1, max_size=3))
def test_a_resume_from_any_batch_gives_exactly_the_rest(text: bytes, batch: int, sizes: list[int]) -> None:
    """After any committed batch, a new life finds the lines behind it and nothing else, with the same numbers."""
    batches = read(text, batch=batch)

    for done, after in enumerate(batches, 1):
        assert list(resumed(text, after, sizes, batch=batch))[: len(batches)] == (
            batches[done:] or [SeedBatch(cursor=len(text), line=after.line, last=True)]
        )


@given(TEXTS, st.integers(1, 5))
def test_every_line_is_accounted_for_once(text: bytes, batch: int) -> None:
    """Blanks, comments, finds and refusals add up to the lines, whose numbers are all different."""
    batches = read(text, batch=batch)

    for each in batches:
        assert each.lines == each.blank + each.comments + len(each.finds) + len(each.rejected)
    numbers = [line for each in batches for line in numbers_of(each)]
    assert len(set(numbers)) == len(numbers)
    assert (
        sum(each.lines for each in batches) == batches[-1].line == text.count(b"\n") + (text[-1:] not in {b"", b"\n"})
    )
    assert all(one.cursor <= two.cursor for one, two in pairwise(batches))
    assert batches[-1].cursor == len(text)
    assert [each.last for each in batches] == [False] * (len(batches) - 1) + [True]


def numbers_of(batch: SeedBatch) -> list[int]:
    """The numbers of the lines that became a find or a refusal."""
    return [find.line or 0 for find in batch.finds] + [line.line for line in batch.rejected]


@pytest.mark.parametrize(
    "text",
    [
        b"http://h/a\nhttp://h/b\n",
        b"http://h/a\nhttp://h/b",
        b"http://h/a\r\nhttp://h/b\r\n",
        b"\xef\xbb\xbfhttp://h/a\n\nhttp://h/b",
        b"# a list\nhttp://h/a\n   \t\n  # more\n\thttp://h/b \n",
    ],
    ids=["newlines", "no final newline", "CRLF", "BOM", "blanks and comments"],
)
def test_lists_come_in_many_shapes(text: bytes) -> None:
    """Line ends, a byte order mark, blank lines, comments and indentation are no part of a URL."""
    batch = one(text)

    assert [find.url.href for find in batch.finds] == ["http://h/a", "http://h/b"]
    assert batch.rejected == ()
    assert all(find.way.seed and find.named and find.way.depth == 0 for find in batch.finds)


def test_an_empty_list_is_one_empty_batch() -> None:
    """Nothing to read still says that everything is read."""
    assert read(b"") == [SeedBatch(cursor=0, line=0, last=True)]


def test_blanks_and_comments_are_counted() -> None:
    """Blank lines and comments are counted apart."""
    batch = one(b"\n \r\n#a\n  #b\nhttp://h/#c\n")

    assert (batch.lines, batch.blank, batch.comments, len(batch.finds)) == (5, 2, 2, 1)


@pytest.mark.parametrize(
    ("line", "reason", "message", "text"),
    [
        (b"page.html", Reason.RELATIVE_URL, "no http://", "page.html"),
        (b"http://h:99999/", Reason.NOT_A_URL, "port", "http://h:99999/"),
        (b"http://h:22/", Reason.BLOCKED_PORT, "port 22", "http://h:22/"),
        (b"mailto:me", Reason.UNSUPPORTED_SCHEME, "mailto", "mailto:me"),
        (b"http://h/" + b"a" * 9000, Reason.URL_TOO_LONG, "9009", "http://h/" + "a" * 191),
        (
            b"http://h/\xff\xfe",
            Reason.NOT_UTF8,
            "byte 10 of the line is not UTF-8: save the list as UTF-8",
            "http://h/\\xff\\xfe",
        ),
        (b"\xff", Reason.NOT_UTF8, "byte 1 ", "\\xff"),
        (b"x" * 1_000_000, Reason.LINE_TOO_LONG, "65536", ""),
        (b"\x00", Reason.NOT_UTF8, "save the whole list as UTF-8", "\x00"),
        (b"h\x00t\x00t\x00p\x00", Reason.NOT_UTF8, "zero bytes, as UTF-16 has", "h\x00t\x00t\x00p\x00"),
        (b"mailto:me@h", Reason.UNSUPPORTED_SCHEME, "mailto", "mailto:me@h"),
        (b"XMPP:me@h/there", Reason.UNSUPPORTED_SCHEME, "xmpp", "XMPP:me@h/there"),
        (b"sip:me:secret@h", Reason.UNSUPPORTED_SCHEME, "sip", "sip:***@h"),
        (b"ftp://me:secret@h/a", Reason.UNSUPPORTED_SCHEME, "ftp", "ftp://***@h/a"),
        (b"me:secret@h", Reason.UNSUPPORTED_SCHEME, "me", "***@h"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_refused_line_says_why(line: bytes, reason: Reason, message: str, text: str) -> None:
    """A refusal has its line number, its reason, what to write instead and how the line began."""
    batch = one(b"http://h/first\n" + line + b"\nhttp://h/last\n")

    (refused,) = batch.rejected
    assert (refused.line, refused.reason, refused.text) == (2, reason, text)
    assert message in refused.message
    assert [find.line for find in batch.finds] == [1, 3]


@pytest.mark.parametrize(
    "line",
    [
        b"http://me:hunter2@h/",
        b"http://hunter2@h/",
        b"ftp://me:hunter2@h/",
        b"http://me:hunter2@h:22/",
        b"http://me:hunter2@h:99999/",
        b"http://me:hunter2/@h:99999/",
        b"http://me:hunter2@h/\xff",
        b"me:hunter2@h",
        b"hunter2@h",
        b"sip:me:hunter2@h",
        b"mailto:me@h?cc=hunter2@h",
        b"mailto:me%3Ahunter2@h",
        b"mailto://me:hunter2@h",
        b"mailto:me http://hunter2@h/",
        b"Sitemap: ftp://me:hunter2@h/",
    ],
)
def test_no_password_of_a_list_is_repeated(line: bytes) -> None:
    """A line with a password is refused whatever else is wrong with it, and is shown without it."""
    batch = one(line)

    assert batch.finds == ()
    assert "hunter2" not in repr(batch)


def test_a_control_character_within_a_line_does_not_end_it() -> None:
    """Only a newline ends a line; what else is in it is the URL's business."""
    batch = one(b"http://h/a\x0bb\x0c\x1cc\xc2\x85d\n")

    assert batch.lines == 1
    assert [find.url.href for find in batch.finds] == ["http://h/a%0Bb%0C%1Cc%C2%85d"]


def test_a_byte_order_mark_is_no_part_of_a_url() -> None:
    """A mark stands before a line wherever lists were put together, also where a new life begins to read."""
    text = b"\xef\xbb\xbfhttp://h/a\n\xef\xbb\xbfhttp://h/b\n\xef\xbb\xbf# note\n\xef\xbb\xbf\n"

    (first, *_) = read(text, batch=1)
    (rest,) = resumed(text, first)

    assert [find.url.href for find in (*first.finds, *rest.finds)] == ["http://h/a", "http://h/b"]
    assert (rest.comments, rest.blank) == (1, 1)


def test_a_line_of_any_length_takes_little_memory() -> None:
    """A line that is too long is dropped as it comes, and the offsets behind it are still right."""
    splitter = LineSplitter()
    for _ in range(100):
        assert list(splitter.feed(b"x" * 10_000)) == []
        assert len(splitter._start) <= LONGEST_LINE

    assert list(splitter.feed(b"\nshort\n")) == [(None, 1_000_001), (b"short", 1_000_007)]


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_LINE, True), (LONGEST_LINE + 1, False)])
def test_the_longest_line_is_kept(length: int, kept: bool) -> None:
    """A line at the limit is read; one byte more is too long, with or without a newline behind it."""
    for end in (b"\n", b""):
        splitter = LineSplitter()

        ((raw, offset),) = [*splitter.feed(b"x" * length + end), *splitter.finish()]

        assert (raw is not None) == kept
        assert offset == length + len(end)


@pytest.mark.parametrize(
    "line", ["Sitemap: http://h/s", "sitemap:http://h/s", "SITEMAP :  http://h/s \t", "\ufeffSitemap: http://h/s"]
)
def test_a_line_may_list_a_sitemap(line: str) -> None:
    """Spelled as in a robots.txt."""
    (find,) = one(line.encode()).finds

    assert find == a_find("http://h/s", sitemap=True, seed=True, named=True, line=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Sitemap: /s", Reason.RELATIVE_URL),
        ("Sitemap:", Reason.NOT_A_URL),
        ("Sitemap: ftp://h/s", Reason.UNSUPPORTED_SCHEME),
        ("Sitemap: http://u:p@h/s", Reason.CREDENTIALS_IN_URL),
        ("Sitemaps: http://h/s", Reason.UNSUPPORTED_SCHEME),
    ],
)
def test_a_sitemap_that_is_no_url_is_refused_like_any_line(line: str, reason: Reason) -> None:
    """With the reason that its URL alone would have."""
    (rejected,) = one(line.encode()).rejected

    assert rejected.reason is reason
