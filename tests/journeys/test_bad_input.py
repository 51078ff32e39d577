"""Bad input of every kind: one line that says what to do, the exit code, and nothing half-made."""

import os
import socket
import sys
from pathlib import Path

import pytest

from crawler.cli.main import _run
from support.commands import one_line

IS_ROOT = os.geteuid() == 0
PROGRAM = [sys.executable, "-m", "crawler"]
URL = "http://127.0.0.1:9999/"  # nobody is asked: each of these commands ends before

REFUSED: dict[str, tuple[list[str], str]] = {
    "a URL that is none": (["http://[::1/"], "its host or port is not valid"),
    "a host without a dot": (
        ["intranet"],
        "intranet: no such file; a URL begins with http://, https:// or a host, - is",
    ),
    "a relative URL": (["docs/index.html"], "a URL begins with http://, https:// or a host"),
    "a host and a mail port": (["example.com:25"], "example.com:25: port 25 belongs to another protocol"),
    "half an address": (["127.1"], "a URL begins with http://, https:// or a host"),
    "another scheme": (["ftp://127.0.0.1/"], "only http and https are fetched"),
    "a password in a URL": (["http://bob:hunter2@127.0.0.1/"], "give the password with --user"),
    "a list that is missing": (
        ["missing.txt"],
        "missing.txt: no such file; a URL begins with http://, https:// or a host, - is",
    ),
    "a folder as a list": (["."], "is a folder, not a list"),
    "a cursor in a name": (["a\x1b[2Jb"], r"a\u001b[2Jb: no such file"),
    "one good and one bad": ([URL, "missing.txt"], "missing.txt: no such file"),
    "an unknown flag": ([URL, "--concurency", "4"], "'--concurrency'?) (see crawler fetch --help)"),
    "no source": ([], "give a SOURCE: a URL, a file of URLs, or - for standard input; or a --sitemap URL"),
    "a number that is none": ([URL, "--concurrency", "many"], "--concurrency: expected a whole number, 1 or more"),
    "zero at once": ([URL, "--concurrency", "0"], "--concurrency: expected a whole number, 1 or more"),
    "a negative delay": ([URL, "--delay", "-1"], "--delay: expected auto, or seconds"),
    "an unknown kind": ([URL, "--save", "tape"], "--save: expected jsonl, files or -"),
    "two users of stdout": ([URL, "--save", "-", "--json"], "--json and --save -: give one of them"),
    "a bad network": ([URL, "--allow-net", "300.0.0.0/8"], "300.0.0.0/8: no network"),
    "a bad header": ([URL, "--header", "hunter2"], "--header: expected 'Name: value' (value hidden)"),
    "a header of two lines": (
        [URL, "--header", "A: b\r\nC: hunter2"],
        "--header: expected 'Name: value' (value hidden)",
    ),
    "a user without password": ([URL, "--user", "hunter2"], "--user: expected NAME:PASS (value hidden)"),
    "two ways to log in": ([URL, "--user", "a:b", "--bearer", "c"], "--user and --bearer: give one of them"),
    "a variable that is not set": ([URL, "--bearer", "env:NOT_SET"], "the environment variable NOT_SET is not set"),
    "a secret's file that is missing": ([URL, "--bearer", "file:missing"], "missing"),
    "a function of the main script": (
        [URL, "--extract", "__main__:f"],
        "--extract: worker processes cannot import the main script",
    ),
    "a function that is missing": (
        [URL, "--extract", "missing:f"],
        "--extract: 'missing:f' cannot be imported: Module",
    ),
    "a name that is no function": ([URL, "--extract", "f"], "--extract: expected module:function, got 'f'"),
    "a selector that is none": ([URL, "--select", "a=h1["], "--select: 'h1[' is no CSS selector: write one as in"),
    "a function in a module that fails": (
        [URL, "--extract", "asyncio.windows_events:f"],
        "'asyncio.windows_events:f' cannot be imported: ImportError: win32 only",
    ),
    "a missing CA file": ([URL, "--ca-file", "missing.pem"], "--ca-file: 'missing.pem': no such file"),
    "a CA file that is none": ([URL, "--ca-file", __file__], "ca-file: "),
    "a missing certificate": ([URL, "--client-cert", "missing.pem"], "--client-cert: 'missing.pem': no such file"),
    "a missing cookie file": ([URL, "--load-cookies", "missing.txt"], "--load-cookies: 'missing.txt': no such file"),
    "a cookie file that is none": ([URL, "--load-cookies", __file__], "load-cookies: "),
    "a proxy that is no URL": ([URL, "--proxy", "127.0.0.1:3128"], "--proxy: write http:// in front"),
    "a proxy of another kind": ([URL, "--proxy", "socks4://127.0.0.1:1"], "--proxy: it has the scheme of no proxy"),
    "a missing config file": ([URL, "--config", "missing.toml"], "missing.toml: No such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    """One line says what is wrong, the exit code is 2, and no folder was made."""
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)

    code = _run(["fetch", *arguments])

    line = one_line(capfd)
    assert code == 2
    assert message in line
    assert "hunter2" not in line
    assert not list(tmp_path.iterdir())


CONFIGS = {
    "a key that nobody knows": ("concurency = 4", "'concurency'", "concurrency"),
    "a text for a number": ("concurrency = 'many'", "config.toml: --concurrency: expected a whole number", "many"),
    "a number for a flag": ("robots = 1", "robots: expected true or false", "1"),
    "a text for a list": (
        "header = 'A: b'",
        '--header: expected a list of texts, such as ["Name: value"]',
        "(value hidden)",
    ),
    "true for a number": ("timeout = true", "timeout: expected seconds", "True"),
    "no number at all": ("rate = nan", "rate: expected a number above 0", "nan"),
    "a table": ("[fetch]\ntimeout = 4", "fetch", "config.toml"),
    "no TOML": ("concurrency = = 4", "config.toml: not valid TOML", "line 1"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_file_that_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    """An unknown key, a value of the wrong type or a slip in the syntax is named; nothing is made."""
    content, *messages = CONFIGS[case]
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(content, "utf-8")

    code = _run(["fetch", URL, "--config", "config.toml"])

    line = one_line(capfd)
    assert code == 2
    assert [message for message in messages if message not in line] == []
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.skipif(IS_ROOT, reason="root reads everything")
def test_an_unreadable_list_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A list without permission to read it is named."""
    (tmp_path / "urls.txt").touch(mode=0o000)

    assert _run(["fetch", str(tmp_path / "urls.txt")]) == 2
    assert "not readable" in one_line(capfd)


@pytest.mark.skipif(IS_ROOT, reason="root writes everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is started in a folder that cannot be written."""
    tmp_path.chmod(0o500)

    assert _run(["fetch", URL, "-o", str(tmp_path / "out")]) == 2
    assert "Permission denied; give another --output" in one_line(capfd)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("full", "exists and is not an empty folder: give another --output"),
        ("full/file", "is a file: give another --output"),
        ("full/file/below", "give another --output"),
        ("/proc/nowhere", "give another --output"),
    ],
)
def test_an_output_that_is_taken_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], output: str, message: str
) -> None:
    """Neither a file nor a folder that holds anything is written over."""
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/file").write_text("mine", "utf-8")

    code = _run(["fetch", URL, "-o", output])

    assert code == 2
    assert message in one_line(capfd)
    assert [path.name for path in Path("full").iterdir()] == ["file"]
    assert Path("full/file").read_text("utf-8") == "mine"


