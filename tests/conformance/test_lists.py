"""Lines of lists as people have them, and what each becomes.

Quotes, angle brackets and white space delimit a URL (RFC 3986, appendix C). A host without a scheme is read as browsers
read what is typed into the address bar; which words are hosts, the public suffix list says. Rows are those of CSV (RFC
4180).
"""

import pytest

from crawler.core.finds import Guess
from crawler.core.leases_and_commits import SeedBatch
from crawler.core.reasons import Reason
from crawler.run.list_reader import BatchBuilder, LineSplitter
from crawler.run.list_table import Table


def read(text: str, *tables: Table) -> SeedBatch:
    """The batch of a list."""
    splitter, builder = LineSplitter(), BatchBuilder(tables=tables)
    for raw, offset in [*splitter.feed(text.encode()), *splitter.finish()]:
        builder.add(raw, offset)
    return builder.build(last=True)


WRAPPED = [
    ('"http://h/a"', "http://h/a"),
    ("'http://h/a'", "http://h/a"),
    ("`http://h/a`", "http://h/a"),
    ("<http://h/a>", "http://h/a"),
    ("<URL:http://h/a>", "http://h/a"),
    ("\u201chttp://h/a\u201d", "http://h/a"),
    ('"http://h/a",', "http://h/a"),
    ('  "http://h/a" ; ', "http://h/a"),
    ('" http://h/a "', "http://h/a"),
    ('"<http://h/a>"', "http://h/a"),
    ('Sitemap: "http://h/s.xml"', "http://h/s.xml"),
    ('"Sitemap: http://h/s.xml"', "http://h/s.xml"),
]

COMMENTED = [
    ("http://h/a#b # c", "http://h/a"),
    ("http://h/a # note", "http://h/a"),
    ("http://h/a  \t # note # more", "http://h/a"),
    ("http://h/a #frag", "http://h/a"),
    ("http://h/a b # note", "http://h/a%20b"),
    ('"http://h/a" # "note"', "http://h/a"),
    ('"http://h/a # note"', "http://h/a"),
    ("Sitemap: http://h/s.xml # main", "http://h/s.xml"),
    ("http://h/a # me@example.com", "http://h/a"),
    ("http://h/a\t# note", "http://h/a"),
]

AS_THEY_STAND = [
    ("http://h/a#b#c", "http://h/a"),
    ("http://h/a,", "http://h/a,"),  # a comma is a letter of a URL, and nothing says otherwise
    ("http://h/'a'", "http://h/'a'"),
    ("http://h/a>", "http://h/a%3E"),
    ("HTTP://H/a", "http://h/a"),
]

GUESSED = [
    ("example.com", "https://example.com/"),
    ("EXAMPLE.com/A", "https://example.com/A"),
    ("example.com/a?b=c#d", "https://example.com/a?b=c"),
    ("example.com?q", "https://example.com/?q"),
    ("//example.com/a", "https://example.com/a"),
    ("example.com:8080/x", "https://example.com:8080/x"),
    ("example.com:80", "https://example.com:80/"),
    ("example.com.", "https://example.com./"),
    ("a_b.example.co.uk", "https://a_b.example.co.uk/"),
    ("gov.uk", "https://gov.uk/"),  # a suffix that is a host, too
    ("alice.github.io", "https://alice.github.io/"),
    ("www.münchen.de", "https://www.xn--mnchen-3ya.de/"),
    ("例え.jp/道", "https://xn--r8jz45g.jp/%E9%81%93"),
    ("xn--mnchen-3ya.de", "https://xn--mnchen-3ya.de/"),
    ("localhost", "https://localhost/"),
    ("localhost:8000/x", "https://localhost:8000/x"),
    ("app.localhost:3000", "https://app.localhost:3000/"),
    ("192.0.2.1/a", "https://192.0.2.1/a"),
    ("127.0.0.1:8000", "https://127.0.0.1:8000/"),
    ("[::1]:8000", "https://[::1]:8000/"),
    ("[2001:DB8::1]", "https://[2001:db8::1]/"),
    ('"example.com"', "https://example.com/"),
    ("<example.com/a>,", "https://example.com/a"),
    ("Sitemap: example.com/s.xml", "https://example.com/s.xml"),
    ("\ufeffexample.com", "https://example.com/"),
]

