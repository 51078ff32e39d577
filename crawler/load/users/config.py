"""The options of a load test that tell what a user does between two requests and before the first.

Runs on: anywhere (pure).
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from crawler.core.errors import UsageError
from crawler.core.options import Help, OptionKind

_THINK = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?(?:-(\d+(?:\.\d+)?)(ms|s|m)?)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class UsersConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The behaviour of the users of a closed loop.

    Attributes:
        function: the `user` that a script gives in the place of a file; `script` is its name then.
    """

    think: Annotated[
        str | None,
        Help(
            "Users: wait this long after each answer, such as 500ms, or a random time of 1s-3s.",
            OptionKind.TEXT,
            metavar="TIME[-TIME]",
        ),
    ] = None
    cookies: Annotated[
        bool, Help("Users: keep cookies, each user its own, and send them back.", OptionKind.FLAG, flag="user-cookies")
    ] = False
    login: Annotated[
        str | None,
        Help(
            "Users: send the requests of this file first, once per user; includes --user-cookies.",
            OptionKind.TEXT,
            metavar="FILE",
        ),
    ] = None
    steps: Annotated[
        bool,
        Help("Users: each sends all targets in the order of the file, then again from the first.", OptionKind.FLAG),
    ] = False
    script: Annotated[
        str | None,
        Help(
            "Users: run `async def user(u)` of this Python file, again and again, in place of targets.",
            OptionKind.TEXT,
            metavar="FILE",
        ),
    ] = None

    function: Callable[[Any], Awaitable[object]] | None = None

    @property
    def are_told(self) -> bool:
        """Return whether users do more than send the next request."""
        return self != UsersConfig()

    @property
    def keeps_cookies(self) -> bool:
        """Return whether users keep cookies; scripts always do."""
        return self.cookies or self.login is not None or self.script is not None

    def think_time(self) -> tuple[float, float]:
        """Return the shortest and the longest time between an answer and the next request, in seconds.

        Raises:
            UsageError: the text is no such time.
        """
        if self.think is None:
            return 0.0, 0.0
        match = _THINK.fullmatch(self.think.replace(" ", ""))
        if match is None:
            raise UsageError(f"--think: expected a time such as 500ms, or 1s-3s, got {self.think[:40]!r}")
        unit = match[2] or (match[4] if match[3] else None) or "s"
        low = float(match[1]) * _UNITS[unit]
        high = low if match[3] is None else float(match[3]) * _UNITS[match[4] or "s"]
        if high < low:
            raise UsageError(
                f"--think {self.think[:40]}: the second time is shorter than the first: change their order"
            )
        return low, high
