"""Bad input of every kind: one line that says what to do, the exit code, and nothing half-made."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.cli.main import _run
from crawler.site.plan import SitePlan
from support.crawls import records, urls
from support.faults import RunningSite, site_process

IS_ROOT = os.geteuid() == 0
PROGRAM = [sys.executable, "-m", "crawler"]
URL = "http://127.0.0.1:9999/"  # nobody is asked: each of these commands ends before


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A site of 400 pages."""
    with site_process(SitePlan.plain(pages=400), tmp_path_factory.mktemp("log") / "requests.jsonl") as site:
        yield site


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, running: RunningSite) -> Path:
    """The list of its URLs."""
    path = tmp_path_factory.mktemp("list") / "urls.txt"
    path.write_text("".join(f"{url}\n" for url in running.site.urls()), "utf-8")
    return path


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory, listed: Path) -> Path:
    """A run of 30 pages that has more to do; each test damages a copy."""
    folder = tmp_path_factory.mktemp("runs") / "half"
    assert _run(["fetch", str(listed), "-o", str(folder), "--max-pages", "30", "--quiet"]) == 0
    return folder


def one_line(capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing may be on standard output."""
    printed = capfd.readouterr()
    assert not printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("crawler: ")
    return line


# What is asked for is impossible

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
    "a proxy of another kind": ([URL, "--proxy", "socks5://127.0.0.1:1"], "--proxy: its scheme is socks5"),
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
    hint = "give another --port, unless a crawler serve is still running there"
    assert one_line(capfd) == f"crawler: 127.0.0.1:{port}: Address already in use; {hint}"


# A run whose files are not what was written


def _another_database(folder: Path) -> None:
    (folder / "frontier.sqlite").unlink()
    with sqlite3.connect(folder / "frontier.sqlite") as db:
        db.execute("CREATE TABLE notes (text)")
    db.close()


def _another_version(folder: Path) -> None:
    with sqlite3.connect(folder / "frontier.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _cut(name: str, length: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, length)


def _grow(name: str) -> Callable[[Path], None]:
    def grow(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"http://127.0.0.1:9999/one-more")

    return grow


def _fill(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


RUN = b'[run]\ncommand = "fetch"\nsources = []\nseeds-bytes = 1\nneeds = []\n'
DAMAGED: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "garbage": (_fill("frontier.sqlite", b"garbage" * 2000), 5, "frontier.sqlite: damaged"),
    "a truncated frontier": (_cut("frontier.sqlite", 20_000), 5, "frontier.sqlite: damaged"),
    "an empty frontier": (_cut("frontier.sqlite", 0), 5, "frontier.sqlite: this is not a frontier"),
    "no frontier": (_remove("frontier.sqlite"), 5, "frontier.sqlite is missing"),
    "another database": (_another_database, 5, "frontier.sqlite: this is not a frontier"),
    "another version": (_another_version, 5, "made by another version"),
    "a board that is none": (_fill("frontier.board", b"garbage!" * 9), 5, "frontier.board: this is not a board"),
    "a truncated output": (_cut("pages.jsonl", 100), 5, "pages.jsonl has 100 bytes but"),
    "no output": (_remove("pages.jsonl"), 5, "pages.jsonl has 0 bytes but"),
    "a list cut behind what was read": (_cut("seeds.txt", 12_000), 5, "seeds.txt was cut: 12000 bytes instead of "),
    "a list that has grown": (_grow("seeds.txt"), 5, "seeds.txt has grown: "),
    "no list": (_remove("seeds.txt"), 2, "seeds.txt is missing"),
    "no config": (_remove("config.toml"), 2, "holds no run"),
    "a config that is no text": (_fill("config.toml", b"\xff\xfe\x00"), 5, "config.toml is damaged"),
    "a config cut off": (_fill("config.toml", b"concurrency = [1,"), 5, "config.toml is damaged"),
    "a config without its end": (_fill("config.toml", b"concurrency = 1\n"), 5, "config.toml is damaged"),
    "sources that are none": (_fill("config.toml", RUN.replace(b"[]", b"[5]", 1)), 5, "config.toml is damaged"),
    "an option misspelt by hand": (_fill("config.toml", b"concurency = 1\n" + RUN), 2, "'concurrency'"),
    "a need that nobody knows": (_fill("config.toml", RUN.replace(b"needs = []", b"needs = ['x']")), 2, "config.toml"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_run_is_named_and_left_as_it_is(
    tmp_path: Path, half_done: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    """A resume says which file is damaged, ends with the promised code, and asks for nothing and writes nothing."""
    damage, expected, message = DAMAGED[case]
    run = tmp_path / "run"
    shutil.copytree(half_done, run)
    damage(run)
    before = (run / "pages.jsonl").read_bytes() if (run / "pages.jsonl").exists() else b""

    code = _run(["resume", str(run)])

    assert code == expected
    assert message in one_line(capfd)
    assert not (run / "pages.jsonl").exists() or (run / "pages.jsonl").read_bytes() == before


def test_a_run_that_lost_its_frontier_does_not_begin_again(
    tmp_path: Path, half_done: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A frontier that was there and is gone is no beginning, even without a pages.jsonl (`--save -`)."""
    run = tmp_path / "run"
    shutil.copytree(half_done, run)
    (run / "frontier.sqlite").unlink()
    (run / "pages.jsonl").unlink()

    assert _run(["resume", str(run)]) == 5
    assert "frontier.sqlite is missing" in one_line(capfd)


# Full disks and closed pipes


def program(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program started by a shell; `"$@"` in the script stands for it and its arguments."""
    command = ["bash", "-c", script, "bash", *PROGRAM, *(str(argument) for argument in arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)


def test_a_list_that_does_not_fit_leaves_nothing(tmp_path: Path, listed: Path) -> None:
    """A disk that is full before the list is copied lets no run begin: exit 4, and no folder."""
    ended = program('ulimit -f 1; exec "$@"', "fetch", listed, "-o", tmp_path / "out")

    assert ended.returncode == 4
    assert ended.stderr == f"crawler: {tmp_path / 'out'}: no space left on the disk; free some and start again\n"
    assert not (tmp_path / "out").exists()


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path, listed: Path) -> None:
    """A run that hits a limit of file size ends in order, and goes on once that is lifted."""
    out = tmp_path / "out"

    ended = program('ulimit -f 150; exec "$@"', "fetch", listed, "-o", out, "--concurrency", 20, "--quiet")
    code = _run(["resume", str(out), "--quiet"])

    assert ended.returncode in {4, 5}
    assert len(ended.stderr.splitlines()) == 1
    assert code == 0
    assert urls(out) == dict.fromkeys(listed.read_text("utf-8").split(), 1)
    assert _run(["verify", str(out)]) == 0


FULL_DISK = """
set -e
mount -t tmpfs -o size=300k tmpfs "$DISK"
set +e
"$@" fetch "$LIST" -o "$DISK/run" --concurrency 20 --quiet; echo $?
"$@" resume "$DISK/run" --quiet; echo $?
mount -o remount,size=32m "$DISK"
"$@" resume "$DISK/run" --quiet; echo $?
"$@" verify "$DISK/run" >&2; echo $?
cp -r "$DISK/run" "$COPY"
"""


def test_a_full_disk_loses_nothing(tmp_path: Path, listed: Path) -> None:
    """On a full disk a run ends with 4 and one line; with more room a resume completes it, every URL once."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    environment = {**os.environ, "DISK": str(disk), "LIST": str(listed), "COPY": str(copy)}

    ended = subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL_DISK, "bash", *PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
    )

    assert ended.stdout.split() == ["4", "4", "0", "0"], ended.stderr
    assert ended.stderr.count("no space left on the disk; free some and resume, nothing committed is lost\n") == 2
    assert "Traceback" not in ended.stderr
    assert urls(copy) == dict.fromkeys(listed.read_text("utf-8").split(), 1)


def test_lines_on_a_full_disk_end_the_run(tmp_path: Path, listed: Path) -> None:
    """A full standard output ends the run at once with 4, even when nothing else is left to do."""
    (tmp_path / "one.txt").write_text(listed.read_text("utf-8").splitlines()[0], "utf-8")
    out = tmp_path / "out"

    ended = program('exec "$@" > /dev/full', "fetch", tmp_path / "one.txt", "-o", out, "--save", "-", "--quiet")
    again = program('exec "$@"', "resume", out, "--quiet")

    assert ended.returncode == 4
    assert ended.stderr.startswith("crawler: standard output: no space left")
    assert (again.returncode, len(again.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "{run}"]])
