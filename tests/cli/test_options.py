"""cli.options: options from the command line and from TOML."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from crawler.cli import run
from crawler.cli.main import _run
from crawler.cli.options import given, writable
from crawler.core.config import OPTIONS
from crawler.core.errors import UsageError
from crawler.core.options import Option, OptionKind
from crawler.run.folder import RunFacts

FLAG_TEXT = {
    OptionKind.COUNT: "7",
    OptionKind.COUNT_OR_NONE: "0",
    OptionKind.DELAY: "1.25",
    OptionKind.TIME_LIMIT: "12.5",
    OptionKind.BYTES: "12345",
    OptionKind.RATE: "9.5",
    OptionKind.TEXT: "text",
    OptionKind.CONTACT: "me@example.org",
    OptionKind.TEXTS: "text",
    OptionKind.HEADERS: "X-Key: text",
    OptionKind.USER: "bob:hunter2",
}
TOML_VALUE = {
    OptionKind.COUNT: 7,
    OptionKind.COUNT_OR_NONE: 0,
    OptionKind.DELAY: 1.25,
    OptionKind.TIME_LIMIT: 12.5,
    OptionKind.BYTES: 12345,
    OptionKind.RATE: 9.5,
    OptionKind.TEXT: "text",
    OptionKind.CONTACT: "me@example.org",
    OptionKind.TEXTS: ["text"],
    OptionKind.HEADERS: ["X-Key: text"],
    OptionKind.USER: "bob:hunter2",
}
READ = {
    **TOML_VALUE,
    OptionKind.TEXTS: ("text",),
    OptionKind.HEADERS: (("X-Key", "text"),),
    OptionKind.USER: ("bob", "hunter2"),
}
ONE_OF = ({"user", "robots"}, {"bearer", "discover-sitemaps"})  # of each two not both, as they are turned here


class Started:
    """A stand-in for the run, which keeps the facts with which it would have begun."""

    facts: RunFacts

    def carry_out(self, _folder: object, facts: RunFacts, *_: object) -> int:
        """Note the facts that arrive."""
        self.facts = facts
        return 0

    def value(self, name: str) -> object:
        """The value that arrived for an option."""
        option = OPTIONS[name]
        return getattr(getattr(self.facts.config, option.group), option.field)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    """A `crawl` that ends where its run would begin, in an empty folder."""
    found = Started()
    monkeypatch.setattr(run, "carry_out", found.carry_out)
    monkeypatch.setattr(run, "check", lambda *_, **__: None)  # the files and proxies named here do not exist
    monkeypatch.chdir(tmp_path)
    return found


def crawl(*arguments: str) -> int:
    """Run `crawler crawl` with these options."""
    return _run(["crawl", "http://127.0.0.1:9999/", "-o", "out", *arguments])


def other(option: Option, values: dict[OptionKind, Any]) -> Any:
    """A value that is not the option's default."""
    if option.name == "save":
        return "-"
    return (not option.default) if option.help.kind is OptionKind.FLAG else values[option.help.kind]


def expected(option: Option) -> object:
    """Return the value of `other` as it is read."""
    return other(option, READ)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "frontier"])  # that needs a database
def test_every_option_is_a_flag(started: Started, name: str) -> None:
    """Each knob can be turned by its flag, and nothing else is turned by it."""
    option = OPTIONS[name]
    on_off = f"--{'no-' if option.default else ''}{name}"
    arguments = [on_off] if option.help.kind is OptionKind.FLAG else [f"--{name}", other(option, FLAG_TEXT)]

    assert crawl(*arguments) == 0

    changed = {key for key, each in OPTIONS.items() if started.value(key) != each.default}
    assert started.value(name) == expected(option)
    assert changed == {name}


@pytest.mark.parametrize("left_out", ONE_OF)
def test_a_file_may_hold_every_option(started: Started, left_out: set[str]) -> None:
    """Each knob can be turned in a TOML file."""
    chosen = {name: option for name, option in OPTIONS.items() if name not in {*left_out, "frontier"}}
    Path("all.toml").write_text(tomli_w.dumps({name: other(each, TOML_VALUE) for name, each in chosen.items()}))

    assert crawl("--config", "all.toml") == 0

    assert {name: started.value(name) for name in chosen} == {name: expected(each) for name, each in chosen.items()}


