"""`crawler robots`: the line of a site's robots.txt that allows or refuses a URL."""

import time
from pathlib import Path

import click

from crawler.cli.options import KnobCommand, given, knobs
from crawler.cli.references import look_up
from crawler.cli.stored_run import RUN, name_option, opened_run
from crawler.core.config import RunConfig, configure
from crawler.core.errors import UrlError, UsageError
from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.run_names import is_database
from crawler.core.text import safe
from crawler.core.urls import Url, parse
from crawler.robots.rules import RobotsOutcome
from crawler.run.folder import RunFolder

EXAMPLES = """\b
Examples:
  crawler robots https://example.com/a  # ask now, for our product token
  crawler robots https://example.com/a Googlebot  # another robot's rules
  crawler robots https://example.com/a --run output/mine  # a run's own copy
  crawler robots https://example.com/a --json | jq .rule
"""


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@click.argument("text", metavar="URL")
@click.argument("agent", metavar="[AGENT]", required=False)
@click.option("--run", metavar=RUN, help="Ask no server: read the copy that this run has stored.")
@name_option
@click.option("--json", "as_json_too", is_flag=True, help="Print the verdict as JSON.")
@knobs(lambda option: option.group == "fetch")
def command(
    text: str,
    agent: str | None,
    *,
    run: str | None,
    run_name: str | None,
    as_json_too: bool,
    **parameters: object,
) -> int:
    """Say whether robots.txt lets AGENT (default: ours) ask for URL. Exit 0 = allowed, 1 = refused."""
    from crawler.build import agent_of, ask_robots
    from crawler.report.indented import indented
    from crawler.report.robots import as_text, verdict

    try:
        url = parse(text)
    except UrlError as error:
        raise UsageError(f"{safe(text, 80)}: {error}") from None
    if run_name is not None and run is None:
        raise UsageError("--name is about a stored copy: give --run DSN, too")
    found: RobotsCopy | RobotsOutcome
    if run is not None:
        if asked := given(parameters):
            raise UsageError(f"--{next(iter(asked))} is about asking a server, and --run asks none: give one of them")
        found, config = _stored(run, run_name, url)  # its options name the robot
    else:
        config = configure(look_up(given(parameters)).values)
        found = ask_robots(url, config)
    said = verdict(found, url, agent or agent_of(config))
    click.echo(indented(said) if as_json_too else as_text(said, found, time.time()), nl=not as_json_too)
    return 0 if said.allowed else 1


def _stored(run: str, run_name: str | None, url: Url) -> tuple[RobotsCopy, RunConfig]:
    """Return a run's copy of the robots.txt of this URL, and its options.

    Raises:
        UsageError: it has none.
    """
    from crawler.inspection import stored_robots

    folder = RunFolder(Path(run))
    if not is_database(run) and not folder.frontier.exists() and (facts := folder.read_facts()).worker is None:
        found, name, config = None, run, facts.config  # it was stopped before it began
    else:
        with opened_run(run, run_name) as stored:
            found, name, config = stored_robots(stored.frontier, url), stored.name, stored.facts.config
    if found is None:
        why = "has asked for none" if config.politeness.robots else "was started with --no-robots"
        raise UsageError(f"{name} holds no robots.txt of {url.origin}: the run {why}")
    return found, config
