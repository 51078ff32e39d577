"""cli.notes: what a user is told before a run begins."""

from pathlib import Path

import pytest

from crawler.cli.main import _run
from crawler.cli.notes import cookies_note, notes
from crawler.core.config import FetchConfig, RunConfig, configure
from crawler.engine.seeds import Seeds

NOTE = (
    "note: no server can tell whom to ask about this crawler. Say so once, with a line such as\n"
    '        contact = "you@example.org"\n      in {file} (or each time, with --contact)'
)


def a_list(folder: Path, *lines: str) -> Seeds:
    """A list of these lines."""
    path = folder / "seeds.txt"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return Seeds(path)


@pytest.mark.parametrize(
    ("options", "line", "is_told"),
    [
        ({}, "http://127.0.0.1:8000/", False),
        ({}, "http://localhost/", False),
        ({}, "nonsense", False),
        ({}, "https://example.org/", True),
        ({"contact": "me@example.org"}, "https://example.org/", False),
        ({"user-agent": "mine/1.0"}, "https://example.org/", False),
    ],
)
def test_who_visits_others_is_asked_for_a_contact(
    own: Path, tmp_path: Path, options: dict[str, object], line: str, *, is_told: bool
) -> None:
    """The own machine needs no contact, and who gave one or has a name is not asked."""
    seeds = a_list(tmp_path, "# a list", "http://127.0.0.1/", line)

    assert notes(configure(options), seeds, follows=False) == ([NOTE.format(file=own)] if is_told else [])


@pytest.mark.parametrize("quiet", [False, True])
def test_the_note_is_printed_once_at_the_start(
    own: Path, started: list[RunConfig], capsys: pytest.CaptureFixture[str], *, quiet: bool
) -> None:
    """Before the run shows anything; a quiet one says nothing."""
    assert _run(["fetch", "https://example.org/", "-o", "out", *(["--quiet"] if quiet else [])]) == 0

    assert len(started) == 1
    assert capsys.readouterr().err == ("" if quiet else NOTE.format(file=own) + "\n")


def scope_notes(folder: Path, *lines: str, scope: str = "prefix", follows: bool = True) -> list[str]:
    """Return the notes on the scope of these seeds for a user who has a contact."""
    config = configure({"scope": scope, "contact": "me@example.org"})
    return notes(config, a_list(folder, *lines), follows=follows)


def test_a_seed_that_may_mean_a_folder_is_said_to_mean_the_one_above(tmp_path: Path) -> None:
    """It is the folder of `wget --no-parent`; of several such seeds the first is named, and what would change it."""
    assert scope_notes(tmp_path, "http://h/a/docs?q=/#x", "http://h/b/docs") == [
        "note: scope prefix: http://h/a/ (end the URL with / to crawl only http://h/a/docs/)"
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["http://h/"],
        ["http://h/docs/"],
        ["http://h/docs/index.html?from=a"],
        ["http://h/docs/about", "http://h/docs/"],  # the folder above is another seed's, so it is meant
        ["http://h/docs/about", "http://h:80/"],
        ["http://h/docs/about", "Sitemap: http://h/sitemap"],
        ["Sitemap: http://h/docs/sitemap"],
        ["nonsense"],
    ],
)
def test_a_seed_with_a_plain_meaning_is_not_explained(tmp_path: Path, lines: list[str]) -> None:
    """A folder, a page, or a page whose folder is crawled anyway."""
    assert scope_notes(tmp_path, *lines) == []


def test_only_a_scope_of_folders_is_explained(tmp_path: Path) -> None:
    """To the other scopes and to a list without links the last part of a path makes no difference."""
    assert scope_notes(tmp_path, "http://h/docs", scope="host") == []
    assert scope_notes(tmp_path, "http://h/docs", follows=False) == []


def test_of_a_long_list_only_whole_lines_are_looked_at(tmp_path: Path) -> None:
    """The place where looking ends may cut a URL, and a part of one means nothing."""
    filling = "#" * (64 * 1024 - len("http://h/do\n"))

    assert scope_notes(tmp_path, filling, "http://h/docs/") == []


def test_the_note_on_the_scope_is_printed_at_the_start(
    tmp_path: Path, started: list[RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, before the run shows anything."""
    assert _run(["crawl", "http://127.0.0.1:9999/docs", "--scope", "prefix", "-o", str(tmp_path / "out")]) == 0

    assert len(started) == 1
    assert capsys.readouterr().err == (
        "note: scope prefix: http://127.0.0.1:9999/ (end the URL with / to crawl only http://127.0.0.1:9999/docs/)\n"
    )


@pytest.mark.parametrize(
    ("expiries", "expected"),
    [
        (["0", "4102444800"], None),
        (["0", "1", "2"], "note: --load-cookies: 2 cookies of 3 expired, and will not be sent"),
        ([], "note: --load-cookies: the file holds no cookie"),
    ],
)
def test_expired_cookies_are_told(tmp_path: Path, expiries: list[str], expected: str | None) -> None:
    """A user learns before a run that cookies of the file stay behind; an expiry of 0 is the end of the session."""
    file = tmp_path / "cookies.txt"
    file.write_text("".join(f"h\tFALSE\t/\tFALSE\t{at}\tname{n}\tvalue\n" for n, at in enumerate(expiries)))

    assert cookies_note(FetchConfig(cookies_file=str(file)), 1_700_000_000.0) == expected


def test_without_a_file_of_cookies_there_is_nothing_to_tell() -> None:
    """Most runs have none."""
    assert cookies_note(FetchConfig(), 1_700_000_000.0) is None


@pytest.mark.parametrize("quiet", [True, False])
def test_a_run_begins_with_the_note_on_cookies(tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    """On standard error, unless the run is a quiet one."""
    (tmp_path / "cookies.txt").write_text("h\tFALSE\t/\tFALSE\t1\tname\tvalue\n")
    seeds = a_list(tmp_path, "# no URL")
    options = ["--load-cookies", str(tmp_path / "cookies.txt"), "-o", str(tmp_path / "out")]

    assert _run(["fetch", str(seeds.path), *options, *(["--quiet"] if quiet else [])]) == 0

    assert ("note: --load-cookies: 1 cookie of 1 expired," in capsys.readouterr().err) is not quiet


@pytest.mark.parametrize(
    ("lines", "is_told"),
    [
        (("url,name", "http://h/a,Anna", "http://h/b,Bert"), True),
        (("http://h/a;Anna;1", "http://h/b;Bert;2"), True),
        (("http://h/a,Anna", "http://h/b"), False),
        (("http://h/a,Anna",), False),  # a single one says nothing
        (("http://h/a", "http://h/b"), False),
    ],
)
def test_a_list_that_looks_like_a_table_is_told(tmp_path: Path, lines: tuple[str, ...], is_told: bool) -> None:
    """A row that begins with a URL is a URL, too: another one than its writer meant."""
    told = notes(RunConfig(), a_list(tmp_path, *lines), follows=False)

    assert any("say --column 1" in note for note in told) is is_told
