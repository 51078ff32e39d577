"""The options of a run: their types, defaults and help texts. Flags, TOML keys and the reference derive from here.

Rules
- A component takes its own small config; only `build.py` sees the whole.
- A default is polite and safe; its source stands beside it (ARCHITECTURE, section 8).
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, plain, turned
from crawler.version import __version__

MIB = 1024 * 1024
AGENT = f"crawler/{__version__}"


class ScopeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The scope of the links that are followed; URLs that the user lists are always fetched."""

    scope: Annotated[
        str,
        Help(
            "Follow links to the seeds' hosts, to their registrable domains, below their folders (/docs/ with its last "
            "slash), or anywhere.",
            OptionKind.TEXT,
            metavar="host|domain|prefix|all",
        ),
    ] = "host"
    include: Annotated[
        tuple[str, ...],
        Help(
            "Follow only links whose URL contains a match of this regular expression; repeatable.",
            OptionKind.TEXTS,
            metavar="REGEX",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Help(
            "Follow no link whose URL contains a match of this regular expression; repeatable, and beats --include.",
            OptionKind.TEXTS,
            metavar="REGEX",
        ),
    ] = ()
    max_depth: Annotated[
        int | None, Help("Follow links this many steps from a seed; 0 = none.", OptionKind.COUNT_OR_NONE)
    ] = None
    assets: Annotated[
        bool,
        Help("Also fetch page resources (images, styles, scripts, media and others).", OptionKind.FLAG),
    ] = False
    check: Annotated[
        bool,
        Help(
            "Report broken links within scope and the pages that contain them; exit 1 if there are any.",
            OptionKind.FLAG,
        ),
    ] = False
    discover_sitemaps: Annotated[
        bool, Help("Also read the sitemaps that the robots.txt of each host in scope names.", OptionKind.FLAG)
    ] = False
    traps: Annotated[
        bool, Help("Follow no links that look like a crawler trap, a site without end.", OptionKind.FLAG)
    ] = True


class ListConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Reading of the lists."""

    column: Annotated[
        str | None,
        Help(
            "Read the lists as tables (comma, semicolon or tab), and the URLs from this column: its number from 1, or "
            "its name in the first row.",
            OptionKind.TEXT,
            metavar="N|NAME",
        ),
    ] = None


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of concurrency and of retries."""

    concurrency: Annotated[
        int,
        Help(
            "Limit for fetches in flight, over all hosts that answer; other hosts are dialled beside them.",
            OptionKind.COUNT,
            resumable=True,
        ),
    ] = 256
    retries: Annotated[
        int,
        Help(
            "Further tries after a connection error, a truncated body or a status 408 425 429 500 502 503 504.",
            OptionKind.COUNT_OR_NONE,
            resumable=True,
        ),
    ] = 3


class PolitenessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Politeness to each host."""

    per_host: Annotated[
        int | None,
        Help(
            "Limit for fetches in flight per host and port: 4, and on loopback as many as --concurrency.",
            OptionKind.COUNT,
            resumable=True,
        ),
    ] = None
    delay: Annotated[
        float | None,
        Help(
            "Time between two requests to one host and port. auto: 0 on loopback, elsewhere 0.5, and longer if the "
            "host is slow. Crawl-delay, Retry-After and errors always make it longer.",
            OptionKind.DELAY,
            resumable=True,
        ),
    ] = None
    rate: Annotated[
        float | None,
        Help("Limit for requests per second, over all hosts.", OptionKind.RATE, resumable=True),
    ] = None
    robots: Annotated[bool, Help("Obey each site's robots.txt (RFC 9309).", OptionKind.FLAG)] = True


class BudgetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that end a run early; URLs that are left stay pending and can be resumed."""

    max_pages: Annotated[
        int | None, Help("Stop after exactly this many lines of output.", OptionKind.COUNT, resumable=True)
    ] = None
    max_pages_per_host: Annotated[
        int | None,
        Help(
            "Write at most this many lines for one host and port; its other URLs stay pending.",
            OptionKind.COUNT,
            resumable=True,
        ),
    ] = None
    max_bytes: Annotated[
        int | None, Help("Start no fetch after this many body bytes.", OptionKind.BYTES, resumable=True)
    ] = None
    max_time: Annotated[
        float | None, Help("Start no fetch after this much time.", OptionKind.TIME_LIMIT, resumable=True)
    ] = None


class FetchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one request, and its limits. All times are seconds, all sizes bytes."""

    timeout: Annotated[
        float, Help("Limit for one whole fetch, name lookup included.", OptionKind.TIME_LIMIT, resumable=True)
    ] = 60.0
    connect_timeout: Annotated[
        float, Help("Limit for name lookup, connecting and TLS.", OptionKind.TIME_LIMIT, resumable=True)
    ] = 10.0
    first_byte_timeout: Annotated[
        float, Help("Limit for the wait for the response's first byte.", OptionKind.TIME_LIMIT, resumable=True)
    ] = 20.0
    limit_rate: Annotated[
        int | None,
        Help("Limit for body bytes received per second, over all hosts.", OptionKind.BYTES, resumable=True),
    ] = None
    idle_timeout: Annotated[
        float, Help("Limit for a pause within a response.", OptionKind.TIME_LIMIT, resumable=True)
    ] = 20.0
    max_body: Annotated[
        int, Help("Cut a body after this many bytes as sent, before decoding, and mark its line.", OptionKind.BYTES)
    ] = 16 * MIB
    max_decoded: Annotated[int, Help("Limit for a body after decoding.", OptionKind.BYTES)] = 64 * MIB
    user_agent: Annotated[str, Help("Name that the crawler sends as User-Agent; see --contact.", OptionKind.TEXT)] = (
        AGENT
    )
    contact: Annotated[
        str | None,
        Help(
            "Your e-mail address or page, sent to every server beside the crawler's name, unless you changed that.",
            OptionKind.CONTACT,
            resumable=True,
        ),
    ] = None
    headers: Annotated[
        tuple[tuple[str, str], ...],
        Help(
            "A header for the hosts of your list or seeds; repeatable.", OptionKind.HEADERS, flag="header", secret=True
        ),
    ] = ()
    basic_auth: Annotated[
        tuple[str, str] | None,
        Help(
            "Basic authentication for the hosts of your list or seeds; "
            "env:VAR or file:PATH keeps it off the command line.",
            OptionKind.USER,
            flag="user",
            secret=True,
        ),
    ] = None
    bearer: Annotated[
        str | None,
        Help(
            "Bearer token for the hosts of your list or seeds; env:VAR or file:PATH.",
            OptionKind.TEXT,
            metavar="TOKEN",
            secret=True,
        ),
    ] = None
    cookies_file: Annotated[
        str | None,
        Help(
            "Send the cookies of this cookies.txt file to their own domains.",
            OptionKind.TEXT,
            flag="load-cookies",
            metavar="FILE",
        ),
    ] = None
    proxy: Annotated[
        str | None,
        Help(
            "Send every request through this http://, https://, socks5:// or socks5h:// proxy.",
            OptionKind.TEXT,
            metavar="URL",
            secret=True,
        ),
    ] = None
    trust_env: Annotated[
        bool,
        Help(
            "Without --proxy, use the proxies that http_proxy, https_proxy, all_proxy and no_proxy name.",
            OptionKind.FLAG,
            resumable=True,
        ),
    ] = False
    resolver: Annotated[
        str | None,
        Help(
            "Ask the name server at this IP address, after /etc/hosts, instead of the system's; several: with commas.",
            OptionKind.TEXT,
            metavar="ADDRESS[:PORT]",
            resumable=True,
        ),
    ] = None
    ca_file: Annotated[
        str | None, Help("Trust the certificate authorities in this PEM file too.", OptionKind.TEXT, metavar="FILE")
    ] = None
    client_cert: Annotated[
        str | None,
        Help("Show this certificate (PEM file with its key) to servers that ask.", OptionKind.TEXT, metavar="FILE"),
    ] = None
    insecure_hosts: Annotated[
        tuple[str, ...],
        Help(
            "Do not verify this host's certificate; repeatable.", OptionKind.TEXTS, flag="insecure-host", metavar="HOST"
        ),
    ] = ()
    allow_nets: Annotated[
        tuple[str, ...],
        Help(
            "Let links and redirects lead into this private network; repeatable.",
            OptionKind.TEXTS,
            flag="allow-net",
            metavar="CIDR",
        ),
    ] = ()

    @property
    def full_user_agent(self) -> str:
        """Return the User-Agent header: with the contact, unless the user chose another name."""
        return f"{self.user_agent} (+{self.contact})" if self.contact and not self.is_renamed else self.user_agent

    @property
    def is_renamed(self) -> bool:
        """Return True when the user chose another name than the crawler's own, of any version."""
        return not re.fullmatch(r"crawler/[0-9.]+", self.user_agent)


class CookieConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The cookies of a run."""

    cookies: Annotated[
        bool,
        Help(
            "Keep the cookies that servers set, and send them back to their own domains; none is stored, so a resumed "
            "run begins with those of --load-cookies.",
            OptionKind.FLAG,
        ),
    ] = False


class ParseConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The reading of documents, and the parts of them that are kept."""

    workers: Annotated[
        int | None,
        Help(
            "Processes that read documents, by default one per core; 0 = the main process reads them.",
            OptionKind.COUNT_OR_NONE,
            resumable=True,
        ),
    ] = None
    parse_timeout: Annotated[
        float,
        Help(
            "Limit for the CPU time of reading one document; its wall-clock limit is four times as long.",
            OptionKind.TIME_LIMIT,
            resumable=True,
        ),
    ] = 10.0
    select: Annotated[
        tuple[str, ...],
        Help(
            "Store the matches of this CSS selector in each page as data.NAME; repeatable.",
            OptionKind.TEXTS,
            metavar="NAME=CSS",
        ),
    ] = ()
    text: Annotated[bool, Help("Store each page's visible text as data.text.", OptionKind.FLAG)] = False
    extract: Annotated[
        str | None,
        Help(
            "Call MODULE:FUNCTION on each page and store its result as data.",
            OptionKind.TEXT,
            metavar="MODULE:FUNCTION",
        ),
    ] = None


class OutputConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The files that are written."""

    save: Annotated[
        str,
        Help(
            "Outputs, with commas between: jsonl (pages.jsonl) or - (standard output); files (each page as a file).",
            OptionKind.TEXT,
            metavar="jsonl|files|-",
        ),
    ] = "jsonl"

    @property
    def to_stdout(self) -> bool:
        """Return True when lines go to standard output instead of pages.jsonl."""
        return "-" in self.kinds

    @property
    def files(self) -> bool:
        """Return True when each page becomes a file."""
        return "files" in self.kinds

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the outputs that `save` lists."""
        return tuple(self.save.split(","))


class SharedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The database in which a run lives that several workers share."""

    frontier: Annotated[
        str | None,
        Help(
            "Keep the run in this PostgreSQL database, where other workers may join it; or in embedded:DIR, a private "
            "one that is started there.",
            OptionKind.TEXT,
            metavar="DSN",
            secret=True,
        ),
    ] = None
    name: Annotated[
        str | None,
        Help(
            "Name of the run in that database; without it, the name of the output folder.",
            OptionKind.TEXT,
            metavar="NAME",
        ),
    ] = None
    lease: Annotated[
        float,
        Help(
            "A worker that is silent for longer loses its hosts to the others.",
            OptionKind.TIME_LIMIT,
        ),
    ] = 30.0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a crawl or fetch."""

    output: OutputConfig = msgspec.field(default_factory=OutputConfig)
    lists: ListConfig = msgspec.field(default_factory=ListConfig)
    scope: ScopeConfig = msgspec.field(default_factory=ScopeConfig)
    engine: EngineConfig = msgspec.field(default_factory=EngineConfig)
    politeness: PolitenessConfig = msgspec.field(default_factory=PolitenessConfig)
    budget: BudgetConfig = msgspec.field(default_factory=BudgetConfig)
    parse: ParseConfig = msgspec.field(default_factory=ParseConfig)
    fetch: FetchConfig = msgspec.field(default_factory=FetchConfig)
    cookies: CookieConfig = msgspec.field(default_factory=CookieConfig)
    shared: SharedConfig = msgspec.field(default_factory=SharedConfig)


RUN_WIDE = frozenset({"max-pages", "max-bytes", "rate"})
"""Options of which the workers of a shared run use parts: one of them alone cannot change its own."""
OPTIONS: Mapping[str, Option] = {option.name: option for option in options_of(RunConfig)}


def configure(values: Mapping[str, object], *, base: RunConfig | None = None, where: str = "") -> RunConfig:
    """Return the config with these options set, by name; values are text (flags) or native (TOML).

    `where` is the file that they stand in.

    Raises:
        UsageError: no such option, or a value that the option does not take.
    """
    check_names(values, OPTIONS, where or "options")
    config = turned(base or RunConfig(), values, OPTIONS, where)
    if not {*config.output.kinds} <= {"jsonl", "files", "-"}:
        raise UsageError(f"--save: expected jsonl, files or -, separated by commas, got {config.output.save[:40]!r}")
    if {"jsonl", "-"} <= {*config.output.kinds}:
        raise UsageError("--save: give jsonl or -, not both: lines go to pages.jsonl, or to standard output")
    if config.scope.discover_sitemaps and not config.politeness.robots:
        raise UsageError("--discover-sitemaps and --no-robots: give one of them, the sitemaps are named in robots.txt")
    if config.shared.frontier and config.output.to_stdout:
        raise UsageError("--save - and --frontier: give one of them: lines of a lost lease are cut off again")
    if config.fetch.basic_auth and config.fetch.bearer:
        raise UsageError("--user and --bearer: give one of them, not both")
    return config


def plain_values(config: RunConfig) -> dict[str, object]:
    """Return the options that are set, by name, as TOML writes them; secrets are left out."""
    found = {}
    for name, option in OPTIONS.items():
        value = getattr(getattr(config, option.group), option.field)
        if value not in (None, ()) and not option.help.secret:
            found[name] = plain(value)
    return found
