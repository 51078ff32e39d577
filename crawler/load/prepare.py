"""The preparation of a load test: its requests are made, its hosts judged, and its plan drawn up.

Rule: an impossible test is refused here, before anything is sent.
Runs on: the loop, before the test; files of targets are read on a thread.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import counted
from crawler.core.urls import Url
from crawler.load.config import LoadConfig, RequestConfig
from crawler.load.dial import Endpoint
from crawler.load.plan import Plan, spans
from crawler.load.referee import Referee
from crawler.load.result import LoadSetup
from crawler.load.target import endpoint, exchange, identified, is_own, rule, target
from crawler.load.targets.config import TargetsConfig
from crawler.load.targets.groups import group_name
from crawler.load.targets.make import make_targets, wants_targets
from crawler.load.targets.targets import Targets
from crawler.load.thresholds import check_scopes
from crawler.load.tls import check_tls
from crawler.load.users.script import check_script
from crawler.runtime.blocking import in_thread

T = TypeVar("T")


async def prepare(url: str | None, config: LoadConfig, folder: Path) -> tuple[LoadSetup, Plan]:
    """Check the targets, and return the setup of the test and the plan of its processes.

    The requests of files are kept in `folder` until the test has ended. `url` may be None if there is a file of them.

    Raises:
        UsageError, TargetRefused: nothing is sent.
    """
    if url is not None:
        target(url)
        config = msgspec.structs.replace(config, request=identified(url, config.request))
    plan = await _with_login(await _main(url, config, folder), url, config, folder)
    if config.users.script is None:  # a script names its groups while it runs
        stages = [span.name for span in plan.spans if span.measured]
        several = [names if len(names) > 1 else () for names in (stages, plan.groups)]
        check_scopes(config.gate.gates(), *several)
    endpoints = await _endpoints(plan.origins, config.request)
    plan = replace(plan, endpoints=endpoints, referee=_referee(plan, config))
    return _setup(plan, config), plan


async def _main(url: str | None, config: LoadConfig, folder: Path) -> Plan:
    """Return the plan without its hosts' addresses, and without the log-in."""
    shape, targets = config.shape, None
    if config.users.script is not None and config.users.function is None:
        check_script(config.users.script)
    if wants_targets(url, config):
        targets = await in_thread(make_targets, url, config, folder)
        origins, groups, good = targets.origins, targets.groups, rule(config)
    elif url is None:
        raise UsageError("give the URL of the server to test, or a file of --targets that names it")
    else:
        origins, groups, good = (target(url),), ("",), exchange(target(url), config)
    return Plan(
        origins=origins,
        endpoints=(),
        exchange=good,
        shape=shape,
        is_open=config.is_open,
        spans=tuple(spans(shape, _last_due(targets))),
        asked=config.request,
        users=config.users,
        targets=targets,
        groups=groups,
    )


def _last_due(targets: Targets | None) -> int | None:
    """Return the due moment of a replay's last request; None = it is no replay."""
    if targets is None or not targets.is_replay:
        return None
    with targets.open() as opened:
        return opened.replay().length


async def _with_login(plan: Plan, url: str | None, config: LoadConfig, folder: Path) -> Plan:
    """Return the plan with the requests of the log-in, whose groups and hosts join those of the targets."""
    if config.users.login is None:
        return plan
    file = TargetsConfig(
        targets=config.users.login,
        option="login",
        methods=config.targets.methods,
        feed=config.targets.feed,
        rows=config.targets.rows,
    )
    request = msgspec.structs.replace(config.request, method=None, body=None, body_file=None, chunked=False)
    (inner := folder / "login").mkdir()
    login = await in_thread(make_targets, url, msgspec.structs.replace(config, targets=file, request=request), inner)
    if config.targets.feed is not None and not login.has_columns and not (plan.targets and plan.targets.has_columns):
        raise UsageError("--feed: no ${column} in targets or log-in asks for it: write one, or leave out --feed")
    groups, origins = list(plan.groups), list(plan.origins)
    if plan.targets is None:
        groups = [group_name(plan.exchange.request.partition(b" ")[0].decode(), origins[0].target)]
    return replace(
        plan,
        login=login,
        login_groups=_own_groups(login.groups, groups),
        login_hosts=_places(login.origins, origins, lambda url: url.origin),
        groups=tuple(groups),
        origins=tuple(origins),
    )


def _own_groups(names: Sequence[str], known: list[str]) -> dict[int, int]:
    """Return the place of each group of the log-in, added to those that are known under a name of its own."""
    places = {}
    for number, name in enumerate(names):
        places[number] = len(known)
        known.append(f"{name} (log-in)" if name in known else name)
    return places


