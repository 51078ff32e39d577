"""load.prepare: what a test is told of its files of requests, and what it takes of them."""

import gzip
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.target import standard_input

LOG = b'::1 - - [10/Oct/2000:20:55:36 +0000] "%b /a HTTP/1.1" 200 1\n'


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("http://127.0.0.1:9/${id}", {"feed": "rows"}, "2 requests, one for each row of rows"),
        ("http://127.0.0.1:9/${id}", {"feed": "-"}, "3 requests, one for each row of standard input"),
        ("http://127.0.0.1:9/$${id}", {}, None),
        ("http://127.0.0.1:9/", {"targets": "list"}, "2 requests of list, 2 groups"),
        ("http://127.0.0.1:9/", {}, None),
    ],
)
async def test_the_requests_are_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, options: dict[str, str], told: str | None
) -> None:
    """A single URL has no name of its own; standard input has one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"id\n1\n2\n3\n")))
    standard_input.cache_clear()
    (tmp_path / "rows").write_text("id\n1\n2\n", "utf-8")
    (tmp_path / "list").write_text("/a\n/b\n", "utf-8")

    setup, _ = await prepare(url, configure_load(options), tmp_path)
    standard_input.cache_clear()

    assert setup.targets == told


async def test_the_report_says_once_what_was_left_out(tmp_path: Path) -> None:
    """Lines that cannot be read, and those that --methods leaves out."""
    (tmp_path / "log").write_bytes(LOG % b"GET" + LOG % b"POST" + b"-\n")
    options = {"targets": str(tmp_path / "log"), "methods": "GET", "skip-broken": True}

    setup, _ = await prepare("http://127.0.0.1:9/", configure_load(options), tmp_path)

    assert setup.notes == (
        "1 line of the file left out, since they cannot be read; 1 line left out by --methods: 1 POST",
    )


async def test_an_error_in_a_log_in_names_its_option(tmp_path: Path) -> None:
    """The option of the targets has nothing to do with it."""
    (tmp_path / "l").write_bytes(gzip.compress(b"/a\n" * 9000, mtime=0)[:-9])

    with pytest.raises(UsageError, match=r"--login: .*l: its gzip file is damaged"):
        await prepare("http://127.0.0.1:9/", configure_load({"login": str(tmp_path / "l")}), tmp_path)


@pytest.mark.parametrize(("page", "login"), [("/a", "/l?${id}"), ("/a?${id}", "/l"), ("/a", "/l")])
async def test_a_feed_is_for_targets_or_log_in(tmp_path: Path, page: str, login: str) -> None:
    """Often the log-in alone has a column; a feed that neither asks for is refused."""
    for name, text in (("t", f"{page}\n"), ("l", f"{login}\n"), ("f", "id\n1\n2\n")):
        (tmp_path / name).write_text(text, "utf-8")
    options = {"targets": str(tmp_path / "t"), "login": str(tmp_path / "l"), "feed": str(tmp_path / "f")}
    config = configure_load(options)

    if "$" not in page + login:
        with pytest.raises(UsageError, match=r"--feed: no .*column} in targets or log-in asks for it"):
            await prepare("http://127.0.0.1:9/", config, tmp_path)
    else:
        (tmp_path / "new").mkdir()
        _, plan = await prepare("http://127.0.0.1:9/", config, tmp_path / "new")
        assert (plan.targets is not None, plan.login is not None) == (True, True)


async def test_methods_of_a_log_in_can_be_named(tmp_path: Path) -> None:
    """A recorded log-in nearly always posts."""
    (tmp_path / "l").write_bytes(LOG % b"POST")
    options = {"login": str(tmp_path / "l")}

    with pytest.raises(UsageError, match="give --methods POST if it may be changed"):
        await prepare("http://127.0.0.1:9/", configure_load(options), tmp_path)
    (tmp_path / "again").mkdir()
    _, plan = await prepare("http://127.0.0.1:9/", configure_load(options | {"methods": "POST"}), tmp_path / "again")

    assert plan.login is not None
    assert plan.login.groups == ("POST /a",)
