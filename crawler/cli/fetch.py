"""`crawler fetch`: a list of URLs in, every one accounted for."""

from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

import click

from crawler.cli.options import KnobCommand, given, knobs, look_up
from crawler.core.config import configure, plain_values
from crawler.core.urls import parse
from crawler.crawl.folder import RunFacts, RunFolder, read_toml
from crawler.crawl.sources import check_sources

EXAMPLES = """\b
Examples:
  crawler fetch urls.txt                        into output/<time>-urls
  crawler fetch https://example.com/ -o out     one URL
  grep -o 'http[^"]*' page | crawler fetch -    from standard input
  crawler fetch urls.txt --save - | jq .status  JSON lines on standard output
  crawler fetch urls.txt --header 'X-Key: env:KEY' --rate 5
"""


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", help="Folder of the run.  [default: output/<time>-<name>]")
@click.option("--config", "config_file", metavar="FILE", help="TOML file with any of these options.")
@click.option("--quiet", is_flag=True, help="Show nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
@knobs()
def command(sources: tuple[str, ...], **parameters: Any) -> int:
    """Fetch every URL of each SOURCE: a URL, a file with one URL per line, or - for standard input."""
    from crawler.cli.run import carry_out, check

    from_file: dict[str, Any] = {}
    if parameters["config_file"]:
        from_file = read_toml(Path(parameters["config_file"]))
        from_file.pop("run", None)
    configure(from_file, where=parameters["config_file"] or "")
    secrets = look_up({**from_file, **given(parameters)})
    config = configure(secrets.values)
    check(config, as_json_too=parameters["as_json"])
    check_sources(sources)
    folder = RunFolder(Path(parameters["output"]) if parameters["output"] else _default_folder(sources[0]))
    with folder.beginning():
        facts = RunFacts(
            command="fetch",
            sources=folder.copy_seeds(sources),
            options={**plain_values(config), **secrets.stored},
            needs=secrets.needs,
        )
        folder.write_facts(facts)
    return carry_out(folder, facts, config, quiet=parameters["quiet"], as_json_too=parameters["as_json"])


def _default_folder(source: str) -> Path:
    """A folder that is not there yet, named after the moment and what is fetched."""
    if source == "-":
        name = "stdin"
    elif "://" in source:
        name = parse(source).host
    else:
        name = Path(source).stem
    safe = "".join(c if c.isalnum() or c in ".-_" else "_" for c in name)[:60]
    first = Path("output") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{safe}"
    others = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(path for path in chain([first], others) if not path.exists())