def _places(items: Sequence[T], known: list[T], key: Callable[[T], object] = lambda item: item) -> dict[int, int]:
    """Return the place of each item among those that are known, to which new ones are added."""
    places = {key(item): place for place, item in enumerate(known)}
    for item in items:
        if places.setdefault(key(item), len(known)) == len(known):
            known.append(item)
    return {number: places[key(item)] for number, item in enumerate(items)}


def _referee(plan: Plan, config: LoadConfig) -> Referee | None:
    """Return the referee of `--abort`; None = the option was not given."""
    if not config.gate.abort:
        return None
    replayed = None
    if plan.targets is not None and plan.targets.is_replay:
        with plan.targets.open() as opened:
            replayed = opened.replay().before(plan.spans[-1].end or 0)
    return Referee(
        gates=config.gate.gates(), shape=plan.shape, spans=plan.spans, is_open=plan.is_open, replayed=replayed
    )


async def _endpoints(origins: Sequence[Url], request: RequestConfig) -> tuple[Endpoint, ...]:
    allowed = None if request.i_may_test is None else request.i_may_test.lower()  # as hosts of URLs are
    if allowed is not None and all(origin.host != allowed for origin in origins):
        hosts = ", ".join(dict.fromkeys(origin.host for origin in origins))
        of = "the host" if len(origins) == 1 else "a host"
        raise UsageError(f"--i-may-test {request.i_may_test}: {of} of this test is {hosts}")
    check_tls(request, origins)
    found = []
    for origin in origins:
        mine = request if origin.host == allowed else msgspec.structs.replace(request, i_may_test=None)
        place = await endpoint(origin, mine)
        place.tls()  # a file that holds no certificates is found here
        found.append(place)
    return tuple(found)


def _setup(plan: Plan, config: LoadConfig) -> LoadSetup:
    shape, request, users, targets = config.shape, config.request, config.users, plan.targets
    statuses = config.gate.statuses()
    good = "status below 400" if statuses is None else f"status {', '.join(map(str, sorted(statuses)))}"
    addresses = [place.address for place in plan.endpoints]
    return LoadSetup(
        url=", ".join(origin.href for origin in plan.origins),
        address=", ".join(f"unix:{one}" if isinstance(one, str) else f"{one[0]}:{one[1]}" for one in addresses),
        method="" if users.script is not None else plan.exchange.request.partition(b" ")[0].decode(),
        mode="open" if plan.is_open else "closed",
        connections=shape.most_users,
        processes=shape.processes,
        keep_alive=request.keep_alive,
        timeout=shape.timeout,
        grace=shape.grace,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        good=good if config.gate.expect_body is None else f"{good} and the expected body",
        rate=shape.rate,
        arrivals=("replay" if targets and targets.is_replay else "poisson" if shape.poisson else "regular")
        if plan.is_open
        else None,
        seed=shape.seed if shape.poisson or targets is not None or users.are_told else None,
        stages=shape.steps(),
        duration=shape.duration,
        requests=shape.requests,
        warmup=shape.warmup,
        insecure=request.insecure,
        allowed_host=request.i_may_test,
        allowed_errors=config.gate.allowed("errors"),
        allowed_checks=config.gate.allowed("checks"),
        requests_per_connection=request.requests_per_connection,
        shares_machine=any(isinstance(one, str) or is_own(one[0]) for one in addresses),
        hosts=len(plan.origins),
        has_user_stages=shape.has_user_stages,
        may_pause=users.think is not None or users.script is not None,
        targets=_told(targets, config),
        notes=(targets.note,) if targets is not None and targets.note else (),
        replay=config.targets.replay,
        think=None if users.think is None else users.think_time(),
        user_cookies=users.keeps_cookies,
        steps=users.steps,
        login=users.login,
        feed=config.targets.feed,
        script=users.script,
        shuffle=config.targets.shuffle,
    )


def _told(targets: Targets | None, config: LoadConfig) -> str | None:
    """Return in words which requests are sent; None = always the same."""
    if config.users.script is not None:
        return f"script {config.users.script}"
    if targets is None:
        return None
    asked = config.targets
    file, feed = ("standard input" if name == "-" else name for name in (asked.targets, asked.feed))
    if file is None:
        return None if feed is None else f"{counted(targets.count, 'request')}, one for each row of {feed}"
    return f"{counted(targets.count, 'request')} of {file}, {counted(len(targets.groups), 'group')}"
