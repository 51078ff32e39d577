"""load.targets.config: flags of a file of targets, and the options that they exclude."""

import pytest

from crawler.cli.load import command
from crawler.cli.main import _run
from crawler.cli.options import given
from crawler.core.errors import UsageError
from crawler.load.config import LOAD_OPTIONS, LoadConfig
from crawler.load.contradictions import configure_load

URL = "http://127.0.0.1:8000/"


def typed(*arguments: str) -> LoadConfig:
    """The config of a command line."""
    return configure_load(given(command.make_context("load", list(arguments)).params, LOAD_OPTIONS))


@pytest.mark.parametrize(
    ("arguments", "factor"),
    [
        (("--replay", "--targets", "f", URL), 1.0),
        ((URL, "--targets", "f", "--replay"), 1.0),
        ((URL, "--targets", "f", "--replay=2x"), 2.0),
        ((URL, "--targets", "f", "--replay", "0.25"), 0.25),
        ((URL, "--targets", "f"), None),
    ],
)
def test_a_replay_may_have_a_factor(arguments: tuple[str, ...], factor: float | None) -> None:
    """The flag alone follows the file's own pace."""
    assert typed(*arguments).targets.replay == factor


def test_a_keyword_may_be_true() -> None:
    """A script writes `replay=True` for the flag alone."""
    assert configure_load({"targets": "f", "replay": True}).targets.replay == 1.0


def test_a_replay_lasts_as_long_as_the_file() -> None:
    """Only -d ends it earlier; without it there are no ten seconds."""
    assert typed("--targets", "f", "--replay=1").shape.duration is None
    assert typed("--targets", "f", "--replay=1", "-d", "5").shape.duration == 5.0
    assert typed("--targets", "f").shape.duration == 10.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"replay": 1}, "--replay: give a file of --targets, too"),
        ({"shuffle": True}, "--shuffle: give a file of --targets, too"),
        ({"methods": "GET"}, "--methods: give a file of --targets, too"),
        ({"skip-broken": True}, "--skip-broken: give a file of --targets, too"),
        ({"targets-format": "har"}, "--targets-format: give a file of --targets, too"),
        ({"targets": "f", "targets-format": "csv"}, "--targets-format: expected one of text, vegeta, .*, got 'csv'"),
        ({"targets": "f", "methods": "GET,,PUT"}, "--methods: expected methods such as GET,POST, got 'GET,,PUT'"),
        ({"targets": "f", "method": "PUT"}, "--targets and --method: each target has its own"),
        ({"targets": "f", "body": "x"}, "--targets and --body: each target has its own"),
        ({"targets": "f", "body-file": "x"}, "--targets and --body-file: each target has its own"),
        (
            {"targets": "-", "feed": "-"},
            "--targets - and --feed -: standard input can be one of them alone: give",
        ),
        ({"targets": "-", "login": "-"}, "--targets - and --login -: standard input can be one of them alone"),
        ({"body-file": "-", "feed": "-"}, "--feed - and --body-file -: standard input can be one of them alone"),
        ({"targets": "f", "replay": 1, "shuffle": True}, "--replay and --shuffle: give one of them"),
        ({"targets": "f", "replay": 1, "feed": "g"}, "--replay and --feed: give one of them"),
        ({"targets": "f", "replay": 1, "rate": 5}, "--replay and --rate: give one of them"),
        ({"targets": "f", "replay": 1, "stages": "1s:5"}, "--replay and --stages: give one of them"),
        ({"targets": "f", "replay": 1, "requests": 5}, "--replay and --requests: give one of them"),
        ({"targets": "f", "replay": 1, "warmup": 5}, "--replay and --warmup: give one of them"),
        ({"targets": "f", "replay": "http://h/"}, "--replay: expected a factor above 0.*got 'http://h/'"),
    ],
)
def test_contradictions_are_refused_before_anything_is_read(options: dict[str, object], says: str) -> None:
    """No file named here exists."""
    with pytest.raises(UsageError, match=says):
        configure_load(options)


def test_a_test_without_a_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A URL may be left out only with a file of targets."""
    assert _run(["load", "--rate", "5"]) == 2
    assert "give the URL of the server to test, or a file of --targets that names it" in capsys.readouterr().err
