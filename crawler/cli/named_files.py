"""Files that options name (`--html FILE`, `--csv FILE`), checked before the work and written when it is done.

Rules
- Two options never name one file: the second would replace the first.
- A file is written whole: its former content stays until the new one is on the disk. A pipe or a device is written as
  it is.
- A failure to write names the option and the file; the report has been printed by then.
Runs on: the main thread.
"""

from collections.abc import Mapping
from pathlib import Path

from crawler.cli.options import writable
from crawler.core.errors import StorageError, UsageError
from crawler.run.disk import write_whole


class NamedFiles:
    """The files that these options name; None = the option is not given."""

    def __init__(self, names: Mapping[str, str | None]) -> None:
        """Check the files.

        Raises:
            UsageError: one cannot be written, or two are the same.
        """
        self._paths: dict[str, Path] = {}
        for option, name in names.items():
            path = writable(option, name)
            other = next((known for known, same in self._paths.items() if same == path), None)
            if other is not None:
                raise UsageError(f"--{option}: {name}: --{other} writes this file, too; give another one")
            if path is not None:
                self._paths[option] = path

    def __contains__(self, option: str) -> bool:
        return option in self._paths

    def write(self, option: str, text: str) -> None:
        """Write the option's file.

        Raises:
            StorageError: the disk failed.
        """
        path = self._paths[option]
        try:
            if path.exists() and not path.is_file():
                path.write_bytes(text.encode())
            else:
                write_whole(path, [text.encode()])
        except (StorageError, OSError) as error:
            cause = error.__cause__ if isinstance(error, StorageError) else error
            reason = cause.strerror if isinstance(cause, OSError) else error
            raise StorageError(f"--{option}: {path}: {reason}; the file was not written") from error
