"""Packages of Debian that a benchmark needs: installed where this is possible, named where it is not."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.support.programs import nginx_program

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")


def prepare_nginx(root: Path) -> None:
    """See to it that there are nginx and the folder that it serves; without them the benchmark ends with code 2."""
    install(
        {"nginx-light": nginx_program() is not None, "python3.11-doc": root != DOCUMENTATION or DOCUMENTATION.is_dir()}
    )
    if nginx_program() is None or not root.is_dir():
        print(f"{root} or nginx is missing; on Debian 12: apt-get install nginx-light python3.11-doc", file=sys.stderr)
        sys.exit(2)


def install(packages: dict[str, bool]) -> None:
    """Install the missing packages, as root, and say so."""
    missing = [package for package, is_there in packages.items() if not is_there]
    if missing and os.geteuid() == 0:
        quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", "-qq", *step], check=False, env=quietly, stdout=subprocess.DEVNULL)
