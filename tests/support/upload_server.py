"""A server that receives bodies, of a stated length or chunked, and answers with their size."""

import asyncio

from support.path_server import response


class UploadServer:
    """Receives uploads; `bodies` holds those that came in full, and `heads` the heads of all requests.

    Attributes:
        answers: for the n-th request; the last one for ever. None = the size of its body.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.broken = 0
        self._answers = answers or (None,)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            answer = self._answers[min(len(self.heads), len(self._answers) - 1)]
            self.heads.append(head)
            try:
                body = await received(head, reader)
            except asyncio.IncompleteReadError:
                self.broken += 1
                raise
            self.bodies.append(body)
            writer.write(response(b"%d" % len(body)) if answer is None else answer)


async def received(head: str, reader: asyncio.StreamReader) -> bytes:
    """Return the body of the request that begins with this head."""
    if "\r\nTransfer-Encoding: chunked\r\n" not in head:
        length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
        return await reader.readexactly(length)
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return body
