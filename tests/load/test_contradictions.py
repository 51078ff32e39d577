"""load.contradictions, load.config: bounds, defaults that follow from other options, values as reports write them."""

import pytest

from crawler.core.errors import UsageError
from crawler.load.contradictions import configure_load
from crawler.load.keywords import configure_by_keywords


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stages": "1s:5u,1s:10000000u"}, "--stages: 10,000,000 users: give 100,000 at the most"),
        ({"stages": "1s:20000000,1s:5"}, "--stages: a rate of 20,000,000/s: give 1,000,000/s at the most"),
        ({"connections": 1000000}, "--connections 1000000: give 100,000 at the most"),
        ({"rate": 1e12}, "--rate 1e+12: give 1,000,000/s at the most"),
        ({"processes": 257, "connections": 300}, "--processes 257: give 256 at the most, one for each core"),
    ],
)
def test_a_size_beyond_all_use_is_refused(options: dict[str, object], says: str) -> None:
    """One line names the option and the bound; keywords have the same ones."""
    with pytest.raises(UsageError) as refused:
        configure_load(options)
    with pytest.raises(UsageError) as refused_too:
        configure_by_keywords(options, "load_test")

    assert str(refused.value) == str(refused_too.value) == says


@pytest.mark.parametrize(
    "options",
    [
        {"stages": "1s:100000u"},
        {"stages": "1s:1000000"},
        {"connections": 100_000, "rate": 1e6},
        {"processes": 256, "connections": 256},
    ],
)
def test_the_bounds_themselves_are_taken(options: dict[str, object]) -> None:
    """Only larger sizes are refused."""
    assert configure_load(options) == configure_by_keywords(options, "load_test")


@pytest.mark.parametrize(
    ("options", "connections"),
    [
        ({"requests": "1"}, 1),
        ({"requests": "63", "rate": "9"}, 63),
        ({"requests": "5000"}, 64),
        ({"requests": "1", "connections": "64"}, 64),
        ({"requests": "1", "warmup": "1"}, 64),  # the warm-up is not limited by it
        ({"duration": "5"}, 64),
    ],
)
def test_a_few_requests_need_few_connections(options: dict[str, str], connections: int) -> None:
    """Those that no request could use would only be opened and closed."""
    assert configure_load(options).shape.connections == connections


@pytest.mark.parametrize("rate", ["500", "500/s", "500 /s", 500])
def test_a_rate_is_taken_as_reports_write_it(rate: object) -> None:
    """With its unit, which is the only one."""
    assert configure_load({"rate": rate}).shape.rate == 500


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (["X-A 1"], "--header: expected 'Name: value', got 'X-A 1'"),
        (["X-A: 1", "X-B 2", "X-C 3"], "--header: expected 'Name: value', got 'X-B 2'"),
    ],
)
def test_the_header_that_is_wrong_is_shown(headers: list[str], message: str) -> None:
    """Alone, as it was typed."""
    with pytest.raises(UsageError) as raised:
        configure_load({"header": headers})

    assert str(raised.value) == message