def test_a_flag_wins_over_the_file(started: Started) -> None:
    """A flag replaces the file's value; the rest of the file stands."""
    Path("some.toml").write_text("concurrency = 7\nretries = 1\nheader = ['A: file']\nrobots = false\n", "utf-8")

    assert crawl("--config", "some.toml", "--concurrency", "9", "--header", "B: typed", "--robots") == 0

    assert started.value("concurrency") == 9
    assert started.value("retries") == 1
    assert started.value("header") == (("B", "typed"),)
    assert started.value("robots") is True


def test_the_config_of_a_run_can_start_another(started: Started) -> None:
    """`--config` takes the config.toml of a run, with everything that may be stored."""
    assert (
        crawl("--concurrency", "9", "--max-body", "5M", "--header", "Accept: text/plain", "--bearer", "env:HOME") == 0
    )
    first = started.facts.config

    assert _run(["fetch", "http://127.0.0.1:9999/", "-o", "other", "--config", "out/config.toml"]) == 0

    assert started.facts.config == first
    assert started.facts.config is not first


def test_what_was_not_given_is_not_there() -> None:
    """Flags that were left out are absent, so that a file's value stands; foreign parameters too."""
    parameters = {"max_pages": None, "header": (), "insecure_host": ("a", "b"), "robots": False, "quiet": True}

    assert given(parameters) == {"insecure-host": ["a", "b"], "robots": False}


def test_a_secret_of_a_config_file_is_not_stored(started: Started) -> None:
    """A secret that stands in the user's own TOML file does not get into the run's."""
    Path("mine.toml").write_text("bearer = 'hunter2'\n", "utf-8")

    assert crawl("--config", "mine.toml") == 0

    assert started.value("bearer") == "hunter2"
    assert started.facts.needs == ("bearer",)
    assert b"hunter2" not in Path("out/config.toml").read_bytes()


def test_a_file_that_may_be_written_is_not_made_yet(tmp_path: Path) -> None:
    """The work before it may be given up; what is there stays, with all that it holds, and a link stays a link."""
    old, link = tmp_path / "old", tmp_path / "link"
    old.write_text("kept")
    link.symlink_to(tmp_path / "nothing")

    for path in (old, link, tmp_path / "new"):
        assert writable("html", str(path)) == path.resolve()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]
    assert (old.read_text(), link.is_symlink()) == ("kept", True)


@pytest.mark.parametrize(("name", "said"), [("", "is a folder"), ("no/file", "No such file"), ("x" * 300, "too long")])
def test_a_file_that_cannot_be_written_is_refused_at_once(name: str, said: str, tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(UsageError, match=said):
        writable("html", f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("load http://127.0.0.1:9/ --concurrency 5", "'--concurrency': here it is -c"),
        ("load http://127.0.0.1:9/ --users=5", "'--users': here it is -c"),
        ("load http://127.0.0.1:9/ --vus 5", "'--vus': here it is -c"),
        ("load http://127.0.0.1:9/ --threads 2", "'--threads': here it is -t"),
        ("load http://127.0.0.1:9/ --rps 5", "'--rps': here it is --rate"),
        ("load http://127.0.0.1:9/ --qps 5", "'--qps': here it is --rate"),
        ("load http://127.0.0.1:9/ --data x", "'--data': here it is --body"),
        ("load http://127.0.0.1:9/ -z 5s", "'-z': here it is --duration"),
        ("capacity http://127.0.0.1:9/ --rate 5", "'--rate': here it is --from and --to"),
        ("compare http://127.0.0.1:9/ http://127.0.0.1:8/ -d5", "'-d': here it is --blocks and --block"),
        ("load http://127.0.0.1:9/ --connection 5", "Did you mean"),  # a misspelt name of our own
    ],
)
def test_an_option_of_another_tool_leads_to_ours(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the option of this command that does the same."""
    assert _run(line.split()) == 2

    errors = capsys.readouterr().err
    assert f"No such option {told}" in errors or (told == "Did you mean" and told in errors)
    assert errors.count("\n") == 1


def test_a_command_answers_with_options_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    """`crawl` has no option for a time, so there is nothing to lead to."""
    assert _run(["crawl", "http://127.0.0.1:9/", "--vus", "5"]) == 2
    assert "here it is" not in capsys.readouterr().err


@pytest.mark.parametrize("option", ["csv", "html", "save-histogram"])
def test_no_report_goes_to_standard_output(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dash that means it elsewhere is refused, and no file of that name is made."""
    monkeypatch.chdir(tmp_path)

    assert _run(["load", "http://127.0.0.1:9/", f"--{option}", "-"]) == 2

    assert f"--{option}: expected a file, got '-'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
