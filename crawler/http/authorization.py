"""The Authorization header of Basic authentication (RFC 7617) and of bearer tokens (RFC 6750).

Runs on: anywhere (pure).
"""

from base64 import b64encode


def authorization(user: tuple[str, str] | None, token: str | None) -> str | None:
    """Return the value of an Authorization header for a name and password, else for a bearer token; None = neither."""
    if user:
        return basic(*user)
    return f"Bearer {token}" if token else None


def basic(name: str, password: str) -> str:
    """Return the value of an Authorization header, in UTF-8."""
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()
