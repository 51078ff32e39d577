"""The bytes of a request of a load test.

Rules
- A request is made once and sent many times.
- Its framing headers are the tool's; every other header can be replaced.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable

from crawler.core.urls import Url
from crawler.load.config import RequestConfig
from crawler.version import __version__

AGENT = f"crawler-load/{__version__}"
_FRAMING = {"content-length", "transfer-encoding", "connection"}


def message(
    asked: RequestConfig, url: Url, *, method: str, headers: Iterable[tuple[str, str]], body: bytes | None
) -> bytes:
    """Return the bytes of a request; `headers` are the target's own, and come before those of the options."""
    theirs = [(name, value) for name, value in (*headers, *asked.headers) if name.lower() not in _FRAMING]
    replaced = {name.lower() for name, _ in theirs}
    ours = [("Host", url.origin.partition("://")[2]), ("User-Agent", AGENT), ("Accept", "*/*")]
    lines = [(name, value) for name, value in ours if name.lower() not in replaced] + theirs
    if not asked.keep_alive:
        lines.append(("Connection", "close"))
    if body is not None:
        lines.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {url.target} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")
