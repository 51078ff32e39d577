"""`files/`: the content of each page as a plain file that a browser opens, named after its URL.

Rules
- Only a content with a status in the 200s is kept, as by wget. A file holds exactly the bytes that `bytes` and `sha256`
  of its line describe.
- A file is whole or not there: it is written in `.partial/` and synced before it gets its name, and its folder and all
  folders above are synced before the commit.
- A name is one URL's alone (`sinks.file_names`), so a refetch overwrites and nothing needs to be rewound. A file that
  no line of `pages.jsonl` names is of a visit that was never committed; a kill leaves at most one group of them.
- Nothing is written elsewhere: each folder is opened from the one above, and a link in its place is an error. Files
  that others put into the folder stay; only `.partial/` is cleared.
Strategy: the kernel is told to write each file out at once, so that the syncs of a whole group share its transactions.
Runs on: the storage thread.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from crawler.core.visits import Visit
from crawler.http.content_codings import content_steps
from crawler.run.disk import datasync, disk_gate, write_all
from crawler.sinks.file_names import file_name

_PARTIAL = ".partial"  # no URL's file or folder starts with a dot
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FilesSink:
    """Sink of the folder `files` in a run's folder. It comes before the sink of the lines, which name each file."""

    NAME = "files"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = self._partial = -1
        self._staged: list[PurePosixPath] = []  # the n-th is to be the name of `.partial/n`

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Open the folder, remove files that never got their names, and make the entry of a new folder safe."""
        self.close()
        with ExitStack() as stack, disk_gate(self.NAME):
            run = os.open(self._folder, _FOLDER)
            stack.callback(os.close, run)
            self._root = _enter(run, self.NAME)
            self._partial = _enter(self._root, _PARTIAL)
            for name in os.listdir(self._partial):  # noqa: PTH208 - it is open, and a path could lead elsewhere
                os.unlink(name, dir_fd=self._partial)
            os.fsync(run)

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the contents that are kept, still without their names; the returned records tell the names."""
        return [self._stage(visit) for visit in visits]

    def sync(self) -> Mapping[str, int]:
        """Wait until the disk holds the files under their names; there is no length to remember."""
        for number, path in enumerate(self._staged):
            with disk_gate(f"{self.NAME}/{path}"):
                descriptor = os.open(str(number), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._partial)
                try:
                    datasync(descriptor)
                finally:
                    os.close(descriptor)
        for number, path in enumerate(self._staged):
            with disk_gate(f"{self.NAME}/{path}"), self._opened(path.parent) as folder:
                os.rename(str(number), path.name.encode(), src_dir_fd=self._partial, dst_dir_fd=folder)
        # All of them: one that was there already may be of a life that was killed before it was safe.
        for above in {parent for path in self._staged for parent in path.parents}:
            with disk_gate(f"{self.NAME}/{above}"), self._opened(above) as folder:
                os.fsync(folder)
        self._staged.clear()
        return {}

    def close(self) -> None:
        """Close the folder; closing twice is fine."""
        with suppress(OSError):  # after a failure it is not empty, and the next rewind clears it
            os.rmdir(_PARTIAL, dir_fd=self._root)
        for descriptor in (self._root, self._partial):
            if descriptor >= 0:
                os.close(descriptor)
        self._root = self._partial = -1
        self._staged.clear()

    def _stage(self, visit: Visit) -> Visit:
        record = visit.record
        if visit.content is None or record is None or record.status is None or record.status // 100 != 2:
            return visit
        name = file_name(visit.request.url, record.content_type)
        path = f"{self.NAME}/{name}"
        with disk_gate(path):
            descriptor = os.open(str(len(self._staged)), _NEW_FILE, 0o644, dir_fd=self._partial)
            try:
                for piece in content_steps(visit.content):
                    write_all(descriptor, piece)
                if hasattr(os, "posix_fadvise"):  # macOS has none
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # the only one that starts the writing
            finally:
                os.close(descriptor)
        self._staged.append(PurePosixPath(name))
        return replace(visit, record=replace(record, file=path))

    @contextmanager
    def _opened(self, folder: PurePosixPath) -> Iterator[int]:
        with ExitStack() as stack:
            descriptor = self._root
            for part in folder.parts:
                descriptor = _enter(descriptor, part)
                stack.callback(os.close, descriptor)
            yield descriptor


def _enter(above: int, name: str) -> int:
    """Open a folder by its name in another, or make it; never through a link."""
    raw = name.encode()  # else Python takes the locale's encoding, which may lack a letter
    try:
        return os.open(raw, _FOLDER, dir_fd=above)
    except FileNotFoundError:
        os.mkdir(raw, dir_fd=above)
        return os.open(raw, _FOLDER, dir_fd=above)
