"""cli.references: secrets that are looked up, and those that are stored."""

from pathlib import Path

import pytest

from crawler.cli.main import _run
from crawler.cli.references import look_up, told
from crawler.core.config import FetchConfig
from crawler.core.errors import UsageError
from crawler.run.folder import RunFacts, RunFolder


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


def test_the_folder_of_a_private_database_is_stored_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume from elsewhere finds it; another database is stored as it was given."""
    monkeypatch.chdir(tmp_path)

    secrets = look_up({"frontier": "embedded:db"})

    assert secrets.stored == {"frontier": f"embedded:{tmp_path}/db"}
    assert secrets.values["frontier"] == f"embedded:{tmp_path}/db"
    assert look_up({"frontier": "postgresql://me@db/crawls"}).stored == {"frontier": "postgresql://me@db/crawls"}


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
