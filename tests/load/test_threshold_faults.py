"""load.threshold_faults: a text that is no threshold, and the one that was meant."""

import pytest

from crawler.core.errors import UsageError
from crawler.load.thresholds import parse_threshold


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("errors<1", "the unit is missing: write errors<1%"),
        ("errors{stage 2} <= 5", "the unit is missing: write errors{stage 2}<=5%"),
        ("status_503<1.0", "the unit is missing: write status_503<1.0%"),
        ("timeout<2", "the unit is missing: write timeout<2%"),
        ("p99<50", "the unit is missing: write p99<50ms"),
        ("mean{to 9/s}<=5", "the unit is missing: write mean{to 9/s}<=5ms"),
        ("p99<50sec", "'sec' is no unit of p99 (us, ms or s): write p99<50ms"),
        ("errors<5ms", "'ms' is no unit of errors (%, of the requests): write errors<5%"),
        ("rate>=5ms", "'ms' is no unit of a rate: write rate>=5, in requests per second"),
        ("avg<5ms", "there is no figure 'avg': write mean"),
        ("Median<5ms", "there is no figure 'Median': write p50"),
        ("rps>=5", "there is no figure 'rps': write rate"),
        ("p999<5ms", "there is no figure 'p999': write p99.9"),
        ("error<5%", "there is no figure 'error': write errors"),
        ("503<5%", "there is no figure '503': write status_503"),
        ("p99=5ms", "compare with <, <=, > or >=: p99<5ms"),
        ("p99<50ms,errors<1%", "these are two thresholds: repeat --threshold, once for each"),
        ("p99{GET /users/{id}}<50ms && max<1s", "these are two thresholds: repeat --threshold, once for each"),
    ],
)
def test_the_fault_is_named_with_what_was_meant(text: str, told: str) -> None:
    """One line, that can be typed as it stands."""
    with pytest.raises(UsageError) as raised:
        parse_threshold(text)

    assert str(raised.value) == f"--threshold {text!r}: {told}"


@pytest.mark.parametrize("text", ["p99", "p100.1<5ms", "speed<5", "", "p99<50 ms or so"])
def test_where_nothing_is_sure_examples_are_shown(text: str) -> None:
    """They show how thresholds are written."""
    with pytest.raises(UsageError, match="such as p99<50ms"):
        parse_threshold(text)


@pytest.mark.parametrize("text", ["errors<0.01", "errors<0.999", "status_503<=0", "timeout<1%", "errors<100%"])
def test_a_share_below_one_needs_no_unit(text: str) -> None:
    """Only 1 and more could mean both."""
    assert parse_threshold(text).limit <= 1
