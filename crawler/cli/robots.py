"""`crawler robots`: the line of a site's robots.txt that allows or refuses a URL."""

import time
from pathlib import Path

import click

from crawler.cli.options import KnobCommand, given, knobs
from crawler.cli.references import look_up
from crawler.core.config import configure
from crawler.core.errors import UrlError, UsageError
from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.text import safe
from crawler.core.urls import parse
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
@click.option("--run", "folder", metavar="DIR", help="Ask no server: read the copy that this run has stored.")
@click.option("--json", "as_json_too", is_flag=True, help="Print the verdict as JSON.")
@knobs(lambda option: option.group == "fetch")
def command(text: str, agent: str | None, folder: str | None, *, as_json_too: bool, **parameters: object) -> int:
    """Say whether robots.txt lets AGENT (default: ours) ask for URL. Exit 0 = allowed, 1 = refused."""
    from crawler.build import agent_of, ask_robots
    from crawler.report.indented import indented
    from crawler.report.robots import as_text, verdict

    try:
        url = parse(text)
    except UrlError as error:
        raise UsageError(f"{safe(text, 80)}: {error}") from None
    found: RobotsCopy | RobotsOutcome
    if folder is not None:
        from crawler.inspection import stored_robots
        from crawler.runtime.loop import terminable

        if asked := given(parameters):
            raise UsageError(f"--{next(iter(asked))} is about asking a server, and --run asks none: give one of them")
        run = RunFolder(Path(folder))
        config = run.read_facts().config  # it names the robot
        with terminable():  # a copy of the frontier may have to be removed
            stored = stored_robots(run, url)
        if stored is None:
            why = "has asked for none" if config.politeness.robots else "was started with --no-robots"
            raise UsageError(f"{run.path} holds no robots.txt of {url.origin}: the run {why}")
        found = stored
    else:
        config = configure(look_up(given(parameters)).values)
        found = ask_robots(url, config)
    said = verdict(found, url, agent or agent_of(config))
    click.echo(indented(said) if as_json_too else as_text(said, found, time.time()), nl=not as_json_too)
    return 0 if said.allowed else 1
