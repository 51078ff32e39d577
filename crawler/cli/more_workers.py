"""`--processes N`: the commands of the other workers that one command starts.

Rules
- The first process is the worker in DIR; the others join its run, in DIR/worker-2, DIR/worker-3 and so on.
- A resume of DIR starts all that have a folder there again, so that each cuts its files back to what was committed.
- Secrets that were typed in go to them in environment variables: a command line can be read by all users.
- The cores are divided among them: each has its part of the processes that read documents.
Runs on: the main thread.
"""

import os
import re
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from crawler.cli.options import Values
from crawler.cli.references import Secrets, with_variables
from crawler.core.config import OPTIONS, RunConfig
from crawler.core.errors import UsageError
from crawler.core.options import OptionKind
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime.siblings import Sibling, Siblings

_GOOD = (0, 1)  # 1 = some URLs of the run failed, which this process tells
_WORKER = re.compile(r"worker-(\d+)")


def check_processes(processes: int, config: RunConfig) -> None:
    """Refuse several processes where the run's frontier is a file, which one process uses.

    Raises:
        UsageError: it says what to do.
    """
    if processes > 1 and config.shared.frontier is None:
        raise UsageError(
            "--processes: several processes share a run in a database: give --frontier embedded:DIR, which starts a"
            " private one, or --frontier postgresql://USER@HOST/DB"
        )


def more_workers(folder: RunFolder, facts: RunFacts, processes: int, secrets: Secrets, changed: Values) -> Siblings:
    """Return the other workers to start beside the one in `folder`, so that there are so many.

    `secrets` are those of this command, and `changed` the options that were given for its workers.
    """
    begun = {path.name: path for path in _begun(folder.path)}
    fresh = (folder.path / f"worker-{number}" for number in count(2))
    paths = list(begun.values())
    while len(paths) < processes - 1:
        path = next(fresh)
        if not path.exists():
            paths.append(path)
    if not paths:
        return Siblings()
    told, variables = _flags(secrets, changed)
    if facts.config.parse.workers is None:
        told.append(f"--workers={readers(len(paths) + 1)}")
    siblings = []
    for path in paths:
        if path.name in begun:
            arguments = ["resume", str(path)]
        else:
            # Not the address of this moment: a resume finds a private database by its folder.
            database = with_variables("frontier", secrets.given["frontier"], secrets.needs)
            variables = {**variables, **database.variables}
            (name,) = database.texts
            arguments = ["join", name, "--name", facts.config.shared.name or "", "-o", str(path)]
        command = [sys.executable, "-P", "-m", "crawler", *arguments, *told, "--quiet"]
        siblings.append(Sibling(name=f"the worker in {path}", command=command, variables=_environment(variables)))
    return Siblings(siblings, _GOOD)


def readers(processes: int) -> int:
    """Return the number of processes that read documents for each of so many workers."""
    return max(1, (os.cpu_count() or 1) // processes)


def _begun(folder: Path) -> Iterator[Path]:
    """Yield the folders of the other workers that have taken part, by their number."""
    numbered = [(int(match[1]), path) for path in folder.iterdir() if (match := _WORKER.fullmatch(path.name))]
    for _, path in sorted(numbered):
        if RunFolder(path).config.exists():
            yield path


def _flags(secrets: Secrets, changed: Values) -> tuple[list[str], dict[str, str]]:
    """Return the options for the other workers as flags, and the variables that these refer to."""
    flags: list[str] = []
    variables: dict[str, str] = {}
    needed = {name: secrets.given[name] for name in secrets.needs if name != "frontier"}
    for name, value in {**changed, **needed}.items():
        if name in {"frontier", "name"}:
            continue
        if OPTIONS[name].help.kind is OptionKind.FLAG:
            flags.append(f"--{name}" if value else f"--no-{name}")
            continue
        given = with_variables(name, value, secrets.needs)
        variables.update(given.variables)
        flags += [f"--{name}={text}" for text in given.texts]
    return flags, variables


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables with the place of this package, which may be in no folder that Python looks in."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**variables, "PYTHONPATH": os.pathsep.join(paths)}
