"""The options of a comparison: those of its own, and those of a load test that say how to send a request.

Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind
from crawler.core.text import safe
from crawler.load.config import LoadConfig
from crawler.load.contradictions import configure_load
from crawler.load.sending_options import sending_options, with_own_options

_LEAST = 8  # blocks of a side: one is left out, and one pair in four may be spoilt
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*(%?)")


class BlocksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of both sides, and the change that is tolerated."""

    tolerance: Annotated[str, Help("Exit 8 if B is worse by more than this.", OptionKind.TEXT, metavar="PERCENT")] = (
        "5%"
    )
    blocks: Annotated[int, Help("Blocks of each side; the first is left out.", OptionKind.COUNT)] = 16
    block: Annotated[float, Help("Measure this long in each block.", OptionKind.TIME_LIMIT)] = 2.0
    settle: Annotated[float, Help("Send for this long before each block counts.", OptionKind.SECONDS)] = 0.2

    def share(self) -> float:
        """Return the tolerance as a share.

        Raises:
            UsageError: it is none.
        """
        match = _SHARE.fullmatch(self.tolerance.strip())
        share = float(match[1]) / (100 if match[2] else 1) if match else 1.0
        if share >= 1:
            raise UsageError(
                f"--tolerance {safe(self.tolerance, 40)!r}: expected a share below 100 %, such as 5% or 0.05"
            )
        if not share:
            raise UsageError(
                f"--tolerance {safe(self.tolerance, 40)!r}: no two runs are exactly alike: give the change that does "
                "not matter, such as 1%"
            )
        return share


class CompareConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a comparison; `load` is the test of one block."""

    blocks: BlocksConfig = msgspec.field(default_factory=BlocksConfig)
    load: LoadConfig = msgspec.field(default_factory=LoadConfig)


COMPARE_OPTIONS: Mapping[str, Option] = sending_options(CompareConfig, names={"rate"}, groups={"users"})


def configure_compare(values: Mapping[str, object], *, saved: bool = False) -> CompareConfig:
    """Return a config with these options set, by name; `saved`: two runs are read, and nothing is sent.

    Raises:
        UsageError: an option is unknown, does not take its value, or contradicts another one.
    """
    config, others = with_own_options(CompareConfig(), values, COMPARE_OPTIONS)
    own = config.blocks
    if saved and (useless := [name for name in values if name not in {"tolerance", "seed"}]):
        raise UsageError(f"--{useless[0]}: two saved runs are compared as they are, and nothing is sent: leave it out")
    own.share()
    if own.blocks < _LEAST:
        raise UsageError(f"--blocks {own.blocks}: at least {_LEAST} are needed; fewer decide nothing")
    load = configure_load({**others, "duration": own.block})
    for name, file in (
        ("targets", load.targets.targets),
        ("feed", load.targets.feed),
        ("login", load.users.login),
        ("body-file", load.request.body_file),
    ):
        if file == "-":
            raise UsageError(f"--{name} -: both sides need it, and standard input can be read once: give a file")
    return replace(config, load=replace(load, shape=replace(load.shape, warmup=own.settle)))
