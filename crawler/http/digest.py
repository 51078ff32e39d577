"""Digest authentication: the answer to a server's challenge, which proves the password without sending it (RFC 7616).

Rules
- Of all challenges the strongest that is known is answered: SHA-512-256, SHA-256, MD5; Basic and others are left out.
- `auth` is answered where it is offered, else `auth-int`, which needs the body; without either as RFC 2617 says.
- A challenge that is stale asks for the same request again; any other one, after an answer, says that the name or the
  password is wrong.
- Bytes of the challenge come back as they were, quoted; one with a control character is no challenge.
- At most 16 KiB of a header and 16 challenges are read. Of a parameter that is given twice the first counts.
Runs on: anywhere (pure); `cnonce` is a random text that the caller draws for each challenge.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from crawler.core.errors import UsageError

MAX_HEADER = 16 * 1024
MAX_CHALLENGES = 16

_ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}  # the strongest first
_STRENGTHS = [name for name, algorithm in _ALGORITHMS.items() if algorithm in hashlib.algorithms_available]
_SESSION = "-SESS"

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER = re.compile(rf'({_NAME})[ \t]*+=[ \t]*+(?:({_NAME})|"((?:[^"\\]|\\.)*+)")[ \t]*+(?=,|\Z)', re.DOTALL)
_SCHEME = re.compile(rf"({_NAME})(?=[ \t,]|\Z)(?:[ \t]++[A-Za-z0-9._~+/-]++=*+[ \t]*+(?=,|\Z))?")  # with a token68
_BETWEEN = re.compile(r"[ \t,]*+")
_OTHER = re.compile(r"[^,]++")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Parameters = dict[str, str]


class DigestChallenge(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge that can be answered.

    Attributes:
        algorithm: as the server wrote it; None = it did not, which means MD5.
        qop: "auth" or "auth-int"; None = the server knows neither.
        is_stale: the answer before was right, and its nonce too old.
        hashes_name: the name is sent as a hash.
        is_utf8: the server reads names in UTF-8.
    """

    realm: str
    nonce: str
    opaque: str | None
    algorithm: str | None
    qop: str | None
    is_stale: bool
    hashes_name: bool
    is_utf8: bool

    @property
    def strength(self) -> int:
        """Return the place of its algorithm, 0 the strongest."""
        return _STRENGTHS.index((self.algorithm or "MD5").upper().removesuffix(_SESSION))

    @property
    def is_session(self) -> bool:
        """Return whether the secret is hashed once for all requests with this nonce."""
        return (self.algorithm or "").upper().endswith(_SESSION)

    def digest(self, *texts: str | bytes) -> str:
        """Return the hash of the texts, joined by colons, in hexadecimal."""
        found = hashlib.new(_ALGORITHMS[_STRENGTHS[self.strength]], usedforsecurity=False)
        found.update(b":".join(_bytes(text) for text in texts))
        return found.hexdigest()


class DigestLogin:
    """A name and a password for one server; `learn` its challenge, then send `authorization` with each request."""

    def __init__(self, name: str, password: str) -> None:
        if _CONTROL.search(name):
            raise UsageError("auth: a name for Digest authentication has no control characters: leave them out")
        self._name = name
        self._password = password
        self._challenge: DigestChallenge | None = None
        self._cnonce = ""
        self._count = 0

    def __repr__(self) -> str:
        return f"<DigestLogin of {self._name!r}, {self._count} requests>"

    def learn(self, header_values: Iterable[str], cnonce: str) -> DigestChallenge | None:
        """Take the challenge of an answer 401, of its WWW-Authenticate headers; None = there is none to be answered.

        The request makes sense again if it was sent without an answer, or the challenge is stale.
        """
        challenge = digest_challenge(header_values)
        if challenge is not None:
            if self._challenge is None or challenge.nonce != self._challenge.nonce:
                self._cnonce, self._count = cnonce, 0
            self._challenge = challenge
        return challenge

    @property
    def needs_body(self) -> bool:
        """Return whether the answer covers the body, so that `authorization` needs its bytes."""
        return self._challenge is not None and self._challenge.qop == "auth-int"

    def authorization(self, method: str, target: str, body: bytes = b"") -> str | None:
        """Return the value of the Authorization header for the next request; None = there was no challenge yet.

        `target` is as in the request line; `body` counts where `needs_body`.
        """
        if (challenge := self._challenge) is None:
            return None
        self._count += 1
        count = f"{self._count:08x}"
        digest, nonce = challenge.digest, challenge.nonce
        secret = digest(self._name, challenge.realm, self._password)
        if challenge.is_session:
            secret = digest(secret, nonce, self._cnonce)
        covered = (digest(body),) if challenge.qop == "auth-int" else ()
        asked = digest(method, target, *covered)
        counted = (count, self._cnonce, challenge.qop) if challenge.qop else ()
        fields = [
            self._username(challenge),
            f"realm={_quoted(challenge.realm)}",
            f"nonce={_quoted(nonce)}",
            f"uri={_quoted(target)}",
            f'response="{digest(secret, nonce, *counted, asked)}"',
        ]
        if challenge.algorithm is not None:
            fields.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            fields.append(f"opaque={_quoted(challenge.opaque)}")
        if challenge.qop:
            fields += (f"qop={challenge.qop}", f"nc={count}")
        if challenge.qop or challenge.is_session:
            fields.append(f"cnonce={_quoted(self._cnonce)}")
        if challenge.hashes_name:
            fields.append("userhash=true")
        return "Digest " + ", ".join(fields)

    def _username(self, challenge: DigestChallenge) -> str:
        if challenge.hashes_name:
            return f'username="{challenge.digest(self._name, challenge.realm)}"'
        if challenge.is_utf8 and not self._name.isascii():
            return f"username*=UTF-8''{quote(self._name, safe='')}"
        return f"username={_quoted(self._name)}"


