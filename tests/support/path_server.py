"""A server that answers by path, in literal bytes, and notes its requests, bodies included."""

import asyncio


def response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole response; headers are lines."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def redirect_to(location: str, *headers: str, status: str = "302 Found") -> bytes:
    """Return a redirect without a body."""
    return response(b"", f"Location: {location}", *headers, status=status)


class PathServer:
    """Answers by path; `requests` holds what was asked, bodies included."""

    def __init__(self, **pages: bytes | list[bytes]) -> None:
        self.requests: list[str] = []
        self.in_flight = self.peak = 0
        self.pause = 0.0
        self._pages = {f"/{name}": list(page) if isinstance(page, list) else [page] for name, page in pages.items()}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
            self.requests.append(head + (await reader.readexactly(length)).decode())
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            if self.pause:
                await asyncio.sleep(self.pause)
            self.in_flight -= 1
            path = head.split(" ")[1]
            if head.startswith("HEAD"):
                writer.write(response())
                continue
            answers = self._pages.get(path.partition("?")[0], [response(path.encode())])
            writer.write(answers.pop(0) if len(answers) > 1 else answers[0])

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.split(" ")[1] for request in self.requests]


def url_at(where: tuple[str, int], path: str = "/") -> str:
    """Return the URL of a path on a server of this test."""
    return f"http://{where[0]}:{where[1]}{path}"
