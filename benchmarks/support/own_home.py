"""Other tools in folders of their own below the user's cache, each made when it is first needed.

None of them is a dependency of the project. A version that is named is pinned: another one gets another folder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crawler-benchmarks"


def from_pypi(name: str, program: str, *packages: str) -> Path | str:
    """Return a program of a virtual environment with these packages; a text = what went wrong."""
    home = _HOME / name
    found = home / "bin" / program
    steps = ([sys.executable, "-m", "venv", "--clear", str(home)], [str(home / "bin" / "pip"), "-q", "install"])
    return found if found.exists() else _made(found, [steps[0], [*steps[1], *packages]])


def from_npm(name: str, module: str, *packages: str) -> Path | str:
    """Return a folder or file of the node modules of these packages; a text = what went wrong."""
    home = _HOME / name
    found = home / "node_modules" / module
    if found.exists():
        return found
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "on Debian: apt-get install nodejs npm"
    home.mkdir(parents=True, exist_ok=True)
    return _made(found, [["npm", "install", "--silent", "--prefix", str(home), *packages]])


def _made(found: Path, steps: Sequence[Sequence[str]]) -> Path | str:
    for step in steps:
        done = subprocess.run(step, check=False, capture_output=True, text=True)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["no word"]
            return f"it cannot be installed below {_HOME}: {words[-1][:200]}"
    return found if found.exists() else f"{found} is missing after its installation"
