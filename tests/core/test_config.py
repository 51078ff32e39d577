"""core.config: every knob of a run, once."""

import tomllib
from typing import get_type_hints

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from crawler.core.config import OPTIONS, BudgetConfig, EngineConfig, RunConfig, configure, plain_values
from crawler.core.errors import UsageError
from crawler.core.options import OptionKind
from crawler.version import __version__

SECRETS = {
    "header": ["X-Key: hunter2"],
    "user": "me:hunter2",
    "bearer": "hunter2",
    "proxy": "http://u:hunter2@p:3128",
    "frontier": "postgresql://u:hunter2@db/crawls",
}

LINES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=10)
VALUES: dict[OptionKind, st.SearchStrategy[object]] = {
    OptionKind.COUNT: st.integers(1, 10**9) | st.integers(1, 10**9).map(str),
    OptionKind.COUNT_OR_NONE: st.integers(0, 10**9),
    OptionKind.DELAY: st.floats(0, 1e6) | st.sampled_from(["0", "1.5", "10m", "auto"]),
    OptionKind.TIME_LIMIT: st.floats(0.001, 1e6) | st.sampled_from(["1.5s", "2h"]),
    OptionKind.BYTES: st.integers(1, 2**50) | st.sampled_from(["16M", "1.5k"]),
    OptionKind.RATE: st.floats(0.001, 1e6),
    OptionKind.FLAG: st.booleans(),
    OptionKind.TEXT: LINES,
    OptionKind.CONTACT: st.sampled_from(["me@example.org", "https://example.org/bot"]),
    OptionKind.TEXTS: st.lists(LINES, max_size=3),
    OptionKind.HEADERS: st.just(["X-Key: hunter2"]),
    OptionKind.USER: st.just("me:hunter2"),
}
OPEN = [name for name, option in OPTIONS.items() if not option.help.secret and name != "save"]
TURNED = st.fixed_dictionaries({}, optional={name: VALUES[OPTIONS[name].help.kind] for name in OPEN}).filter(
    lambda values: values.get("robots", True) or not values.get("discover-sitemaps")  # it is in robots.txt
)


@given(TURNED)
def test_what_is_stored_gives_the_same_config(values: dict[str, object]) -> None:
    """A config written to TOML and read back is the config, whichever knobs were turned."""
    config = configure(values)

    stored = tomllib.loads(tomli_w.dumps(plain_values(config)))

    assert configure(stored) == config


@given(TURNED)
def test_turning_some_knobs_leaves_the_others(values: dict[str, object]) -> None:
    """A later layer changes what it names and nothing else."""
    base = configure({"concurrency": 9, "max-pages": 5, "bearer": "token"})

    config = configure(values, base=base)

    for name, option in OPTIONS.items():
        if name not in values:
            assert getattr(getattr(config, option.group), option.field) == getattr(
                getattr(base, option.group), option.field
            )


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_a_secret_is_used_and_never_stored(name: str, value: object) -> None:
    """The value of a secret option is in the config, and in nothing that is written to disk."""
    config = configure({name: value})

    assert "hunter2" in repr(getattr(getattr(config, OPTIONS[name].group), OPTIONS[name].field))
    assert name not in plain_values(config)
    assert "hunter2" not in repr(plain_values(config))


def test_every_option_that_can_hold_a_password_is_secret() -> None:
    """Exactly these options are kept out of files and messages."""
    assert {name for name, option in OPTIONS.items() if option.help.secret} == set(SECRETS)


def test_every_field_has_one_option() -> None:
    """No knob lacks a flag, a help sentence or a name of its own."""
    parts = get_type_hints(RunConfig)
    knobs = [(group, field.name) for group, part in parts.items() for field in fields(part)]

    assert [(option.group, option.field) for option in OPTIONS.values()] == knobs
    assert all(option.help.text.endswith(".") for option in OPTIONS.values())


def test_every_default_is_a_value_that_its_option_takes() -> None:
    """The defaults pass the same checks as what a user writes."""
    assert configure(plain_values(RunConfig())) == RunConfig()


def test_what_judges_urls_cannot_be_changed_on_a_resume() -> None:
    """A resume takes concurrency, delay, timeouts, retries and budgets."""
    resumable = {name for name, option in OPTIONS.items() if option.help.resumable}

    assert resumable == {
        *("concurrency", "retries", "per-host", "delay", "rate", "max-pages", "max-bytes", "max-time"),
        *("timeout", "connect-timeout", "first-byte-timeout", "idle-timeout"),
        *("max-pages-per-host", "workers", "parse-timeout", "limit-rate", "contact", "resolver", "trust-env"),
    }


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, f"crawler/{__version__}"),
        ({"contact": "me@example.org"}, f"crawler/{__version__} (+me@example.org)"),
        ({"contact": "me@example.org", "user-agent": "mine/1"}, "mine/1"),
        ({"contact": "me@example.org", "user-agent": "crawler/1.0 (mine)"}, "crawler/1.0 (mine)"),
        ({"contact": "me@example.org", "user-agent": "crawler/0.0.1"}, "crawler/0.0.1 (+me@example.org)"),
    ],
)
def test_the_contact_stands_beside_the_crawlers_own_name(options: dict[str, object], sent: str) -> None:
    """A name that the user chose is sent as it is; that of a run begun by an earlier version is ours, too."""
    assert configure(options).fetch.full_user_agent == sent


def test_text_and_native_values_configure_alike() -> None:
    """A flag's text and a TOML value end in the same config."""
    config = configure({"concurrency": "8", "max-bytes": "1M", "delay": "0.5"})

    assert config == configure({"concurrency": 8, "max-bytes": 1024**2, "delay": 0.5})
    assert config.engine == EngineConfig(concurrency=8)
    assert config.budget == BudgetConfig(max_bytes=1024**2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"concurency": 1}, "^run.toml: there is no option 'concurency'; did you mean 'concurrency'"),
        ({"max_pages": 1}, "did you mean 'max-pages'"),
        ({"concurrency": 0}, "^run.toml: --concurrency: expected a whole number, 1 or more, got 0$"),
        ({"save": "xml"}, "^--save: expected jsonl, files or -, separated by commas, got 'xml'$"),
        ({"save": "jsonl,-"}, "^--save: give jsonl or -, not both: lines go to pages.jsonl, or to standard output$"),
        ({"user": "a:b", "bearer": "c"}, "^--user and --bearer: give one of them, not both$"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object], message: str) -> None:
    """A name, a value or a combination that makes no sense is a usage error that says what to write."""
    with pytest.raises(UsageError, match=message):
        configure(values, where="run.toml")


def test_a_refused_secret_is_not_repeated() -> None:
    """No message of the configuration holds a password."""
    for name, value in {"header": ["hunter2"], "user": "hunter2", "bearer": "hunter2\n", "proxy": 5}.items():
        with pytest.raises(UsageError) as caught:
            configure({name: value})

        assert "hunter2" not in str(caught.value)


def test_sitemaps_are_not_discovered_in_a_robots_txt_that_nobody_reads() -> None:
    """The two options together cannot be meant."""
    with pytest.raises(UsageError, match="give one of them"):
        configure({"discover-sitemaps": True, "robots": False})
