"""What to say to somebody who named a folder that holds no run: where the run may be.

Runs on: the main thread.
"""

from pathlib import Path

from crawler.core.text import safe


def no_run(path: Path) -> str:
    """Why there is no run in `path`, which has no `config.toml` of one."""
    shown = safe(str(path))
    if path.is_file():
        return f"{shown} is a file{_of_run(path.parent)}"
    if not path.is_dir():
        return f"{shown}: there is no such folder"
    if any(path.glob("*.partial")):
        return f"{shown} holds no run, only its beginning: remove it, and start again"
    if runs := sorted(config.parent for config in path.glob("*/config.toml") if _is_run(config.parent)):
        rest = f" and {len(runs) - 1} more do" if len(runs) > 1 else " does"
        return f"{shown} holds no run itself; {safe(str(runs[0]))}{rest}"
    return f"{shown} holds no run: `crawler crawl` or `crawler fetch` would begin one"


def _of_run(folder: Path) -> str:
    return f" of a run: name the folder, {safe(str(folder))}" if _is_run(folder) else ", and no folder of a run"


def _is_run(folder: Path) -> bool:
    return (folder / "config.toml").exists() and (folder / "seeds.txt").exists()