def digest_challenge(header_values: Iterable[str]) -> DigestChallenge | None:
    """Return the strongest Digest challenge that can be answered; None = there is none."""
    known = [
        challenge
        for scheme, parameters in challenges(header_values)
        if scheme == "digest" and (challenge := _challenge(parameters)) is not None
    ]
    return min(known, key=lambda challenge: challenge.strength, default=None)


def challenges(header_values: Iterable[str]) -> list[tuple[str, Parameters]]:
    """Return scheme and parameters of each challenge, the names in lower case (RFC 9110, 11.6.1)."""
    found: list[tuple[str, Parameters]] = []
    for value in header_values:
        for name, parameter in _items(value[:MAX_HEADER]):
            if parameter is not None:
                if found:
                    found[-1][1].setdefault(name, parameter)
            elif len(found) == MAX_CHALLENGES:
                return found
            else:
                found.append((name, {}))
    return found


def _items(value: str) -> Iterator[tuple[str, str | None]]:
    """Yield the schemes (None) and parameters of a header in order; what is neither is left out, up to a comma."""
    at = 0
    while (at := _end(_BETWEEN.match(value, at))) < len(value):
        if match := _PARAMETER.match(value, at):
            name, token, quoted = match.groups()
            yield name.lower(), token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        elif match := _SCHEME.match(value, at):
            yield match[1].lower(), None
        else:
            match = _OTHER.match(value, at)
        at = _end(match)


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # noqa: S101 - the pattern matches at each place where it is asked
    return match.end()


def _challenge(parameters: Parameters) -> DigestChallenge | None:
    """Return the challenge of these parameters; None = it is damaged, or its algorithm or qop is unknown."""
    algorithm = parameters.get("algorithm")
    qop = _qop(parameters.get("qop", ""))
    if (algorithm or "MD5").upper().removesuffix(_SESSION) not in _STRENGTHS or qop == "":
        return None
    if not {"realm", "nonce"} <= parameters.keys() or any(map(_CONTROL.search, parameters.values())):
        return None
    opaque = parameters.get("opaque")
    return DigestChallenge(
        realm=_as_received(parameters["realm"]),
        nonce=_as_received(parameters["nonce"]),
        opaque=None if opaque is None else _as_received(opaque),
        algorithm=algorithm,
        qop=qop,
        is_stale=parameters.get("stale", "").lower() == "true",
        hashes_name=parameters.get("userhash", "").lower() == "true",
        is_utf8=parameters.get("charset", "").upper() == "UTF-8",
    )


def _qop(value: str) -> str | None:
    """Return the quality of protection to be answered; None = none is offered, empty = all are unknown."""
    offered = [name for name in (name.strip().lower() for name in value.split(",")) if name]
    return next((name for name in ("auth", "auth-int") if name in offered), "" if offered else None)


def _as_received(value: str) -> str:
    """Return the text that is sent, in UTF-8, as the bytes of a header that was read as latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value  # it was never bytes


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
