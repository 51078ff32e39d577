"""A frontier that is opened for reading, as reports and the audit ask it.

Runs on: anywhere (pure); an implementation on the main thread, blocking.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from crawler.core.frontier_reports import WorkerReport
from crawler.core.urls import Host
from crawler.frontier.tables import Tables, UrlKeys


class FrontierAtRest(Protocol):
    """The frontier of one run.

    Attributes:
        name: of its store, for findings.
        is_closed: the last life of the run ended in order; otherwise the files that a life writes last are missing.
    """

    name: str
    is_closed: bool

    @property
    def tables(self) -> Tables:
        """Return its tables."""
        ...

    @property
    def keys(self) -> UrlKeys:
        """Return the index that finds the rows of URLs."""
        ...

    def gate(self) -> AbstractContextManager[None]:
        """Map the errors of its connection within the block."""
        ...

    def owners(self) -> Mapping[Host, int] | None:
        """Return the number of the worker that has each host now; None = one process works on all of them."""
        ...

    def workers(self) -> Sequence[WorkerReport]:
        """Return the workers that share the run, in order; none where one process works alone."""
        ...

    def letters(self) -> int:
        """Return the number of finds that are on their way to the worker of their host."""
        ...

    def problems(self) -> Iterator[str]:
        """Yield the faults of its own structures."""
        ...
