"""Tunnels: the way through an HTTP proxy, which is asked by CONNECT (RFC 9110, 9.3.6).

Rules
- The proxy hears the target's host and port, the user agent and its own credentials, and no header of the request.
- Any 2xx opens the tunnel, which begins behind the head of that answer, whatever length the head claims.
Runs on: the event loop.
"""

from crawler.core.errors import FetchError
from crawler.core.text import safe
from crawler.core.urls import Url
from crawler.downloader.proxy_line import ProxyLine, spoke_early
from crawler.http.framing import ResponseReader

_ADVICE = {
    403: "its rules forbid this host or port: ask its operator",
    407: "put the user name and password into its URL, as in http://user:password@localhost:3128",
}


async def open_tunnel(line: ProxyLine, url: Url, user_agent: str) -> None:
    """Let the proxy connect the line with the host of `url`.

    Raises:
        FetchError: PROXY_FAILED, the proxy refuses, or its answer is none; PROTOCOL_ERROR, more than an answer came.
    """
    where = url.host_port
    headers = (("Host", where), ("User-Agent", user_agent), *line.proxy.headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    line.write(f"CONNECT {where} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape"))
    reader = ResponseReader(bodiless=True)
    while reader.head is None:
        data = await line.some()
        try:
            reader.feed(data)
        except FetchError as error:
            raise line.proxy.failed(f"does not answer as an HTTP proxy: {error}; check its scheme and port") from error
    status = reader.head.status
    if status // 100 != 2:
        advice = _ADVICE.get(status, "the host may be down: try it without the proxy")
        raise line.proxy.failed(f"did not connect to {where}: {status} {safe(reader.head.phrase, 200)}; {advice}")
    if reader.surplus:
        raise spoke_early(where)
