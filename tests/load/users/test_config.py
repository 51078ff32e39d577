"""load.users.config, load.contradictions: what is told of users."""

import pytest

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", (0.5, 0.5)),
        ("2", (2.0, 2.0)),
        ("1s-3s", (1.0, 3.0)),
        ("1-3s", (1.0, 3.0)),
        ("100-300ms", (0.1, 0.3)),
        ("500ms-2s", (0.5, 2.0)),
        ("0.5 - 1.5", (0.5, 1.5)),
        ("1m", (60.0, 60.0)),
    ],
)
def test_a_think_time_is_one_time_or_two(text: str, seconds: tuple[float, float]) -> None:
    """The unit of the second holds for the first, too."""
    assert configure_load({"think": text}).users.think_time() == seconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"think": "soon"}, "--think: expected a time"),
        ({"think": "3s-1s"}, "change their order"),
        ({"think": "1s", "rate": "5"}, "^--think: it tells what users do, and --rate makes an open loop"),
        ({"user-cookies": True, "stages": "1s:5"}, "^--user-cookies: it .* --stages makes .* such as 30s:10u$"),
        ({"login": "x", "targets": "y", "replay": "2"}, "^--login: it tells what users do, and --replay makes"),
        ({"steps": True, "targets": "y", "rate": "2"}, "^--steps: .* has none: leave out one of them$"),
        ({"steps": True}, "give --targets"),
        ({"steps": True, "targets": "x", "shuffle": True}, "--steps and --shuffle"),
        ({"stages": "1s:5u,1s:7"}, "some give rates and some users"),
        ({"stages": "1s:5,1s:7u"}, "some give rates and some users"),
        ({"stages": "1s:2.5u"}, "no whole number of users"),
        ({"stages": "1s:0u"}, "every number of users is 0"),
        ({"stages": "1s:5u", "connections": "7"}, "each user has its own"),
        ({"stages": "1s:2u", "processes": "3"}, "more than there are users"),
        ({"script": "x.py", "targets": "y"}, "leave out --targets"),
        ({"script": "x.py", "think": "1s"}, "leave out --think"),
        ({"threshold": ["checks<1%"]}, "only a script makes checks: give --script, too"),
        ({"script": "x.py", "rate": "1"}, "^--script: it tells what users do"),
    ],
)
def test_users_are_told_without_contradiction(options: dict[str, object], message: str) -> None:
    """Each is refused before anything is read, and the message says what to do."""
    with pytest.raises(UsageError, match=message):
        configure_load(options)
