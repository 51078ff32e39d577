"""The options of a capacity search, and what is refused."""

import pytest

from crawler.core.errors import UsageError
from crawler.load.capacity.config import CAPACITY_OPTIONS, ceiling_of, configure_capacity, window_of
from crawler.load.capacity.windows import Stage, Window


def test_the_request_is_told_as_for_a_load_test() -> None:
    """Every option of the request exists here; those that the search decides do not."""
    assert {"header", "body", "method", "ca-file", "expect-status", "connections", "poisson"} <= set(CAPACITY_OPTIONS)
    assert not {"rate", "stages", "duration", "requests", "warmup", "threshold"} & set(CAPACITY_OPTIONS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "--slo: give the service level that must hold, such as --slo 'p99<50ms'"),
        ({"slo": ["fast"]}, "--slo 'fast': expected a figure"),
        ({"slo": ["rate>=5"]}, "--slo 'rate>=5': the search sets the rate"),
        ({"slo": ["p99>5ms"]}, "--slo 'p99>5ms': a service level is an upper limit"),
        ({"slo": ["p99<5ms"], "to": 5}, "--to 5: below the lowest rate to try (--from 50)"),
        ({"slo": ["p99<5ms"], "at-least": 5}, "--at-least 5: below the lowest rate to try (--from 50)"),
        ({"slo": ["p99<5ms"], "to": 90, "at-least": 95}, "--at-least 95: above the highest rate to try (--to 90)"),
        ({"slo": ["p99.99<5ms"]}, "it needs 100,000 requests, which take 2,059 s at --from 50: raise --from"),
        ({"slo": ["p99<20s"]}, "--slo: 20 s are not below --timeout 10: raise --timeout"),
        ({"slo": ["p99{stage 2}<5ms"]}, "--slo 'p99{stage 2}<5ms': a search has no stages and judges all targets"),
        ({"slo": ["p99<5ms"], "from": 1e9}, "--from 1,000,000,000: give 1,000,000/s at the most"),
        ({"slo": ["p99<5ms"], "to": 1e9}, "--to 1,000,000,000: give 1,000,000/s at the most"),
        ({"slo": ["p99<5ms"], "at-least": "1e9"}, "--at-least 1,000,000,000: give 1,000,000/s at the most"),
        ({"slo": ["p99<5ms"], "from": 90, "to": 60}, "--to 60: below the lowest rate to try (--from 90)"),
        ({"slo": ["p99<5ms"], "targets": "a", "body": "b"}, "--targets and --body: each target has its own"),
        ({"slo": ["p99<5ms"], "rate": 5}, "options: there is no option 'rate'"),
        ({"slo": ["p99<5ms"], "body": "a", "body-file": "b"}, "--body and --body-file: give one of them, not both"),
    ],
)
def test_an_impossible_search_is_refused_in_one_line(given: dict[str, object], message: str) -> None:
    """The option is named, with what to do."""
    with pytest.raises(UsageError) as refused:
        configure_capacity(given)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_level_without_a_limit_for_errors_gets_one() -> None:
    """Quick failures must not look like speed; a limit of the user's own stands alone."""
    usual = configure_capacity({"slo": ["p99<50ms"]}).search.limits()
    own = configure_capacity({"slo": ["errors<5%"]}).search.limits()

    assert [limit.text for limit in usual] == ["p99<50ms", "errors<1%"]
    assert [limit.text for limit in own] == ["errors<5%"]


def test_a_window_is_as_long_as_its_figures_need() -> None:
    """A p99 needs 1,000 requests, so a slow rate takes longer than --window."""
    search = configure_capacity({"slo": ["p99<50ms"], "window": 3}).search

    assert search.seconds(10_000) == 3
    assert search.seconds(50) == 22.3
    assert configure_capacity({"slo": ["p50<50ms"]}).search.seconds(50) == 5


def test_a_level_that_allows_many_failures_gets_more_requests() -> None:
    """A p99 needs 1,000 good answers, and a median of probes 20, although three in ten may fail."""
    search = configure_capacity({"slo": ["p99<50ms", "errors<30%"]}).search
    usual = configure_capacity({"slo": ["p99<50ms", "errors<2%"]}).search

    assert search.seconds(50) * 50 * 0.7 > 1250
    assert search.bounds().spare * 22 * 0.7 > 28
    assert (usual.seconds(50), usual.bounds().spare) == (22.3, 1)


def test_a_window_waits_for_the_slowest_answer_that_the_level_allows() -> None:
    """Otherwise a request that is under way at the end would count as a miss."""
    config = configure_capacity({"slo": ["p99<3s"], "poisson": True})

    load = window_of(config, Window(stage=Stage.CLIMB, rate=200, seconds=5.0, settle=1.0))
    probe = window_of(config, Window(stage=Stage.DRAIN, rate=10, seconds=2.2))

    assert (load.shape.grace, load.shape.rate, load.shape.duration, load.shape.warmup) == (3, 200, 5, 1)
    assert (load.shape.poisson, probe.shape.poisson) == (True, False)


def test_each_window_has_arrivals_of_its_own() -> None:
    """With one seed for all, five windows would be one window, five times."""
    config = configure_capacity({"slo": ["p99<3s"], "poisson": True, "seed": 7})
    window = Window(stage=Stage.CONFIRM, rate=200, seconds=5.0)

    assert [window_of(config, window, number).shape.seed for number in (0, 1)] == [7, 8]


def test_the_clients_ceiling_is_that_of_plain_requests() -> None:
    """A body that the user's server has is not in the answer of the one that does nothing."""
    config = configure_capacity({"slo": ["p99<3s"], "expect-body": "welcome", "targets": "mix.txt", "processes": 2})

    load = ceiling_of(config, Window(stage=Stage.CEILING, rate=None, seconds=2.0, settle=0.5))

    assert (load.gate.expect_body, load.targets.targets) == (None, None)
    assert (load.shape.processes, load.shape.rate, load.shape.duration) == (2, None, 2)
