"""Options of a load test that contradict each other, or ask for too much, refused before anything is read or sent.

Rule: a size beyond all use is refused at once: it would exhaust this machine and not the server. How many files a
process may open is this machine's own limit, which the test tells.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Iterable, Mapping

from crawler.core.errors import UsageError
from crawler.load.config import LoadConfig, ShapeConfig, read_load

MOST_CONNECTIONS = 100_000  # over all processes; one address of a client has 65,535 ports for each of the server's
MOST_RATE = 1_000_000  # requests per second
MOST_PROCESSES = 256


def configure_load(values: Mapping[str, object]) -> LoadConfig:
    """Return a config with these options set, by name; values are text (flags) or native (keywords).

    Raises:
        UsageError: an option is unknown, does not take its value, or contradicts another one.
    """
    config = read_load(values)
    for check in _CHECKS:
        check(config)
    return config


def _sizes(config: LoadConfig) -> None:
    shape = config.shape
    levels = [level for _, level in shape.steps()]
    if shape.has_user_stages and max(levels) > MOST_CONNECTIONS:
        raise UsageError(f"--stages: {max(levels):,.0f} users: give {MOST_CONNECTIONS:,} at the most")
    if shape.connections > MOST_CONNECTIONS:
        raise UsageError(f"--connections {shape.connections}: give {MOST_CONNECTIONS:,} at the most")
    if shape.processes > MOST_PROCESSES:
        raise UsageError(f"--processes {shape.processes}: give {MOST_PROCESSES} at the most, one for each core")
    if shape.rate is not None and shape.rate > MOST_RATE:
        raise UsageError(f"--rate {shape.rate:g}: give {MOST_RATE:,}/s at the most")
    if levels and not shape.has_user_stages and max(levels) > MOST_RATE:
        raise UsageError(f"--stages: a rate of {max(levels):,.0f}/s: give {MOST_RATE:,}/s at the most")


def _shape(config: LoadConfig) -> None:
    shape = config.shape
    if shape.stages is not None and (shape.rate, shape.duration, shape.requests) != (None, None, None):
        raise UsageError("--stages set the rate and the time: leave out --rate, --duration and --requests")
    if shape.stages is not None and shape.warmup:
        raise UsageError(
            "--stages: each stage is reported apart, so let the first one be the warm-up: leave out --warmup"
        )
    if shape.poisson and not shape.is_open and config.targets.replay is None:
        raise UsageError("--poisson: a closed loop has no arrivals; give --rate or --stages, too")
    if shape.stages is not None and not any(level for _, level in shape.steps()):
        of = "number of users" if shape.has_user_stages else "rate"
        raise UsageError(f"--stages: every {of} is 0, so nothing would be sent")
    if shape.requests is not None and shape.requests < shape.processes:
        raise UsageError(f"--requests {shape.requests}: fewer than there are processes (--processes {shape.processes})")


def _processes(config: LoadConfig) -> None:
    shape = config.shape
    if shape.has_user_stages:
        if shape.connections != ShapeConfig().connections:
            raise UsageError("--stages of users and --connections: leave out one of them, each user has its own")
        if shape.processes > shape.most_users:
            raise UsageError(f"--processes {shape.processes}: more than there are users ({shape.most_users})")
    elif shape.processes > shape.connections:
        raise UsageError(
            f"--processes {shape.processes}: more than there are connections (--connections {shape.connections})"
        )


def _request(config: LoadConfig) -> None:
    request = config.request
    if request.body is not None and request.body_file is not None:
        raise UsageError("--body and --body-file: give one of them, not both")
    if request.requests_per_connection is not None and not request.keep_alive:
        raise UsageError("--requests-per-connection: with --no-keep-alive it is 1: leave out one of them")
    if request.chunk_size is not None and not request.chunked:
        raise UsageError("--chunk-size: bodies are sent whole: give --chunked, too")
    if config.gate.expect_body == b"":
        raise UsageError("--expect-body: every body holds an empty text: give what a good answer has")


def _targets(config: LoadConfig) -> None:
    request = config.request
    if config.targets.targets is not None:
        for name, value in (("method", request.method), ("body", request.body), ("body-file", request.body_file)):
            if value is not None:
                raise UsageError(f"--targets and --{name}: each target has its own, give it in the file")
    elif config.targets.methods is not None and config.users.login is None:
        raise UsageError("--methods: give a file of --targets, too")


def _standard_input(config: LoadConfig) -> None:
    files = {
        "targets": config.targets.targets,
        "login": config.users.login,
        "feed": config.targets.feed,
        "body-file": config.request.body_file,
    }
    if len(named := [f"--{name} -" for name, file in files.items() if file == "-"]) > 1:
        raise UsageError(f"{' and '.join(named)}: standard input can be one of them alone: give a file for the rest")


def _replay(config: LoadConfig) -> None:
    shape = config.shape
    if config.targets.replay is not None:
        told = {
            "rate": shape.rate is not None,
            "stages": shape.stages is not None,
            "requests": shape.requests is not None,
            "poisson": shape.poisson,
            "warmup": shape.warmup > 0,
        }
        _refuse(told, lambda name: f"--replay and --{name}: give one of them, a replay follows the times of the file")


def _users(config: LoadConfig) -> None:
    users = config.users
    if config.is_open:
        told = {
            "think": users.think is not None,
            "user-cookies": users.cookies,
            "login": users.login is not None,
            "steps": users.steps,
            "script": users.script is not None,
        }
        opener = "--replay" if config.targets.replay is not None else "--rate" if config.shape.rate else "--stages"
        _refuse(
            told,
            lambda name: (
                f"--{name}: it tells what users do, and {opener} makes an open loop, which has none: "
                f"leave out one of them{', or give stages of users, such as 30s:10u' if opener == '--stages' else ''}"
            ),
        )
    if users.steps and config.targets.targets is None:
        raise UsageError("--steps: the steps are the lines of a file: give --targets, too")
    if users.steps and config.targets.shuffle:
        raise UsageError("--steps and --shuffle: give one of them, steps have the order of the file")


def _script(config: LoadConfig) -> None:
    users, request = config.users, config.request
    if users.script is not None:
        told = {
            "targets": config.targets.targets is not None,
            "feed": config.targets.feed is not None,
            "method": request.method is not None,
            "body": request.body is not None,
            "body-file": request.body_file is not None,
            "login": users.login is not None,
            "think": users.think is not None,
            "expect-body": config.gate.expect_body is not None,
        }
        _refuse(told, lambda name: f"--script and --{name}: leave out --{name}, the script says what is sent and when")


def _gate(config: LoadConfig) -> None:
    if config.gate.abort and not config.gate.thresholds:
        raise UsageError("--abort: there is nothing to be met: give a --threshold, too")
    for gate in config.gate.gates():
        if gate.figure == "checks" and config.users.script is None:
            raise UsageError(f"--threshold {gate.text}: only a script makes checks: give --script, too")


def _refuse(told: Mapping[str, bool], why: Callable[[str], str]) -> None:
    """Refuse the first option that was told."""
    for name, is_told in told.items():
        if is_told:
            raise UsageError(why(name))


_CHECKS: Iterable[Callable[[LoadConfig], None]] = (
    *(_sizes, _shape, _processes, _request, _targets, _standard_input, _replay, _users, _script, _gate),
)
