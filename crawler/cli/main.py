"""Command `crawler`: its subcommands, each in its own file, and the one place where errors become exit codes.

Exit codes: 0 done; 1 done, some URLs failed; 2 usage; 3 run in use; 4 disk full; 5 storage damaged; 6 no worker
process; 7 load target not allowed; 8 threshold missed; 9 no name server; 10 load target failing; 11 no answer to a
question about a server's load; 70 internal;
130 and 143 ended by a signal, 141 by a reader of standard output that left (the run can be resumed).
Runs on: the main thread.
"""

import os
import sys
from importlib import import_module

import click
from click.exceptions import NoArgsIsHelpError

from crawler.cli import streams
from crawler.core.errors import CrawlerError, ReaderGone
from crawler.core.text import safe
from crawler.runtime import collector
from crawler.runtime.endings import end_in_order
from crawler.version import __version__

COMMANDS = {
    "crawl": "Follow links from seeds.",
    "fetch": "Fetch the listed URLs, follow no links.",
    "resume": "Go on with an interrupted run.",
    "join": "Take part in a run that lives in a database.",
    "workers": "Show the workers of a run that lives in a database.",
    "summary": "Show the account of a run, or of what it has done so far.",
    "why": "Tell why a URL was fetched, or was not.",
    "hosts": "Show the hosts of a run: pages, pace, robots.txt, errors.",
    "timeline": "Draw what ran when, from the trace of a run.",
    "load": "Load-test a server of this machine.",
    "capacity": "Find the highest rate at which a local server keeps a service level.",
    "compare": "Tell whether one of two local servers is slower, and by how much.",
    "models": "Do one job under every concurrency model, side by side.",
    "verify": "Audit a run: its output, its frontier, its sums.",
    "robots": "Say which line of a robots.txt decides about a URL.",
    "serve": "Serve the built-in site on loopback.",
}

EXAMPLES = """\b
Examples:
  crawler serve                          # a site to try things on
  crawler crawl https://example.com/     # follow the links of a site
  crawler fetch urls.txt -o output/mine  # fetch a list of URLs
  crawler resume output/mine             # go on after a Ctrl-C or a crash
  crawler verify output/mine             # check that nothing is missing
  crawler why https://example.com/a output/mine
  crawler load http://127.0.0.1:8000/    # how much the site can take
"""


class _Commands(click.Group):
    """Group that imports a subcommand when it is used, so that `crawler --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches

            if near := get_close_matches(cmd_name, COMMANDS, n=1):
                raise click.UsageError(f"No such command {cmd_name!r}. Did you mean {near[0]!r}?", ctx)
            return None
        with collector.paused():
            command: click.Command = import_module(f"crawler.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="crawler")
def cli() -> None:
    """Crawl sites and fetch URL lists, politely, completely, through crashes."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; an error is one line, never a traceback."""
    end_in_order()
    streams.claim()
    sys.warnoptions.append("ignore:resource_tracker")  # after a kill -9, Python's helper tells of what it cleans up
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="crawler", standalone_mode=False)
        sys.stdout.flush()
    except NoArgsIsHelpError as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    except SystemExit as ended:
        return _stopped(ended.code)
    except BrokenPipeError:
        return _stopped(1)
    except Exception as error:
        if os.environ.get("CRAWLER_DEBUG"):
            raise
        return _fail(*_named(error))
    return code if isinstance(code, int) else 0


def _named(error: Exception) -> tuple[str, int]:
    """Return one line for an error, and its exit code."""
    if isinstance(error, CrawlerError):
        return str(error), error.exit_code
    if isinstance(error.__context__, KeyboardInterrupt):  # it met a lock of `threading`, which then complains
        return "interrupted", 130
    if isinstance(error, click.UsageError):
        asked = error.ctx.command_path if error.ctx else "crawler"
        return f"{error.format_message()} (see {asked} --help)", 2
    if isinstance(error, OSError) and streams.is_lost(error):
        from crawler.run.disk import storage_error

        streams.abandon(1)
        lost = storage_error(error, "standard output")
        return str(lost), lost.exit_code
    return f"internal error: {error!r}; please report it, with what CRAWLER_DEBUG=1 in front prints", 70


def _stopped(code: object) -> int:
    """Return the exit code after SIGTERM, or after the reader of the output left: silently, as any filter ends then."""
    if code == 1:  # click's, for a reader that left
        streams.abandon(1, 2)
        return ReaderGone.exit_code
    return _fail("interrupted", code) if isinstance(code, int) and code else 0


def _fail(message: str, code: int) -> int:
    try:
        click.echo(f"crawler: {safe(message, 1000)}", err=True)
    except BrokenPipeError:
        streams.abandon(2)
    return code
