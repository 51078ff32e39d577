"""The exception tree: the class says who is at fault, the message what to do.

CrawlerError
├── UsageError         an option or a source is impossible           exit 2
├── TargetRefused      a load test of a machine that is not this one    exit 7
├── LoadTestFailed     a load test has missed a threshold; an AssertionError too   exit 8
├── RunInUse           another process works on this run             exit 3
├── StorageError       the disk or the run's files; the run ends     exit 5
│   ├── DiskFull       free some space, then resume                  exit 4
│   ├── ReaderGone     the reader of standard output is gone         exit 141
│   ├── StorageDamaged a file of the run is not as committed         exit 5
│   └── LeaseLost      others have taken over this worker's hosts; it begins again   (ends one life)
├── WorkersMissing     no worker process can be started               exit 6
├── UrlError           a text that is no URL we fetch                (ends one line or link)
├── FetchError         one request had no usable response            (ends one attempt)
│   ├── NoNameServer   no name server answers at all; the run ends   exit 9
│   └── StatusError    a script asked for this: a status of 400 or more
├── ParseError         one document could not be read                (ends one page)
└── InternalError      a fault of this program; please report        exit 70

Rules
- An HTTP status is data, never an error, unless a script asks for one by `raise_for_status`.
- Foreign exceptions enter through one gate per library (`downloader/failures.py`, `frontier/sqlite/errors.py`).
- An error that crosses from one process to another arrives with all its fields.
Runs on: anywhere (pure).
"""

from typing import Any

from crawler.core.reasons import Reason

NO_NAME_SERVER = "no name server answers"
"""`stopped_by` of a run that NoNameServer ended."""


class CrawlerError(Exception):
    """The base class of every error that this program names."""

    exit_code = 70

    def __reduce__(self) -> tuple[object, ...]:
        # What Python does by itself calls the class with `args`, which the classes with a reason do not take.
        return type(self).__new__, (type(self), *self.args), vars(self)


class UsageError(CrawlerError):
    """An option or a source is impossible; nothing was started and nothing was changed."""

    exit_code = 2


class RunInUse(CrawlerError):
    """Another process works on this run's folder."""

    exit_code = 3


class TargetRefused(CrawlerError):
    """A load test was asked for against another machine, without the option that allows it."""

    exit_code = 7


class LoadTestFailed(CrawlerError, AssertionError):
    """A load test has not passed, raised by `LoadResult.check` and `assert_below`; test frameworks call it a failure.

    Attributes:
        result: the `crawler.LoadResult`, where a result raised it.
    """

    exit_code = 8

    def __init__(self, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class StorageError(CrawlerError):
    """The run's files could not be written or read; the run ends in order and can be resumed."""

    exit_code = 5


class DiskFull(StorageError):
    """No space is left on the disk; committed data is safe."""

    exit_code = 4


class ReaderGone(StorageError):
    """The reader of standard output is gone (`| head`); the exit code is a shell's for SIGPIPE, 128 + 13."""

    exit_code = 141


class StorageDamaged(StorageError):
    """A file of the run is not as it was committed."""


class LeaseLost(StorageError):
    """This worker was silent for longer than its lease, and its hosts went to others; what was committed is safe.

    It may begin again as a new life; the files of the old one are cut back to what was committed.
    """


class WorkersMissing(CrawlerError):
    """No worker process can be started; committed data is safe, and the run can be resumed."""

    exit_code = 6


class InternalError(CrawlerError):
    """A fault of this program itself."""


class UrlError(CrawlerError):
    """A text that is no URL we fetch.

    Attributes:
        url: that text, where a `Fetcher` raises it; None elsewhere.
    """

    url: str | None = None

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ParseError(CrawlerError):
    """One document could not be read; its bytes are kept."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FetchError(CrawlerError):
    """One request had no usable response.

    Attributes:
        reason: what happened; `reason.is_transient` tells whether another try makes sense.
        counted: False when the attempt must not count (our own pause broke it).
        url: the URL that was asked for, as it was given but without credentials, where a `Fetcher` raises it; None
            elsewhere.
    """

    url: str | None = None

    def __init__(self, reason: Reason, message: str, *, counted: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.counted = counted


class NoNameServer(FetchError):
    """No name server answers at all: nothing is known of the host, and it is not to blame.

    A run that meets it waits for a while, then ends in order; it can be resumed.

    Attributes:
        since: monotonic moment since when none answers.
    """

    exit_code = 9

    def __init__(self, message: str, *, since: float) -> None:
        super().__init__(Reason.DNS_TIMEOUT, message, counted=False)
        self.since = since


class StatusError(FetchError):
    """An answer whose status is 400 or more, raised by `raise_for_status`.

    Attributes:
        status: of the answer.
        answer: a `crawler.Fetched`, or a `crawler.OpenAnswer`, of which a copy or a pickle has the head.
        request: the `crawler.SentRequest` that was answered; None = it is not known.
    """

    def __init__(self, message: str, *, status: int, answer: Any, request: Any) -> None:
        super().__init__(Reason.HTTP_STATUS, message)
        self.status = status
        self.answer = answer
        self.request = request
