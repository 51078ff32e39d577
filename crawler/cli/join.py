"""`crawler join`: one more worker of a run that lives in a database."""

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click
from msgspec import convert
from msgspec.structs import replace

from crawler.cli.options import RUN_FLAGS, KnobCommand, RunFlags, given, knobs, with_parameters
from crawler.cli.references import look_up
from crawler.cli.tracefile import trace_file
from crawler.core.config import OPTIONS, RUN_WIDE, configure
from crawler.core.errors import UsageError
from crawler.core.options import Option
from crawler.run.folder import RunFolder
from crawler.runtime import collector

EXAMPLES = """\b
Examples:
  crawler join postgresql://me@db/crawls              # the only run there
  crawler join postgresql://me@db/crawls --name docs -o w2
"""


def _may_differ(option: Option) -> bool:
    own = option.help.resumable or option.help.secret or option.name == "name"
    return own and option.name not in {"frontier", *RUN_WIDE}


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@click.argument("dsn", metavar="DSN")
@click.option("-o", "--output", metavar="DIR", help="Folder of this worker.  [default: output/<time>-<run>-worker]")
@with_parameters(*RUN_FLAGS)
@knobs(_may_differ, resuming=True)
def command(dsn: str, output: str | None, **parameters: object) -> int:
    """Take part in the run that lives in the database DSN, from this or another machine.

    The run's options hold; those given here hold for this worker.
    """
    with collector.paused():
        from crawler.cli.more_workers import more_workers
        from crawler.cli.run import carry_out, check
        from crawler.runtime.loop import terminable
        from crawler.sharing import SharedStore, facts_of, join_shared, reachable

    flags = convert(parameters, RunFlags)
    chosen = given(parameters)
    if fixed := next((name for name in chosen if not _may_differ(OPTIONS[name])), None):
        raise UsageError(f"--{fixed}: a worker cannot change it; the run's own value holds")
    run = chosen.get("name")
    chosen = {**chosen, "frontier": dsn}
    looked_up = look_up({"frontier": dsn})
    with ExitStack() as stack:
        database = stack.enter_context(reachable(str(looked_up.values["frontier"])))
        facts = facts_of(database, None if run is None else str(run))
        for name in facts.needs:
            if name not in chosen:
                raise UsageError(f"the run needs a secret that is not stored: give --{name} {OPTIONS[name].metavar}")
        secrets = look_up({**facts.secrets, **chosen})
        config = configure(secrets.values, base=facts.config, where="the run's options")
        check(config, flags)
        folder = RunFolder(Path(output) if output else _default_folder(config.shared.name or "run"))
        trace = trace_file(flags.trace, folder.path)
        with terminable(), folder.beginning():
            folder.write_seeds(())
            facts = replace(facts, config=config, secrets=secrets.stored, needs=secrets.needs)
            facts = join_shared(database, folder, facts)
            folder.write_facts(facts)
        others = more_workers(folder, facts, flags.processes, secrets, chosen)
        return carry_out(folder, facts, flags, trace, SharedStore(database, facts), others)


def _default_folder(run: str) -> Path:
    return Path("output") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{run}-worker"
