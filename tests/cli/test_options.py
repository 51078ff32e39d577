"""Options from the command line, from TOML and from references to secrets; what is stored of them."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from crawler.cli import run
from crawler.cli.main import _run
from crawler.cli.options import given, look_up, told, writable
from crawler.core.config import OPTIONS, FetchConfig
from crawler.core.errors import UsageError
from crawler.core.options import Option, OptionKind
from crawler.run.folder import RunFacts, RunFolder

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


@pytest.mark.parametrize("name", OPTIONS)
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
    chosen = {name: option for name, option in OPTIONS.items() if name not in left_out}
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


@pytest.mark.parametrize(
    ("name", "value", "is_stored"),
    [
        ("user", "bob:hunter2", False),
        ("user", "env:HOME", True),
        ("bearer", "hunter2", False),
        ("bearer", "env:HOME", True),
        ("proxy", "http://127.0.0.1:1", True),
        ("proxy", "http://bob:hunter2@127.0.0.1:1", False),
        ("header", ["Accept: text/plain"], True),
        ("header", ["X-Api-Key: hunter2"], False),
        ("header", ["Cookie: a=hunter2"], False),
        ("header", ["X-Api-Key: env:HOME"], True),
        ("header", ["Accept: text/plain", "Authorization: hunter2"], False),
    ],
)
def test_only_what_holds_no_secret_is_stored(name: str, value: object, *, is_stored: bool) -> None:
    """References and harmless values are stored as they were given; a resume must be given the others again."""
    secrets = look_up({name: value, "concurrency": "3"})

    assert secrets.stored == ({name: value} if is_stored else {})
    assert secrets.needs == (() if is_stored else (name,))
    assert secrets.values["concurrency"] == "3"


def test_a_reference_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:` and `file:` are replaced by what they refer to, in a header behind its name; a last newline goes."""
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "secret").write_text("bob:hunter2\r\n", "utf-8")

    values = look_up({"user": f"file:{tmp_path / 'secret'}", "header": ["X-Key: env:SECRET", "A: b"]}).values

    assert values == {"user": "bob:hunter2", "header": ["X-Key:hunter2", "A: b"]}


@pytest.mark.parametrize("reference", ["env:NOT_SET", "file:missing", "file:."])
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    """The error names the variable or the file."""
    with pytest.raises(UsageError, match=f"--bearer: .*{reference[4:].lstrip(':')}"):
        look_up({"bearer": reference})


@pytest.mark.parametrize("reference", ["env:A\nB", "file:a\x00b", "env:\x1b[2J"])
def test_a_reference_that_nobody_could_type_is_none(tmp_path: Path, reference: str) -> None:
    """In a folder from elsewhere anything may stand; a control character makes no reference, and no secret either."""
    facts = RunFacts(command="fetch", sources=(), secrets={"bearer": reference})
    folder = RunFolder(tmp_path)
    folder.seeds.touch()
    folder.write_facts(facts)

    assert look_up(facts.secrets).values == {"bearer": reference}
    assert _run(["resume", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    ("secrets", "sent"),
    [
        ({"bearer": "env:TOKEN"}, ["the value of $TOKEN as --bearer"]),
        ({"user": "file:/keys/me"}, ["the content of /keys/me as --user"]),
        ({"proxy": "env:PROXY"}, ["the value of $PROXY as --proxy"]),
        ({"proxy": "http://127.0.0.1:1"}, []),
        (
            {"header": ["Accept: text/plain", "Authorization: env:KEY", "X-Key:file:key"]},
            ["the value of $KEY in header Authorization", "the content of key in header X-Key"],
        ),
        ({"header": 5, "bearer": ["env:TOKEN"]}, ["the value of $TOKEN as --bearer"]),
    ],
)
def test_what_a_run_sends_of_its_user_is_told(secrets: dict[str, object], sent: list[str]) -> None:
    """Each reference that is looked up is named, with the place where its value is sent."""
    assert told(FetchConfig(), secrets) == sent


def test_a_file_of_the_user_that_a_run_sends_is_told() -> None:
    """Cookies and a client's certificate are named; what only looks like a reference is not looked up."""
    config = FetchConfig(cookies_file="cookies.txt", client_cert="me.pem", user_agent="env:TOKEN")

    assert told(config, {}) == ["the file cookies.txt as --load-cookies", "the file me.pem as --client-cert"]


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
