"""The plan of a load test at one moment, in words for its display: the stage, the target rate, the users.

Rule: these are what was asked for; the display has what is reached beside them.
Runs on: anywhere (pure).
"""

from collections.abc import Callable
from math import ceil

from crawler.load.config import LoadConfig, ShapeConfig

PlanNow = Callable[[float], str]
"""A function that gives the words for so many seconds after the start; "" = there are none."""


def plan_now(config: LoadConfig) -> PlanNow:
    """Return the words of this test's plan by its seconds."""
    shape = config.shape
    if config.targets.replay is not None:
        return lambda _: f"replay at {config.targets.replay:g} times the pace of the file"
    if shape.stages is not None:
        steps, has_users = shape.steps(), shape.has_user_stages
        return lambda seconds: _stage(steps, seconds, has_users=has_users)
    return lambda seconds: _steady(shape, seconds)


def _stage(steps: tuple[tuple[float, float], ...], seconds: float, *, has_users: bool) -> str:
    begin, before = 0.0, 0.0
    for number, (length, level) in enumerate(steps, 1):
        if seconds < begin + length:
            now = before + (level - before) * (seconds - begin) / length
            told = f"{ceil(now):,} users, to {level:,.0f}" if has_users else f"target {now:,.0f}/s, to {level:,g}/s"
            return f"stage {number} of {len(steps)}: {told}"
        begin, before = begin + length, level
    return "the grace after the last stage"


def _steady(shape: ShapeConfig, seconds: float) -> str:
    told = f"target {shape.rate:,g}/s" if shape.rate is not None else f"{shape.connections:,} users"
    if seconds < shape.warmup:
        return f"warm-up: {told}"
    is_over = shape.duration is not None and seconds >= shape.warmup + shape.duration
    return "the grace after the end" if is_over else told
