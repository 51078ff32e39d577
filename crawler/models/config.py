"""Every knob of `crawler models`, once: what the job is, who does it.

Rules
- The defaults end in half a minute on two cores, and are a job of waiting: 20 ms for a server, a quarter for a page.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, plain, turned

MODELS = (
    "sequential",
    "threads",
    "thread-pool",
    "processes",
    "process-pool",
    "asyncio",
    "asyncio-threads",
    "pipeline",
)
"""Each model by name, from the simplest on; `models/assemble.py` knows its file in `crawler/models/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConfig:
    """What there is to do."""

    pages: Annotated[int, Help("Pages of the built-in site to fetch, read and write.", OptionKind.COUNT)] = 300
    latency: Annotated[float, Help("Seconds until the server answers: time to wait.", OptionKind.SECONDS)] = 0.02
    parse_cost: Annotated[int, Help("Read each page so many times: time to compute.", OptionKind.COUNT)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewConfig:
    """Who does it."""

    models: Annotated[
        tuple[str, ...],
        Help(f"Only this model of {', '.join(MODELS)}; repeatable.", OptionKind.TEXTS, flag="model", metavar="NAME"),
    ] = ()
    workers: Annotated[
        int | None,
        Help(
            "Threads, tasks or processes of each model: 32 threads, 256 tasks, as many processes as cores.",
            OptionKind.COUNT,
        ),
    ] = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The models that take part, in their own order."""
        return tuple(name for name in MODELS if name in (self.models or MODELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """All knobs of `crawler models`."""

    job: JobConfig = field(default_factory=JobConfig)
    crew: CrewConfig = field(default_factory=CrewConfig)


MODELS_OPTIONS: Mapping[str, Option] = {option.name: option for option in options_of(ModelsConfig)}


def configure_models(values: Mapping[str, object]) -> ModelsConfig:
    """A config with some knobs turned, by option name.

    Raises:
        UsageError: no such option or model, or a value that the option does not take.
    """
    check_names(values, MODELS_OPTIONS, "options")
    config = turned(ModelsConfig(), values, MODELS_OPTIONS)
    for name in config.crew.models:
        if name not in MODELS:
            raise UsageError(f"--model: expected one of {', '.join(MODELS)}, got {name[:40]!r}")
    return config


def arguments(job: JobConfig, workers: int | None) -> list[str]:
    """The command-line arguments that ask for this job again."""
    options = {"pages": job.pages, "latency": plain(job.latency), "parse-cost": job.parse_cost, "workers": workers}
    return [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