def test_an_existing_run_is_never_written_over(half_done: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The folder of a run is refused, with the way to go on with it."""
    before = (half_done / "pages.jsonl").read_bytes()

    code = _run(["fetch", URL, "-o", str(half_done)])

    assert code == 2
    assert f"go on with `crawler resume {half_done}`" in one_line(capfd)
    assert (half_done / "pages.jsonl").read_bytes() == before


@pytest.mark.parametrize("command", ["resume", "verify"])
@pytest.mark.parametrize(("folder", "message"), [("missing", "there is no such folder"), (".", "holds no run")])
def test_a_folder_without_a_run_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: str,
    folder: str,
    message: str,
) -> None:
    """`resume` and `verify` say that there is no run."""
    monkeypatch.chdir(tmp_path)

    assert _run([command, folder]) == 2
    assert message in one_line(capfd)


@pytest.mark.parametrize("command", ["resume", "verify", "hosts"])
def test_who_names_another_folder_is_told_where_the_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], half_done: Path, command: str
) -> None:
    """The folder above runs, or a file inside one; what only looks like a run is none."""
    monkeypatch.chdir(tmp_path)
    Path("output/mine").mkdir(parents=True)
    Path("output/mine/config.toml").touch()
    Path("output/b").symlink_to(half_done)

    said = []
    for folder in ("output", "output/b/pages.jsonl", "output/mine/config.toml"):
        assert _run([command, folder]) == 2
        said.append(one_line(capfd))
    Path("output/a").symlink_to(half_done)
    assert _run([command, "output"]) == 2

    assert said == [
        "crawler: output holds no run itself; output/b does",
        "crawler: output/b/pages.jsonl is a file of a run: name the folder, output/b",
        "crawler: output/mine/config.toml is a file, and no folder of a run",
    ]
    assert one_line(capfd) == "crawler: output holds no run itself; output/a and 1 more do"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "0.0.0.0"], "expected a loopback address"),
        (["--address", "::"], "expected a loopback address"),
        (["--address", "localhost"], "expected a loopback address"),
        (["--port", "70000"], "70000 is not in the range"),
        (
            ["--port", "0", "--list", "missing/urls.txt"],
            "missing/urls.txt: No such file or directory; give another file",
        ),
        (["--port", "0", "--log", "missing/log"], "missing/log: No such file or directory; give another file"),
    ],
)
def test_serve_refuses_what_it_should_not_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """The built-in site is for this machine alone, and says what it cannot write."""
    monkeypatch.chdir(tmp_path)

    code = _run(["serve", *arguments])

    assert code == 2
    assert message in capfd.readouterr().err


@pytest.mark.parametrize("own", ["https://example.com/\n", "http://127.0.0.1:8000/\n# mine\n", "\xff", "\n"])
def test_serve_writes_over_no_list_but_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str], own: str) -> None:
    """A file that holds anything besides URLs of this machine is somebody's, and stays as it is."""
    path = tmp_path / "urls.txt"
    path.write_text(own, "latin-1")

    code = _run(["serve", "--port", "0", "--list", str(path)])

    assert code == 2
    assert "holds more than URLs of this machine; give another file, or remove it" in one_line(capfd)
    assert path.read_text("latin-1") == own


def test_serve_names_a_port_that_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    """A port in use is named, with the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code = _run(["serve", "--port", str(port)])

    assert code == 2
    hint = "give another --port, or end the crawler serve that still runs there"
    assert one_line(capfd) == f"crawler: 127.0.0.1:{port}: Address already in use; {hint}"
