"""The figures of a model's run, of a comparison of models, and of a sweep.

Rules
- A model's own time begins when its workers are ready and ends with its last result. Before that comes its start: the
  interpreter, the imports, the spawning.
- Processor time and context switches cover its own time and all its processes. Peaks cover its whole life.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

LEAD = 1.15  # two runs of one model differ by up to this factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One model's row.

    Attributes:
        start, seconds: until its workers were ready, and from then on.
        ended: the error that ended it early; None = it finished.
        failures: the reason for each URL without a page.
        cpu: processor seconds.
        delayed: seconds for which its threads were ready to run but had no core.
        voluntary, forced: context switches, because a thread waited or because the kernel took the core.
        lag: the largest lag of its event loop, in seconds; None = it has no loop.
        results, files: digests over all results, and over the content of all files written.
        processes, threads, memory: the peaks; memory in bytes, shared pages counted once.
        server_cpu: processor seconds of the server meanwhile; None = another program started the server.
    """

    model: str
    start: float = 0.0
    seconds: float = 0.0
    ended: str | None = None
    pages: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)
    cpu: float = 0.0
    delayed: float = 0.0
    voluntary: int = 0
    forced: int = 0
    lag: float | None = None
    results: str = ""
    files: str = ""
    processes: int = 0
    threads: int = 0
    memory: int = 0
    server_cpu: float | None = None

    @property
    def finished(self) -> int:
        """Return the number of results, good or bad."""
        return self.pages + len(self.failures)

    @property
    def rate(self) -> float:
        """Return pages per second, without failures: failing is quick."""
        return self.pages / self.seconds if self.seconds else 0.0

    @property
    def cores(self) -> float:
        """Return processor seconds over seconds: the number of cores really used."""
        return self.cpu / self.seconds if self.seconds else 0.0

    @property
    def missed(self) -> float:
        """Return the average number of threads that were ready to run but had no core."""
        return self.delayed / self.seconds if self.seconds else 0.0

    def overlap(self, latency: float) -> float:
        """Return the average number of requests that waited for the server's latency (Little's law)."""
        return self.finished / self.seconds * latency if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCosts:
    """Processor seconds per request of the two clients, each measured alone."""

    blocking: float
    asynchronous: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One job under several models.

    Attributes:
        latency: seconds.
        clients: None = not measured.
    """

    pages: int
    latency: float
    parse_cost: int
    cores: int
    python: str
    rows: tuple[Figures, ...]
    clients: ClientCosts | None = None

    @property
    def agree(self) -> bool:
        """Return whether all models had the same results and wrote the same files."""
        return len({(row.results, row.files, row.ended) for row in self.rows}) <= 1

    @property
    def is_whole(self) -> bool:
        """Return whether all models agree and finished, without a failed page."""
        return self.agree and not any(row.failures or row.ended for row in self.rows)

    @property
    def cpu_per_page(self) -> float:
        """Return the CPU seconds per page of the thriftiest model: an upper bound of the job's own cost."""
        return min((row.cpu / row.finished for row in self.rows if row.finished), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The same comparison at rising parse costs, from waiting to computing."""

    points: tuple[Comparison, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the models."""
        return tuple(row.model for row in self.points[0].rows)

    def rates(self, model: str) -> tuple[float, ...]:
        """Return a model's pages per second at each point; 0 = it did not finish."""
        rows = (row for point in self.points for row in point.rows if row.model == model)
        return tuple(0.0 if row.ended else row.rate for row in rows)

    @property
    def leaders(self) -> tuple[str, ...]:
        """Return the leader at each point: the previous one, unless another model is faster by the factor LEAD."""
        found: list[str] = []
        for n in range(len(self.points)):
            rates = {model: self.rates(model)[n] for model in self.models}
            best = max(rates, key=rates.__getitem__)
            is_ahead = not found or rates[best] > LEAD * rates[found[-1]]
            found.append(best if is_ahead else found[-1])
        return tuple(found)

    @property
    def is_whole(self) -> bool:
        """Return whether every comparison is whole."""
        return all(point.is_whole for point in self.points)
