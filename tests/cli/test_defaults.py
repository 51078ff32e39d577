"""cli.defaults: the user's own file of options."""

from pathlib import Path

import pytest

from crawler.cli.defaults import defaults_file
from crawler.cli.main import _run
from crawler.core.config import RunConfig


@pytest.mark.parametrize("command", ["crawl", "fetch"])
def test_the_users_own_file_holds_for_every_run(own: Path, started: list[RunConfig], command: str) -> None:
    """Its options are defaults: a file named by --config beats it, and a flag beats both."""
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
    """The XDG specification says so: a path that is not absolute counts as none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", setting) if setting is not None else monkeypatch.delenv("XDG_CONFIG_HOME")

    assert defaults_file() == tmp_path / ".config" / "crawler" / "config.toml"
