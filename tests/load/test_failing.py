"""load.verdict: a server that fails a known share of its requests, in virtual time, by the real loops."""

from collections.abc import Callable
from typing import Any

import pytest

from crawler.core.reasons import Reason
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from support.load_results import load_result
from support.simulation import ANSWER, Server, Wire, measured, simulated

ERROR = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"


def failing(share: float) -> type[Server]:
    """A server that takes 5 ms, and fails this share of its requests, evenly spread over them."""

    class Failing(Server):
        def take(self, wire: Wire, data: bytes) -> None:
            """Answer in turn."""
            is_bad = int((self.received + 1) * share + 1e-9) > int(self.received * share + 1e-9)
            answer = ERROR if is_bad else ANSWER
            self.received += 1
            self.simulation.at(self.simulation.now() + 5 * MILLISECOND, lambda _: wire.deliver(answer))

    return Failing


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LoadResult]:
    """Test a server that fails a share of its requests, for 10 s, at 100/s or in a closed loop."""

    def test(share: float, *, rate: float | None, **changes: Any) -> LoadResult:
        monkeypatch.setattr("support.simulation.Server", failing(share))
        loop, _ = simulated(lambda _n, _now: None, rate=rate, connections=8, seconds=10)
        measured(loop)
        return load_result(loop.phases, loop.setup.gauge.client.lag, rate=rate, **changes)

    return test


@pytest.mark.parametrize("rate", [None, 100.0])
@pytest.mark.parametrize(("share", "told"), [(0.05, "5.0 %"), (0.5, "50.0 %"), (0.97, "97.0 %"), (0.01, "1.0 %")])
def test_a_server_that_fails_is_called_so_before_any_praise(
    share: float, told: str, rate: float | None, tested: Callable[..., LoadResult]
) -> None:
    """The verdict has the share, the moment of the first failure, and the commonest kind."""
    found = tested(share, rate=rate)

    assert found.verdict is LoadVerdict.FAILING
    assert found.because.startswith(f"{told} of the requests failed, the first after ")
    count = found.total.failures["status_500"].count
    assert count == pytest.approx(share * found.total.scheduled, abs=1)
    assert found.because.endswith(f" s: status_500, {count:,} times")
    assert "--expect-status" in found.advice
    first = found.total.failures["status_500"].first.at
    assert f"after {first / 1e9:.2f} s" in found.because


@pytest.mark.parametrize(("rate", "verdict"), [(None, LoadVerdict.SERVER_BOUND), (100.0, LoadVerdict.OK)])
def test_a_rare_failure_is_told_and_hides_nothing(
    rate: float | None, verdict: LoadVerdict, tested: Callable[..., LoadResult]
) -> None:
    """One in a thousand stands behind the verdict on the performance; none leaves no word."""
    found = tested(0.001, rate=rate)

    assert found.verdict is verdict
    assert "; 0.1 % of the requests failed, the first after " in found.because
    assert "fail" not in tested(0.0, rate=rate).because


@pytest.mark.parametrize(
    ("allowed", "verdict"), [(0.5, LoadVerdict.OK), (0.05, LoadVerdict.OK), (0.049, LoadVerdict.FAILING)]
)
def test_failures_that_a_threshold_allows_are_told_as_allowed(
    allowed: float, verdict: LoadVerdict, tested: Callable[..., LoadResult]
) -> None:
    """The user knows of them; more than that is failing."""
    found = tested(0.05, rate=100.0, allowed_errors=allowed)

    assert found.verdict is verdict
    is_told = found.because.endswith(f" s: status_500, 50 times (--threshold allows {allowed * 100:g} % of errors)")
    assert is_told is (verdict is LoadVerdict.OK)


def example(at: int = SECOND) -> Example:
    """A failure at this moment."""
    return Example(at=at, took=MILLISECOND, port=None, detail="it failed")


def phase(*, ok: int, **failures: int) -> Phase:
    """So many good answers of 10 ms within 10 s, and failures of these kinds, each 1 s after the kind before."""
    whole = Phase(name="measured", end=10 * SECOND)
    whole.scheduled = whole.sent = whole.answered = ok + sum(failures.values())
    whole.reused.whole[5000] = ok
    for number, (kind, count) in enumerate(failures.items(), 1):
        for _ in range(count):
            whole.fail(kind, example(number * SECOND))
    return whole


def test_of_several_kinds_the_commonest_is_told_and_the_first_of_all() -> None:
    """They need not be the same."""
    found = load_result([phase(ok=900, timeout=10, status_503=90)])

    assert found.because == "10.0 % of the requests failed, the first after 1.00 s: mostly status_503, 90 times"


def test_a_share_is_never_rounded_to_nothing() -> None:
    """One of 50,000."""
    found = load_result([phase(ok=49_999, status_503=1)])

    assert found.because.endswith("; 0.002 % of the requests failed, the first after 1.00 s: status_503, 1 time")


def test_a_few_requests_that_fail_are_no_short_test() -> None:
    """Five of twenty say enough."""
    assert load_result([phase(ok=15, status_500=5)]).verdict is LoadVerdict.FAILING


def test_what_this_machine_lacks_is_not_the_server_s_failure() -> None:
    """It is the client's limit, whatever its share."""
    found = load_result([phase(ok=500, **{Reason.CLIENT_LIMIT.value: 500})])

    assert found.verdict is LoadVerdict.CLIENT_BOUND
    assert "requests failed" not in found.because


def test_requests_that_end_after_the_phase_count_as_answers() -> None:
    """A hundred are a hundred, though the last of them came within the grace."""
    whole = phase(ok=100)
    whole.answered = 99

    assert load_result([whole]).verdict is LoadVerdict.SERVER_BOUND
    assert load_result([phase(ok=99)]).because == "99 answers; at least 100 are needed"


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("connect_refused", "nothing listens at h:80: is the server running?"),
        ("status_404", "see the server's log; --expect-status says which statuses are good answers"),
        ("unexpected_body", "see what the server answers; --expect-body is not in it"),
        ("tls_untrusted", "--ca-file trusts the authority of the server's certificate, --insecure any certificate"),
        ("timeout", "the server was too slow: a lower rate or -c, or a longer --timeout"),
        ("connection_lost", "see outcome, and the server's log"),
    ],
)
def test_the_next_step_is_that_of_the_commonest_failure(kind: str, advice: str) -> None:
    """Both where nothing was ok and where a part was."""
    nothing, part = (load_result([phase(ok=ok, **{kind: 50})]) for ok in (0, 500))

    assert (nothing.verdict, nothing.advice.lower()) == (LoadVerdict.NOTHING_OK, advice.lower())
    assert part.verdict is LoadVerdict.FAILING
    assert part.advice.lower() == f"{advice}; a --threshold such as errors<5% allows some".lower()
