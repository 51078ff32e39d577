"""Workers of one shared run in processes of their own, which a test kills, stops and lets go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

LEASE = 2.0  # seconds
_POLL = 0.02  # another process's death sends no event
_STARTS = 60.0  # seconds that the first worker may take to begin the run


@dataclass
class Worker:
    """One worker: its folder, and its process while it has one.

    Attributes:
        codes: exit codes of its processes so far; negative = the signal that ended it.
        begins_at: the moment at which it is to be started again; None = it works, or is at its end.
        goes_on_at: the moment at which it is to go on after SIGSTOP; None = it is not stopped.
    """

    folder: Path
    command: Sequence[str]
    environment: Mapping[str, str]
    codes: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    begins_at: float | None = None
    goes_on_at: float | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its process, which goes on in the folder if the last one came so far."""
        arguments = ["resume", str(self.folder)] if (self.folder / "config.toml").exists() else self._fresh()
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "crawler", *arguments, "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        self.groups.append(self.process.pid)
        self.begins_at = self.goes_on_at = None

    def _fresh(self) -> Sequence[str]:
        for file in self.folder.glob("*"):  # killed before it took part: nothing was promised yet
            file.unlink()
        return self.command

    @property
    def works(self) -> bool:
        """Return whether its process runs, and is not stopped."""
        return self.process is not None and self.goes_on_at is None

    def send(self, kind: signal.Signals) -> None:
        """Send a signal to its main process alone: its children have to notice."""
        if self.process is not None:
            self.process.send_signal(kind)

    def told(self) -> str:
        """Return what its processes wrote to the terminal."""
        return self.folder.with_suffix(".log").read_text("utf-8", "replace")


class Crew:
    """Workers of the run that `begin` (`crawl` or `fetch` with its arguments) begins in the database `dsn`.

    Attributes:
        workers: the first has begun the run, the others join it.
        unexpected: how each process ended that did not end as it should.
        goes_on: is called with each worker that was stopped, just before it goes on.
    """

    def __init__(
        self,
        folder: Path,
        dsn: str,
        begin: Sequence[str],
        *,
        size: int,
        options: Sequence[str] = (),
        lease: float = LEASE,
        environments: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        folder.mkdir()
        first = [*begin, "--frontier", dsn, "--name", "run", "--lease", str(lease)]
        commands = [first, *[["join", dsn, "--name", "run"]] * (size - 1)]
        self.workers = [
            Worker(
                path := folder / f"w{number}",
                [*command, "-o", str(path), *options],
                (environments or {}).get(number, {}),
            )
            for number, command in enumerate(commands, 1)
        ]
        self.unexpected: list[str] = []
        self.goes_on: Callable[[Worker], object] = lambda _worker: None
        self._may_end: set[int] = {0}

    @property
    def folders(self) -> list[Path]:
        """Return the folders of the workers that took part."""
        return [worker.folder for worker in self.workers if (worker.folder / "config.toml").exists()]

    def may_end(self, *codes: int) -> None:
        """Let processes end with these codes, too; such a worker is started again at once."""
        self._may_end.update(codes)

    def begin(self) -> None:
        """Start all workers; the others as soon as the first has begun the run."""
        first, *others = self.workers
        first.start()
        until = time.monotonic() + _STARTS
        while not (first.folder / "config.toml").exists():
            if time.monotonic() > until or (first.process and first.process.poll()):
                raise AssertionError(f"the run does not begin: {first.told()}")
            time.sleep(_POLL)
        for worker in others:
            worker.start()

    def live(self, chance: Random, fault: Callable[[], bool], pauses: tuple[float, float], seconds: float) -> bool:
        """Call `fault` after pauses of random lengths until all workers are at their end; False = one hangs.

        `fault` returns whether there may be another one.
        """
        until, due, goes_on = time.monotonic() + seconds, 0.0, True
        while self._turn():
            now = time.monotonic()
            if now > until:
                self.end()
                return False
            if due and goes_on and now >= due:
                goes_on, due = fault(), 0.0
            due = due or time.monotonic() + chance.uniform(*pauses)
            time.sleep(_POLL)
        return True

    def _turn(self) -> bool:
        """Start and continue whom it is time for; return whether a worker is not yet at its end."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.goes_on_at is not None and now >= worker.goes_on_at:
                self.goes_on(worker)
                worker.send(signal.SIGCONT)
                worker.goes_on_at = None
            if worker.process is not None and (code := worker.process.poll()) is not None:
                self._ended(worker, code, now)
            if worker.begins_at is not None and now >= worker.begins_at:
                worker.start()
        return any(worker.process is not None or worker.begins_at is not None for worker in self.workers)

    def _ended(self, worker: Worker, code: int, now: float) -> None:
        worker.codes.append(code)
        worker.process = None
        if code not in self._may_end and worker.begins_at is None:  # who was killed is started again
            self.unexpected.append(f"{worker.folder.name} ended with {code}: {worker.told()[-2000:]}")
        if code and worker.begins_at is None:
            worker.begins_at = now

    def kill(self, worker: Worker, *, after: float) -> None:
        """End a worker's main process by SIGKILL; it is started again so many seconds later."""
        worker.begins_at = time.monotonic() + after
        worker.send(signal.SIGKILL)

    def interrupt(self, worker: Worker, *, after: float) -> None:
        """End a worker in order, by Ctrl-C; it is started again so many seconds later."""
        worker.begins_at = time.monotonic() + after
        worker.send(signal.SIGINT)

    def stop(self, worker: Worker, *, seconds: float) -> None:
        """Let a worker sleep for so long."""
        worker.goes_on_at = time.monotonic() + seconds
        worker.send(signal.SIGSTOP)

    def end(self) -> None:
        """End whatever still runs, and hand over nothing."""
        for worker in self.workers:
            worker.begins_at = worker.goes_on_at = None
            if worker.process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(worker.process.pid, signal.SIGKILL)
                worker.process.wait()
                worker.process = None
