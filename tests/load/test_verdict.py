"""load.verdict: the limits between one verdict and the next; what leads to them is in test_honesty."""

from typing import Any

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.core.reasons import Reason
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadVerdict
from support.load_results import load_result


@pytest.mark.parametrize(
    ("late", "moments", "milliseconds", "named"),
    [
        (0.9, 1000, 20, None),  # under a twentieth of all
        (1.1, 1000, 20, "p50"),
        (1.1, 200, 20, "p90"),
        (9.0, 20, 20, None),  # under half of the p99
        (11.0, 20, 20, "p99"),
        (0.09, 1000, 1, None),  # a large share of little
    ],
)
def test_the_client_is_named_with_the_percentile_that_it_reaches(
    late: float, moments: int, milliseconds: int, named: str | None
) -> None:
    """So many moments of a thousand were so many milliseconds late, and the server takes so long."""
    phase = Phase(name="measured", end=10**10, scheduled=2000, sent=2000, answered=2000)
    phase.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = 2000
    lag = {0: 1000 - moments, bucket(round(late * MILLISECOND), FINE): moments}

    found = load_result([phase], lag)

    assert found.verdict is (LoadVerdict.CLIENT_BOUND if named else LoadVerdict.SERVER_BOUND)
    assert named is None or f"of the service time's {named} is the client's own" in found.because


@pytest.mark.parametrize(("length", "verdict"), [(0.9967, "OK"), (0.9901, "OK"), (0.9899, "TOO-SHORT")])
def test_a_second_less_one_gap_is_long_enough(length: float, verdict: str) -> None:
    """`-n 300 --rate 300` takes 299 gaps; the verdict never says that 1.00 s is less than 1 s."""
    phase = Phase(name="measured", end=round(length * SECOND), scheduled=300, sent=300, answered=300)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 300

    found = load_result([phase], rate=300)

    assert str(found.verdict) == verdict
    assert "measured for 1.00 s" not in found.because


@pytest.mark.parametrize(("milliseconds", "verdict"), [(10, LoadVerdict.OK), (95, LoadVerdict.SERVER_BOUND)])
def test_users_who_think_are_no_limit_of_the_server(milliseconds: int, verdict: LoadVerdict) -> None:
    """Ten users send ten requests a second each: with answers of 10 ms they wait for a tenth of their time."""
    phase = Phase(name="measured", end=10 * SECOND, scheduled=1000, sent=1000, answered=1000)
    phase.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = 1000

    found = load_result([phase], connections=10, may_pause=True)

    assert found.verdict is verdict
    if verdict is LoadVerdict.OK:
        assert found.because.startswith("the users waited for answers 10.0 % of their time")


def test_the_time_of_staged_users_follows_their_stages() -> None:
    """From 0 to 20 users in 10 s are 100 seconds of users."""
    phase = Phase(name="to 20 users", end=10 * SECOND, scheduled=1000, sent=1000, answered=1000)
    phase.reused.whole[bucket(50 * MILLISECOND, FINE)] = 1000

    found = load_result([phase], connections=20, may_pause=True, has_user_stages=True, stages=((10.0, 20.0),))

    assert found.because.startswith("the users waited for answers 50.0 % of their time")


@pytest.mark.parametrize(
    ("asked", "longer"),
    [
        ({"requests": 50}, "more requests than -n 50"),
        ({"requests": 50, "duration": 9}, "more requests than -n 50"),
        ({"requests": 900, "duration": 2}, "such as -d 10"),  # the time has ended it
        ({"duration": 20}, "such as -d 200"),
        ({"stages": ((1.0, 50.0),)}, "longer --stages"),
        ({"mode": "open", "arrivals": "replay"}, "a longer file, or a slower factor such as --replay=0.5"),
    ],
)
def test_a_short_test_is_made_longer_by_the_option_that_ended_it(asked: dict[str, Any], longer: str) -> None:
    """Fifty good answers in two seconds."""
    phase = Phase(name="measured", end=2 * SECOND, scheduled=50, sent=50, answered=50)
    phase.reused.whole[bucket(20 * MILLISECOND, FINE)] = 50

    found = load_result([phase], **asked)

    assert found.verdict is LoadVerdict.TOO_SHORT
    assert found.advice.startswith("test longer")
    assert longer in found.advice
    assert found.advice.endswith("; a p99 needs 1,000 requests")


@pytest.mark.parametrize(
    ("scheduled", "verdict"), [(300, LoadVerdict.RATE_NOT_REACHED), (120, LoadVerdict.TOO_SHORT), (90, "TOO-SHORT")]
)
def test_a_schedule_that_was_not_sent_is_no_short_test(scheduled: int, verdict: str) -> None:
    """Eighty requests were sent, and the others shed: of 300 most, of 120 some."""
    phase = Phase(name="measured", end=3 * SECOND, scheduled=scheduled, sent=80, answered=80)
    phase.reused.whole[bucket(20 * MILLISECOND, FINE)] = 80
    phase.shed[bucket(SECOND, FINE)] = scheduled - 80

    assert load_result([phase], rate=100).verdict == verdict


@pytest.mark.parametrize(
    ("kind", "detail", "advice"),
    [
        (Reason.TLS_FAILED, "WRONG_VERSION_NUMBER", "this server speaks http: write http://"),
        (Reason.TLS_FAILED, "[SSL: HTTP_REQUEST] http request (_ssl.c:1006)", "this server speaks http: write http://"),
        (Reason.TLS_UNTRUSTED, "self-signed certificate", "--ca-file trusts the authority of the server's certificate"),
    ],
)
def test_a_server_without_tls_needs_no_certificate(kind: str, detail: str, advice: str) -> None:
    """The scheme of the URL is wrong there."""
    phase = Phase(name="measured", end=3 * SECOND, scheduled=200, sent=200)
    for _ in range(200):
        phase.fail(kind, Example(at=1, took=1, port=None, detail=detail))

    assert load_result([phase]).advice.startswith(advice)