def test_a_full_standard_output_is_an_error(half_done: Path, arguments: list[str]) -> None:
    """Output that cannot be printed is not silently lost: exit 4 and one line, no traceback."""
    ended = program('exec "$@" > /dev/full', *(argument.format(run=half_done) for argument in arguments))

    assert ended.returncode == 4
    assert len(ended.stderr.splitlines()) == 1


def test_a_reader_that_leaves_ends_the_run(tmp_path: Path, listed: Path) -> None:
    """`| head -1` gets its line; the run ends as any filter does, without a word, and a resume gives the rest."""
    out = tmp_path / "out"

    ended = program(
        '"$@" | head -1; exit ${PIPESTATUS[0]}',
        "fetch",
        listed,
        "-o",
        out,
        "--save",
        "-",
        "--concurrency",
        4,
        "--quiet",
    )
    again = program('exec "$@"', "resume", out, "--quiet")

    assert (ended.returncode, ended.stderr) == (141, "")
    assert len(ended.stdout.splitlines()) == 1
    assert again.returncode == 0
    assert 0 < len(again.stdout.splitlines()) <= 400


def test_a_run_without_a_reader_says_how_to_go_on(tmp_path: Path, listed: Path) -> None:
    """Unless it is to be quiet, a run whose reader left says where it is."""
    out = tmp_path / "out"

    ended = program('"$@" | true; exit ${PIPESTATUS[0]}', "fetch", listed, "-o", out, "--save", "-")

    assert ended.returncode == 141
    assert ended.stderr.splitlines()[-1].endswith(f"resume the run to get the rest (crawler resume {out})")
    assert "Traceback" not in ended.stderr
    assert "ended early: standard output: its reader stopped" in (out / "crawler.log").read_text("utf-8")


