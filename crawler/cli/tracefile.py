"""`--trace FILE`: where a run's trace is to go, found out to be possible before anything begins.

Runs on: the main thread.
"""

from pathlib import Path
from tempfile import TemporaryFile

import click

from crawler.core.errors import UsageError

_BEGINS = b'{"displayTimeUnit"'  # as traces do

trace_option = click.option(
    "--trace", metavar="FILE", help="Write what ran when, as a trace for `crawler timeline` and Perfetto."
)


def trace_file(name: str | None, folder: Path) -> Path | None:
    """The file that is named, which may lie in the run's own `folder`, be that there or not.

    Raises:
        UsageError: it cannot be written, or is there and is something else.
    """
    if name is None:
        return None
    path = Path(name)
    is_own = path.parent.resolve() == folder.resolve()
    where = _existing(path.parent) if is_own else path.parent
    if not where.is_dir():
        raise UsageError(f"--trace: {name}: there is no folder {path.parent}")
    try:
        with TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise UsageError(f"--trace: {name}: the folder {where} cannot be written: {error.strerror}") from None
    if is_own and (path.suffix != ".json" or path.name == "summary.json"):
        raise UsageError(f"--trace: {name}: in the run's own folder its name has to end with .json, as trace.json does")
    if path.exists() and not (path.is_file() and _is_trace(path)):
        raise UsageError(f"--trace: {name}: is there and is no trace; it would be lost")
    return path


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((above for above in (folder, *folder.resolve().parents) if above.exists()), folder)


def _is_trace(path: Path) -> bool:
    """An empty file may be replaced as well."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_BEGINS))
    except OSError as error:
        raise UsageError(f"--trace: {path}: {error.strerror}") from None
    return not start or start == _BEGINS