REFUSED = [
    ("index.html", Reason.RELATIVE_URL, "does not begin with a host"),
    ("urls.txt", Reason.RELATIVE_URL, "does not begin with a host"),
    ("/path", Reason.RELATIVE_URL, "write the whole URL"),
    ("//intranet/a", Reason.RELATIVE_URL, "write the whole URL"),
    ("intranet", Reason.RELATIVE_URL, "write the whole URL"),
    ("com", Reason.RELATIVE_URL, "write the whole URL"),
    ("foo bar", Reason.RELATIVE_URL, "write the whole URL"),
    ("see example.com", Reason.RELATIVE_URL, "write the whole URL"),
    ("1", Reason.RELATIVE_URL, "write the whole URL"),  # an address to the URL standard, and a number to its writer
    ("10.1", Reason.RELATIVE_URL, "write the whole URL"),
    ("0x7f.0.0.1", Reason.RELATIVE_URL, "write the whole URL"),
    ("1.2.3.256", Reason.NOT_A_URL, "host or port"),
    ("me@example.com", Reason.RELATIVE_URL, "write the whole URL"),
    ("example.com:99999", Reason.NOT_A_URL, "host or port"),
    ("example.com:22", Reason.BLOCKED_PORT, "port 22"),
    ("mailto:me@example.com", Reason.UNSUPPORTED_SCHEME, "mailto"),
    ("ftp://example.com/", Reason.UNSUPPORTED_SCHEME, "ftp"),
    ('"http://h/a', Reason.RELATIVE_URL, "write the whole URL"),
    ('""', Reason.NOT_A_URL, "empty"),
    ('"http://h/a" "http://h/b"', Reason.RELATIVE_URL, "write the whole URL"),
    ("1,google.com", Reason.RELATIVE_URL, "--column 2 reads such rows"),
    ("google.com,1", Reason.RELATIVE_URL, "--column 1 reads such rows"),
    ('"1","http://h/a"', Reason.RELATIVE_URL, "--column 2 reads such rows"),
    ("x;y;http://h/a", Reason.RELATIVE_URL, "--column 3 reads such rows"),
    ("1\tgoogle.com", Reason.NOT_A_URL, "--column 2 reads such rows"),
    ("http://h/a\t12", Reason.NOT_A_URL, "--column 1 reads such rows"),
    ("a,b", Reason.RELATIVE_URL, "write the whole URL"),
    ("http://me:secret@h/", Reason.CREDENTIALS_IN_URL, "--user"),
    ('"http://me:secret@h/"', Reason.CREDENTIALS_IN_URL, "--user"),
]


@pytest.mark.parametrize(("line", "href"), [*WRAPPED, *COMMENTED])
def test_what_stands_around_a_url_is_taken_off(line: str, href: str) -> None:
    """It is counted, so that it can be told."""
    batch = read(line)

    assert [find.url.href for find in batch.finds] == [href]
    assert (batch.unwrapped, batch.guessed) == (1, 0)


@pytest.mark.parametrize(("line", "href"), AS_THEY_STAND)
def test_what_belongs_to_a_url_stays(line: str, href: str) -> None:
    """Nothing is taken off that is not around the whole, and nothing is counted."""
    batch = read(line)

    assert [(find.url.href, find.guess) for find in batch.finds] == [(href, Guess.WRITTEN)]
    assert (batch.unwrapped, batch.guessed) == (0, 0)


@pytest.mark.parametrize(("line", "href"), GUESSED)
def test_a_host_without_a_scheme_is_a_guess_at_https(line: str, href: str) -> None:
    """It is marked as a guess, since http is asked where https is not spoken."""
    batch = read(line)

    assert [(find.url.href, find.guess, find.named) for find in batch.finds] == [(href, Guess.GUESSED, True)]
    assert batch.guessed == 1


@pytest.mark.parametrize(("line", "reason", "message"), REFUSED)
def test_what_is_no_url_is_refused_with_what_helps(line: str, reason: Reason, message: str) -> None:
    """The message says what to write, or which option reads such lines."""
    batch = read(line)

    (refused,) = batch.rejected
    assert refused.reason is reason
    assert message in refused.message
    assert "secret" not in refused.message + refused.text


