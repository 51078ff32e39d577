"""Work like that of a disk: slow, in groups, on one thread."""

import asyncio
import threading


class Disk:
    """Fake work: notes its groups, and waits at a gate that the test opens."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.groups: list[list[int]] = []
        self.threads: set[str] = set()
        self.gate = threading.Semaphore(10**6 if is_open else 0)
        self.loop = asyncio.get_running_loop()
        self.began = asyncio.Event()
        self.error: Exception | None = None

    def work(self, items: list[int]) -> int:
        """Blocks like a disk; returns how many items it took."""
        self.loop.call_soon_threadsafe(self.began.set)
        self.gate.acquire()
        if self.error is not None:
            raise self.error
        self.threads.add(threading.current_thread().name)
        self.groups.append(items)
        return len(items)

    @property
    def items(self) -> list[int]:
        """Everything worked on, in order."""
        return [item for group in self.groups for item in group]
