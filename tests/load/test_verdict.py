"""load.verdict: the limits between one verdict and the next; what leads to them is in test_honesty."""

from typing import Any

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.report import load_text
from crawler.load.result import LoadResult, LoadVerdict
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


def checked(made: int, failed: int, **changes: Any) -> LoadResult:
    """A good test of a second whose script made so many checks, of which so many failed."""
    phase = Phase(name="measured", end=SECOND, scheduled=300, sent=300, answered=300, checked=made)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 300
    for moment in range(failed):
        phase.fail_check("the cart", Example(at=moment * MILLISECOND, took=0, port=None, detail="user 4: the cart"))
    return load_result([phase], rate=300, **changes)


@pytest.mark.parametrize(
    ("made", "failed", "allowed", "verdict"),
    [
        (1000, 10, None, LoadVerdict.FAILING),
        (1000, 9, None, LoadVerdict.OK),
        (1000, 100, 0.1, LoadVerdict.OK),
        (1000, 101, 0.1, LoadVerdict.FAILING),
        (1000, 100, 0.0, LoadVerdict.FAILING),
    ],
)
def test_checks_that_fail_decide_from_one_in_a_hundred_on(
    made: int, failed: int, allowed: float | None, verdict: LoadVerdict
) -> None:
    """A threshold may allow more; what failed is told in any case, and no request is called failed."""
    found = checked(made, failed, allowed_checks=allowed)

    assert found.verdict is verdict
    words = f"{failed / made * 100:.1f} % of the checks failed, the first after 0.00 s: the cart, {failed} times"
    assert words in found.because
    assert "of the requests failed" not in found.because
    assert ("see the script: user 4: the cart; " in found.advice) is (verdict is LoadVerdict.FAILING)
    assert ("(--threshold allows 10 %)" in found.because) is (allowed == 0.1 and verdict is LoadVerdict.OK)


def test_no_check_leaves_no_word() -> None:
    """Neither where there is none, nor where all held."""
    assert "check" not in checked(0, 0).because + checked(100, 0).because


def test_failed_requests_come_before_failed_checks_which_are_told_behind() -> None:
    """The verdict is about the requests; neither hides the other."""
    phase = Phase(name="measured", end=SECOND, scheduled=400, sent=400, answered=400, checked=100)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 300
    for _ in range(100):
        phase.fail("status_500", Example(at=1, took=1, port=None, detail="answered with status 500"))
    phase.fail_check("the cart", Example(at=0, took=0, port=None, detail="user 4: the cart"))

    found = load_result([phase], rate=300)

    assert found.verdict is LoadVerdict.FAILING
    assert "25.0 % of the requests failed" in found.because
    assert "; 1.0 % of the checks failed" in found.because
    assert "--expect-status" in found.advice


def logins(failed: int, kind: str = "status_401", ok: int = 0) -> Phase:
    """The requests of a log-in, of which so many failed."""
    found = Phase(name="log-in", scheduled=failed + ok, sent=failed + ok)
    for _ in range(failed):
        found.fail(kind, Example(at=1, took=7, port=None, detail="no"))
    found.reused.whole[bucket(MILLISECOND, FINE)] = ok
    return found


def logged_in(found: Phase, **changes: Any) -> LoadResult:
    """A closed loop of 100,000 good answers, behind this log-in."""
    phase = Phase(name="measured", end=10 * SECOND, scheduled=100_000, sent=100_000, answered=100_000)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 100_000
    return load_result([phase], login="login.txt", logins=found, **changes)


def test_a_log_in_that_fails_is_told_first_however_many_requests_follow() -> None:
    """20 of 100,020 requests are few, but users who are not logged in measure something else."""
    found = logged_in(logins(20))

    assert found.verdict is LoadVerdict.FAILING
    assert found.because.startswith("log-in failed: status_401, 20 of 20; ")
    assert found.advice == "mend the log-in first: see what login.txt sends, and the server's log"
    assert "\nLog-in       failed: status_401, 20 of 20\n" in load_text(found)
    assert found.to_dict()["logins"] == {"requests": 20, "ok": 0, "failures": {"status_401": 20}}


def test_the_row_of_a_log_in_is_blamed_where_there_is_a_feed() -> None:
    """A password of the file may be the wrong one."""
    assert "sends, filled in from people.csv, and" in logged_in(logins(20), feed="people.csv").advice


def test_a_log_in_that_is_never_answered_has_the_next_step_of_that_failure() -> None:
    """The next step of a closed port is to start the server: the file is not to blame."""
    found = logged_in(logins(20, "connect_refused"))

    assert found.advice == "nothing listens at h:80: is the server running?"


def test_a_log_in_that_fails_for_few_or_may_fail_is_told_behind_the_verdict() -> None:
    """One of 200 is under 1 %; a threshold may allow more."""
    few, allowed = logged_in(logins(1, ok=199)), logged_in(logins(2, ok=98), allowed_errors=0.05)

    assert few.verdict is allowed.verdict is LoadVerdict.SERVER_BOUND
    assert few.because.endswith("; log-in failed: status_401, 1 of 200")
    assert allowed.because.endswith("; log-in failed: status_401, 2 of 100")


def test_a_log_in_that_works_changes_no_verdict() -> None:
    """The report has the number of its requests."""
    found = logged_in(logins(0, ok=20))

    assert found.because == "the client waited for the server; the client used 10.0 % of a core"
    assert "\nLog-in       20 of 20 requests ok\n" in load_text(found)