@pytest.mark.parametrize(
    ("row", "table", "becomes"),
    [
        ("1,google.com", Table(first_line=1, column=2), "https://google.com/"),
        ("1,http://h/a,b", Table(first_line=1, column=2), "http://h/a"),
        ('1,"http://h/a,b"', Table(first_line=1, column=2), "http://h/a,b"),
        ('1, "http://h/""a"""', Table(first_line=1, column=2), "http://h/%22a%22"),
        ("1\tgoogle.com\t", Table(first_line=1, column=2, separator="\t"), "https://google.com/"),
        ("\t http://h/a ", Table(first_line=1, column=2, separator="\t"), "http://h/a"),
        ("a;http://h/", Table(first_line=1, column=2, separator=";"), "http://h/"),
        ("http://h/a", Table(first_line=1, column=1), "http://h/a"),
        ("x,Sitemap: http://h/s", Table(first_line=1, column=2), "http://h/s"),
        ("google.com", Table(first_line=1, column=2), Reason.NO_COLUMN),
        ("1,", Table(first_line=1, column=2), Reason.NO_COLUMN),
        ("1,/path", Table(first_line=1, column=2), Reason.RELATIVE_URL),
        ("1,http://u:secret@h/", Table(first_line=1, column=2), Reason.CREDENTIALS_IN_URL),
        ('1,"http://h/', Table(first_line=1, column=2), "http://h/"),
        ("1,http://h/\ta", Table(first_line=1, column=2), Reason.NOT_A_URL),
    ],
)
def test_of_a_row_one_column_is_read(row: str, table: Table, becomes: str | Reason) -> None:
    """A cell is read like a line, a host without a scheme too; a row that ends before it is rejected."""
    batch = read(row, table)

    found = [find.url.href for find in batch.finds] or [line.reason for line in batch.rejected]
    assert found == [becomes]
    assert "secret" not in "".join(line.text for line in batch.rejected)


def test_what_was_appended_in_utf_16_is_told_as_that() -> None:
    """The lines in UTF-8 are read, the others are no UTF-8, whatever their letters."""
    splitter, builder = LineSplitter(), BatchBuilder()
    data = b"http://h/a\n" + "http://h/b\r\nhttp://h/c\r\n".encode("utf-16") + b"http://h/d\n"
    for raw, offset in splitter.feed(data):
        builder.add(raw, offset)

    batch = builder.build(last=True)

    assert [find.url.href for find in batch.finds] == ["http://h/a"]
    assert {line.reason for line in batch.rejected} == {Reason.NOT_UTF8}
    assert all("save the" in line.message for line in batch.rejected)
    assert batch.lines == len(batch.finds) + len(batch.rejected)


def test_only_the_first_rows_of_a_batch_are_advised_on() -> None:
    """The advice is the same for all rows of a table, and costs as much as many lines."""
    batch = read("1,http://h/a\n" * 100)

    advised = ["--column 2 reads such rows" in line.message for line in batch.rejected]
    assert advised == [True] * 20 + [False] * 80


def test_the_line_that_names_the_separator_is_a_comment() -> None:
    """So is the header behind it."""
    batch = read("sep=;\n\nhost;rank\nc.com;3\n", Table(first_line=1, column=1, separator=";", header=3))

    assert [find.url.href for find in batch.finds] == ["https://c.com/"]
    assert (batch.lines, batch.comments, batch.blank, batch.rejected) == (4, 2, 1, ())


def test_each_list_has_columns_of_its_own() -> None:
    """A line lies in the list that begins last before it; a header is counted as a comment."""
    lists = "rank,host\n1,a.com\nhttp://h/b\nhost;rank\n# note\n\nc.com;3\n"
    tables = (
        Table(first_line=1, column=2, header=1),
        Table(first_line=3),
        Table(first_line=4, column=1, separator=";", header=4),
    )

    batch = read(lists, *tables)

    assert [find.url.href for find in batch.finds] == ["https://a.com/", "http://h/b", "https://c.com/"]
    assert (batch.lines, batch.comments, batch.blank, batch.rejected) == (7, 3, 1, ())
