"""Every option of `crawler models`, once: the job, and the models and workers that do it.

Rules
- The defaults end in half a minute on two cores. They make a job of waiting: 20 ms for a response, 5 ms for a page.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

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
"""The names of the models, the simplest first; `models/assemble.py` maps each to its file."""


class JobConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The job."""

    pages: Annotated[int, Help("Pages of the built-in site to fetch, read and write.", OptionKind.COUNT)] = 300
    latency: Annotated[float, Help("Seconds until the server answers: time to wait.", OptionKind.SECONDS)] = 0.02
    parse_cost: Annotated[int, Help("Read each page so many times: time to compute.", OptionKind.COUNT)] = 1


class CrewConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The models that do the job, and the workers of each."""

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
        """Return the models that take part, in the order of MODELS."""
        return tuple(name for name in MODELS if name in (self.models or MODELS))


class ModelsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of `crawler models`."""

    job: JobConfig = msgspec.field(default_factory=JobConfig)
    crew: CrewConfig = msgspec.field(default_factory=CrewConfig)


MODELS_OPTIONS: Mapping[str, Option] = {option.name: option for option in options_of(ModelsConfig)}


def configure_models(values: Mapping[str, object]) -> ModelsConfig:
    """Return a config with these values, by option name.

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
    """Return the command-line arguments for this job."""
    options = {"pages": job.pages, "latency": plain(job.latency), "parse-cost": job.parse_cost, "workers": workers}
    return [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