@pytest.mark.parametrize("is_mixed", [False, True])
@pytest.mark.parametrize("arguments", [["--help"], ["verify", "{run}"], ["resume", "{run}", "--quiet", "--json"]])
def test_whoever_stops_reading_ends_the_program_without_a_word(
    tmp_path: Path, half_done: Path, arguments: list[str], is_mixed: bool
) -> None:
    """Nobody reads what is printed, errors or not: no traceback, no complaint, and no code that means damage."""
    shutil.copytree(half_done, tmp_path / "run")
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        [*PROGRAM, *(argument.format(run=tmp_path / "run") for argument in arguments)],
        check=False,
        stdout=writer,
        stderr=writer if is_mixed else subprocess.PIPE,
        timeout=20,
    )
    os.close(writer)

    assert ended.returncode == 141
    assert not ended.stderr


def test_closed_standard_streams_do_no_harm(tmp_path: Path, listed: Path) -> None:
    """A run whose three streams are closed from the start still does its work, and writes into no file but its own."""
    out = tmp_path / "out"

    ended = program('exec "$@" <&- >&- 2>&-', "fetch", listed, "-o", out, "--json", "--max-pages", 30)

    assert ended.returncode == 0
    assert len(records(out)) == 30
    assert _run(["verify", str(out)]) == 0
