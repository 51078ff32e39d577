"""The progress of a load test in the text format of Prometheus, version 0.0.4.

Rules
- Counters end in `_total` and never fall. Times are seconds, shares and cores are plain numbers.
- A figure that is not known has no sample. So there is no percentile before the first measured second.
- A label's value may be any text: backslash, quote and line feed are escaped, as the format asks.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Iterator, Mapping

from crawler.load.progress import Progress, Ranks
from crawler.load.quantiles import MAIN_SHARES
from crawler.load.result import LoadSetup, LoadVerdict
from crawler.load.verdict import Judgement
from crawler.version import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_LONGEST = 1000  # characters of a label's value

Sample = tuple[Mapping[str, str], float]


def metrics_text(asked: LoadSetup, seconds: float, progress: Progress, so_far: Judgement | None = None) -> str:
    """Return all metrics of one moment, `seconds` after the start of the test."""
    return "".join(_metrics(asked, seconds, progress, so_far))


def _metrics(asked: LoadSetup, seconds: float, progress: Progress, so_far: Judgement | None) -> Iterator[str]:
    told = {"version": __version__, "url": asked.url, "method": asked.method, "mode": asked.mode}
    yield _metric("info", "gauge", "The test that runs; always 1.", [(told, 1)])
    yield _metric("elapsed_seconds", "gauge", "Time since the start, the warm-up included.", [({}, seconds)])
    yield _metric(
        "due_requests_total", "counter", "Requests that came due and found a connection.", [({}, progress.due)]
    )
    ended = {"ok": progress.answered, "failed": progress.failed, "timed_out": progress.timed_out}
    samples = [({"outcome": name}, float(count)) for name, count in ended.items()]
    yield _metric("requests_total", "counter", "Requests that ended, by outcome.", samples)
    yield _metric("in_flight_requests", "gauge", "Requests under way.", [({}, progress.in_flight)])
    kind = "Response" if asked.is_open else "Service"
    yield _quantiles("response_seconds", f"{kind} time of the good answers that were measured.", progress.times)
    yield _quantiles("client_lag_seconds", "Lateness of the client's own event loops.", progress.lag)
    cpu: list[Sample] = [({}, progress.cpu / 1e6)] if progress.measured else []
    yield _metric("client_cpu_cores", "gauge", "Processor time of the busiest client process, in cores.", cpu)
    if progress.checks:
        made = [
            ({"check": name, "outcome": outcome}, float(count))
            for name, counts in progress.checks.items()
            for outcome, count in zip(("passed", "failed"), counts, strict=True)
        ]
        yield _metric("checks_total", "counter", "Checks of the script, by name and outcome.", made)
    if so_far is not None:
        states = [({"verdict": str(one)}, float(one is so_far.verdict)) for one in LoadVerdict]
        yield _metric("verdict", "gauge", "1 for the verdict of the moment, 0 for the others.", states)


def _quantiles(name: str, text: str, ranks: Ranks) -> str:
    samples = [
        ({"quantile": f"{share:g}"}, value / 1e9) for share, value in zip(MAIN_SHARES, ranks, strict=True) if value
    ]
    return _metric(name, "gauge", text, samples)


def _metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    full = f"crawler_load_{name}"
    lines = [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
    return "\n".join([*lines, *(f"{full}{_labels(labels)} {value:.10g}" for labels, value in samples)]) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    valid = value[:_LONGEST].encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8
    return valid.translate(_ESCAPES)
