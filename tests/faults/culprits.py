"""Attacks of a page on the process that reads it; `--extract faults.culprits:act` does what the URL says."""

import os
import signal

from crawler.parse.extract import PageSource


def act(page: PageSource) -> dict[str, str] | None:
    """Hang, crash, eat memory or stop, as the last part of the path says; any other page is fine."""
    match page.url.rpartition("/")[2]:
        case "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            while True:
                pass
        case "crash":
            os.abort()
        case "memory":
            return {"eaten": str(len(bytearray(1 << 40)))}
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise ValueError("no such thing")
    return {"path": page.url}
