"""An answer, as a script of users sees it.

Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from crawler.core.messages import HeaderFields
from crawler.encoding.decode import text
from crawler.encoding.detect import of_response


@dataclass(frozen=True, kw_only=True)
class LoadAnswer:
    """One whole answer.

    Attributes:
        seconds: from sending to the end of the answer.
        content: the body without its content codings.
    """

    status: int
    fields: HeaderFields
    content: bytes
    seconds: float

    def __repr__(self) -> str:
        return f"<LoadAnswer {self.status}, {len(self.content):,} bytes>"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, by names in lower case; several of a name are joined with commas."""
        found: dict[str, str] = {}
        for name, value in self.fields:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
        return found

    @property
    def is_good(self) -> bool:
        """Return whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """Return the body as text, by its byte order mark, the charset of its Content-Type, or its bytes."""
        return text(self.content, of_response(self.headers.get("content-type"), self.content))

    def json(self) -> Any:
        """Return the body's JSON as plain values.

        Raises:
            ValueError: the body is no JSON.
        """
        return msgspec.json.decode(self.content)
