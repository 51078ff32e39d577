"""The options of a load test that say which requests are sent, in which order, and when.

Rules
- Options that contradict each other, or that say nothing without another one, are refused before anything is read.
Runs on: anywhere (pure).
"""

import re
from typing import Annotated

import msgspec

from crawler.core.errors import UsageError
from crawler.core.options import Help, OptionKind
from crawler.load.targets.feed import Feed
from crawler.load.targets.line import BrokenLine, TargetLine

FORMATS = ("text", "vegeta", "har", "log", "json-log", "pages")
_METHODS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class TargetsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The file of targets and its order.

    Attributes:
        option: the name of the option that gives the file, for messages: a log-in is a file of requests, too.
        items: the targets that a script gives in the place of a file; `targets` is their name then.
        rows: the rows that a script gives in the place of a feed; `feed` is their name then.
    """

    targets: Annotated[
        str | None,
        Help(
            "Send the requests of this file: URLs, vegeta's JSON lines, HAR, access log, a run's folder; - is standard "
            "input.",
            OptionKind.TEXT,
            metavar="FILE",
        ),
    ] = None
    targets_format: Annotated[
        str | None,
        Help(f"Its format, where its first lines do not tell: {', '.join(FORMATS)}.", OptionKind.TEXT, metavar="NAME"),
    ] = None
    skip_broken: Annotated[
        bool, Help("Leave lines out that cannot be read; the report has their number.", OptionKind.FLAG)
    ] = False
    methods: Annotated[
        str | None,
        Help(
            "Of a log, HAR or run, send these methods besides GET, HEAD, OPTIONS and TRACE, and leave out the rest: "
            "POST,PUT.",
            OptionKind.TEXT,
            metavar="NAME,...",
        ),
    ] = None
    feed: Annotated[
        str | None,
        Help(
            "Rows for ${column} in URL, headers and body: CSV with a header, or JSON lines; - is standard input.",
            OptionKind.TEXT,
            metavar="FILE",
        ),
    ] = None
    shuffle: Annotated[bool, Help("Send the targets in a random order, the same in every pass.", OptionKind.FLAG)] = (
        False
    )
    replay: Annotated[
        float | None,
        Help(
            "Send each target at the file's own time, or so many times as fast.",
            OptionKind.FACTOR,
            metavar="[FACTOR]",
            bare="1",
        ),
    ] = None
    option: str = "targets"
    items: tuple[TargetLine | BrokenLine | None, ...] | None = None
    rows: Feed | None = None

    def allowed(self) -> frozenset[str]:
        """Return the methods that are named.

        Raises:
            UsageError: one of them is no method.
        """
        names = [] if self.methods is None else [name.strip() for name in self.methods.split(",")]
        if not all(_METHODS.fullmatch(name) for name in names):
            raise UsageError(f"--methods: expected methods such as GET,POST, got {(self.methods or '')[:40]!r}")
        return frozenset(names)

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: they do.
        """
        self.allowed()
        if self.targets_format not in (None, *FORMATS):
            raise UsageError(f"--targets-format: expected one of {', '.join(FORMATS)}, got {self.targets_format!r:.60}")
        if self.targets is None:
            for name, value in (
                ("targets-format", self.targets_format),
                ("skip-broken", self.skip_broken),
                ("shuffle", self.shuffle),
                ("replay", self.replay),
            ):
                if value:
                    raise UsageError(f"--{name}: give a file of --targets, too")
        if self.replay is not None and self.shuffle:
            raise UsageError("--replay and --shuffle: give one of them, a replay has the order of the file's times")
        if self.replay is not None and self.feed is not None:
            raise UsageError("--replay and --feed: give one of them, a replay sends each target once")
