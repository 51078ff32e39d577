"""http.retry: the policy of a user."""

from email.utils import formatdate

import pytest

from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.http.retry import RETRY_STATUSES, RetryPolicy

NOW = 1_800_000_000.0


def _pause(
    policy: RetryPolicy,
    outcome: int | FetchError = 503,
    asked: str | None = None,
    *,
    attempt: int = 0,
    method: str = "GET",
    jitter: float = 0.5,
) -> float | None:
    return policy.pause(attempt, method, outcome, asked, now=NOW, jitter=jitter)


def test_a_policy_without_options_is_that_of_the_crawl() -> None:
    """Three further tries, on statuses and errors that may pass, for methods that may be sent twice."""
    policy = RetryPolicy()

    assert [_pause(policy, attempt=attempt) for attempt in range(4)] == [0.5, 1, 2, None]
    assert all(_pause(policy, status) is not None for status in RETRY_STATUSES)
    assert [_pause(policy, status) for status in (200, 304, 404, 501)] == [None] * 4
    methods = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH")
    assert [_pause(policy, method=method) is not None for method in methods] == [True] * 6 + [False] * 2


def test_errors_that_may_pass_are_tried_again() -> None:
    """A lost connection may work next time, a name that does not exist will not; all of it can be turned off."""
    lost, missing = (FetchError(reason, "m") for reason in (Reason.CONNECTION_LOST, Reason.DNS_NOT_FOUND))

    assert (_pause(RetryPolicy(), lost), _pause(RetryPolicy(), missing)) == (0.5, None)
    assert _pause(RetryPolicy(errors=False), lost) is None
    assert _pause(RetryPolicy(), lost, method="POST") is None


def test_the_backoff_doubles_up_to_its_limit() -> None:
    """Jitter takes any part of it."""
    policy = RetryPolicy(tries=9, backoff=2, max_backoff=10)

    assert [_pause(policy, attempt=attempt, jitter=1.0) for attempt in range(5)] == [2, 4, 8, 10, 10]
    assert _pause(policy, jitter=0.0) == 0
    assert _pause(policy, FetchError(Reason.TRUNCATED, "m"), attempt=3, jitter=0.25) == 2.5


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("30", 30),
        ("0", 0.5),
        ("60", 60),
        ("61", None),
        ("9999999999", None),
        (formatdate(NOW + 20, usegmt=True), 20),
        (formatdate(NOW + 10**8, usegmt=True), None),
        ("soon", 0.5),
        (None, 0.5),
    ],
)
def test_a_retry_after_is_waited_for_within_limits(asked: str | None, pause: float | None) -> None:
    """The longer wish wins; one beyond the limit makes the answer the result."""
    assert _pause(RetryPolicy(), asked=asked) == pause


def test_a_retry_after_can_be_left_out() -> None:
    """Then neither a short nor a long one counts; a limit above an hour takes what it says."""
    assert _pause(RetryPolicy(respect_retry_after=False), asked="86400") == 0.5
    assert _pause(RetryPolicy(max_retry_after=90_000), asked="86400") == 86_400


def test_statuses_and_methods_are_as_given() -> None:
    """POST is tried again only if it is asked for, in any case; a list is as good as a set."""
    policy = RetryPolicy(statuses=[418], methods=["post"])

    assert (_pause(policy, 418, method="POST"), _pause(policy, 503, method="POST")) == (0.5, None)
    assert _pause(policy, 418) is None
    assert policy == RetryPolicy(statuses={418}, methods={"POST"})
    assert hash(policy) == hash(RetryPolicy(statuses={418}, methods={"POST"}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tries", -1, "tries: expected a whole number, 0 or more, got -1"),
        ("tries", True, "tries: expected a whole number"),
        ("tries", 1.5, "tries: expected a whole number"),
        ("statuses", 503, "statuses must be a set, not int"),
        ("statuses", {"503"}, "statuses: expected whole numbers from 100 to 599"),
        ("statuses", {1000}, "statuses: expected whole numbers"),
        ("methods", "GET", 'methods must be a set, not str: write {"GET"}'),
        ("methods", {"A B"}, "methods: expected names of methods"),
        ("methods", [b"GET"], "methods: expected names of methods"),
        ("backoff", -1, "backoff: expected seconds, 0 or more"),
        ("backoff", "1", "backoff: expected seconds"),
        ("max_backoff", float("inf"), "max_backoff: expected seconds"),
        ("max_retry_after", float("nan"), "max_retry_after: expected seconds"),
        ("respect_retry_after", 1, "respect_retry_after: expected True or False"),
        ("errors", None, "errors: expected True or False"),
    ],
)
def test_a_wrong_value_is_refused_when_it_is_given(field: str, value: object, message: str) -> None:
    """The message names the field."""
    with pytest.raises(UsageError) as caught:
        RetryPolicy(**{field: value})  # type: ignore[arg-type] # the point

    assert str(caught.value).startswith(f"RetryPolicy: {message}")


def test_a_policy_cannot_be_changed() -> None:
    """It may be shared by any number of requests."""
    with pytest.raises(AttributeError):
        RetryPolicy().tries = 4  # type: ignore[misc] # the point
