"""What a model's turn at the job came to, in numbers.

Rules
- A model's own time begins when its workers stand ready and ends with its last result; what comes before is its start:
  the interpreter, the imports, the spawning.
- Processor time and switches are those of its own time, over all of its processes. Peaks are over its whole life.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LEAD = 1.15  # two runs of one model differ by as much


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One model's row.

    Attributes:
        start, seconds: until it was ready, and from then on.
        ended: why it did not come to its end; None = it did.
        failures: the reason for each URL that has no page.
        cpu: seconds.
        delayed: seconds for which its threads could have run, but waited for a processor: others were on it.
        voluntary, forced: how often one of its threads left a processor, because it waited or because it had to.
        lag: the most seconds by which its event loop was late; None = it has no loop.
        results, files: digests over all results, and over the content of all files written.
        processes, threads, memory: the most at any moment; memory in bytes, shared pages counted once.
        server_cpu: seconds that the server had to work for it; None = it is not ours.
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
    def asked(self) -> int:
        """Pages that it has a result for, good or bad."""
        return self.pages + len(self.failures)

    @property
    def rate(self) -> float:
        """Pages per second, those that failed left out: failing is quick."""
        return self.pages / self.seconds if self.seconds else 0.0

    @property
    def cores(self) -> float:
        """Processor seconds over seconds: so many cores were really used."""
        return self.cpu / self.seconds if self.seconds else 0.0

    @property
    def missed(self) -> float:
        """So many threads at a time, on average, could have run and waited for a core."""
        return self.delayed / self.seconds if self.seconds else 0.0

    def overlap(self, latency: float) -> float:
        """Requests in flight on average, as far as they waited for the server's latency (Little's law)."""
        return self.asked / self.seconds * latency if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCosts:
    """Processor seconds per request of the two clients, with nothing else going on."""

    blocking: float
    asynchronous: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One job under several models.

    Attributes:
        latency: seconds.
        clients: None where it was not measured.
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
        """Whether all came to the same results, and wrote the same files."""
        return len({(row.results, row.files, row.ended) for row in self.rows}) <= 1

    @property
    def is_whole(self) -> bool:
        """Whether nothing failed and nobody gave up."""
        return self.agree and not any(row.failures or row.ended for row in self.rows)

    @property
    def cpu_per_page(self) -> float:
        """Seconds of the thriftiest model: what the job itself costs, at the most."""
        return min((row.cpu / row.asked for row in self.rows if row.asked), default=0.0)

    def named(self) -> Iterator[tuple[str, Figures]]:
        """The rows by their models' names."""
        return ((row.model, row) for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The same comparison at one reading cost after the other, from waiting to computing."""

    points: tuple[Comparison, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Who took part in all of it."""
        return tuple(row.model for row in self.points[0].rows)

    def rates(self, model: str) -> tuple[float, ...]:
        """A model's results per second at each point; 0 = it did not come to its end."""
        rows = (dict(point.named())[model] for point in self.points)
        return tuple(0.0 if row.ended else row.rate for row in rows)

    @property
    def leaders(self) -> tuple[str, ...]:
        """The quickest model at each point: whoever led before still does, unless another is quicker by LEAD."""
        found: list[str] = []
        for n in range(len(self.points)):
            rates = {model: self.rates(model)[n] for model in self.models}
            best = max(rates, key=rates.__getitem__)
            is_ahead = not found or rates[best] > LEAD * rates[found[-1]]
            found.append(best if is_ahead else found[-1])
        return tuple(found)

    @property
    def is_whole(self) -> bool:
        """Whether nothing failed anywhere."""
        return all(point.is_whole for point in self.points)
