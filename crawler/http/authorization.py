"""The Authorization header of HTTP Basic authentication (RFC 7617).

Runs on: anywhere (pure).
"""

from base64 import b64encode


def basic(name: str, password: str) -> str:
    """Return the value of an Authorization header, in UTF-8."""
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()
