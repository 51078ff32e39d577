"""cli.defaults: the user's own file of options, and the note about a name that servers can ask."""

from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.cli.defaults import contact_note, defaults_file
from crawler.cli.main import _run
from crawler.core.config import RunConfig, configure

NOTE = (
    "note: no server can tell whom to ask about this crawler. Say so once, with a line such as\n"
    '        contact = "you@example.org"\n      in {file} (or each time, with --contact)'
)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file, in an empty folder; it is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "settings" / "crawler" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The configs with which runs would have begun."""
    found: list[RunConfig] = []

    def carry_out(_folder: object, _facts: object, config: RunConfig, **_: Any) -> int:
        found.append(config)
        return 0

    monkeypatch.setattr(run, "carry_out", carry_out)
    return found


@pytest.mark.parametrize("command", ["crawl", "fetch"])
def test_the_users_own_file_holds_for_every_run(own: Path, started: list[RunConfig], command: str) -> None:
    """What stands there is a default: a file named by --config beats it, and a flag beats both."""
    own.write_text('contact = "me@example.org"\nconcurrency = 7\nretries = 1\ntimeout = 5\n', "utf-8")
    Path("named.toml").write_text("retries = 2\ntimeout = 6\n", "utf-8")

    code = _run([command, "http://127.0.0.1:9999/", "-o", "out", "--config", "named.toml", "--timeout", "7"])

    assert code == 0
    (config,) = started
    assert config.fetch.contact == "me@example.org"
    assert (config.engine.concurrency, config.engine.retries, config.fetch.timeout) == (7, 2, 7.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contacts = 'me@example.org'", "there is no option 'contacts'; did you mean 'contact'?"),
        ("contact = 'me'", "--contact: expected an e-mail address or a URL, such as bot@example.org or"),
        ("contact = ", "not valid TOML"),
    ],
)
def test_a_fault_of_the_users_own_file_names_it(
    own: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """Nothing begins, and one line says in which file what is wrong."""
    own.write_text(text, "utf-8")

    assert _run(["fetch", "http://127.0.0.1:9999/", "-o", "out"]) == 2

    printed = capsys.readouterr().err
    assert printed.startswith(f"crawler: {own}: {message}")
    assert len(printed.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize("setting", [None, "", "not/absolute"])
def test_without_a_setting_the_file_is_below_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str | None
) -> None:
    """As the XDG specification has it: a path that is not absolute counts as none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", setting) if setting is not None else monkeypatch.delenv("XDG_CONFIG_HOME")

    assert defaults_file() == tmp_path / ".config" / "crawler" / "config.toml"


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
    seeds = tmp_path / "seeds.txt"
    seeds.write_text(f"# a list\nhttp://127.0.0.1/\n{line}\n", "utf-8")

    note = contact_note(configure(options).fetch, seeds)

    assert note == (NOTE.format(file=own) if is_told else None)


@pytest.mark.parametrize("quiet", [False, True])
def test_the_note_is_printed_once_at_the_start(
    own: Path, started: list[RunConfig], capsys: pytest.CaptureFixture[str], *, quiet: bool
) -> None:
    """Before the run shows anything; a quiet one says nothing."""
    assert _run(["fetch", "https://example.org/", "-o", "out", *(["--quiet"] if quiet else [])]) == 0

    assert len(started) == 1
    assert capsys.readouterr().err == ("" if quiet else NOTE.format(file=own) + "\n")
