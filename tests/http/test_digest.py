"""http.digest: the examples of the RFCs, and a strict little server."""

import hashlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.http.digest import DigestLogin, challenges, digest_challenge

RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
PASSWORD = "Circle of Life"


def _fields(header: str | None) -> dict[str, str]:
    """Return the fields of a header with the quotation marks, by a pattern that takes nothing else."""
    assert header is not None
    assert header.startswith("Digest ")
    pattern = re.compile(r'([a-z*]+)=("(?:[^"\\]|\\.)*"|[^", ]+)(?:, |\Z)')
    assert not pattern.sub("", header[7:])
    return {match[1]: match[2] for match in pattern.finditer(header[7:])}


def test_the_example_of_rfc_7616_is_answered() -> None:
    """Of MD5 and SHA-256 the stronger one is chosen; the figures are those of section 3.9.1."""
    responses = {}
    for names in (["MD5"], ["MD5", "SHA-256"]):
        login = DigestLogin("Mufasa", PASSWORD)
        assert login.authorization("GET", "/dir/index.html") is None
        assert login.learn([RFC_7616.format(name) for name in names], CNONCE) is not None
        fields = _fields(login.authorization("GET", "/dir/index.html"))
        responses[fields["algorithm"]] = fields["response"].strip('"')

    assert responses == {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    assert fields | {"response": ""} == {
        "username": '"Mufasa"',
        "realm": '"http-auth@example.org"',
        "nonce": '"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"',
        "uri": '"/dir/index.html"',
        "response": "",
        "algorithm": "SHA-256",
        "opaque": '"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        "qop": "auth",
        "nc": "00000001",
        "cnonce": f'"{CNONCE}"',
    }


@pytest.mark.parametrize(
    ("qop", "response"),
    [(', qop="auth,auth-int"', "6629fae49393a05397450978507c4ef1"), ("", "670fd8c2df070c60b045671b8b24ff02")],
)
def test_the_example_of_rfc_2617_is_answered(qop: str, response: str) -> None:
    """The figures are those of section 3.5, and of its form without qop, which sends no count."""
    login = DigestLogin("Mufasa", "Circle Of Life")
    login.learn([f'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"{qop}'], "0a4f113b")

    fields = _fields(login.authorization("GET", "/dir/index.html"))

    assert fields["response"] == f'"{response}"'
    assert "algorithm" not in fields
    assert ("nc" in fields, "cnonce" in fields) == (bool(qop), bool(qop))


def test_the_example_with_a_hashed_name_is_answered() -> None:
    """SHA-512/256, UTF-8 and userhash, section 3.9.2 with the figures of its erratum 4897."""
    login = DigestLogin("J\u00e4s\u00f8n Doe", "Secret, or not?")
    challenge = (
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    login.learn([challenge], "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v")

    fields = _fields(login.authorization("GET", "/doe.json"))

    assert fields["username"] == '"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"'
    assert fields["response"] == '"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"'
    assert fields["userhash"] == "true"


class StrictServer:
    """A server that knows one name, and computes each response by itself from what it sent and received."""

    def __init__(self, name: str, password: str, algorithm: str, qop: str) -> None:
        self.name, self.password, self.algorithm, self.qop = name, password, algorithm, qop
        self.realm = 'the "realm" \\ of ä'
        self.nonces = 0
        self.count = 0
        self.first: tuple[str, str] | None = None

    def challenge(self, *, stale: bool = False) -> str:
        """Return a WWW-Authenticate header with a fresh nonce."""
        self.nonces += 1
        self.count = 0
        self.first = None
        realm = self.realm.replace("\\", "\\\\").replace('"', '\\"').encode().decode("latin-1")
        return (
            f'Basic realm="old", Digest realm="{realm}", nonce="n{self.nonces}", algorithm={self.algorithm}, '
            f'qop="{self.qop}", stale={stale}'
        )

    def accepts(self, header: str | None, method: str, target: str, body: bytes) -> bool:
        """Return whether an Authorization header proves the password for this request."""
        fields = _fields(header)
        given = {name: re.sub(r"\\(.)", r"\1", value.strip('"')) for name, value in fields.items()}
        self.count += 1
        assert given["realm"] == self.realm
        assert given["nonce"] == f"n{self.nonces}"
        assert given["uri"] == target
        assert given["nc"] == f"{self.count:08x}"
        assert [fields[name][0] == '"' for name in ("qop", "nc", "algorithm")] == [False] * 3
        self.first = self.first or (given["nonce"], given["cnonce"])

        def h(*parts: str) -> str:
            return hashlib.new(
                {"MD5": "md5", "SHA": "sha256"}[self.algorithm[:3]], ":".join(parts).encode()
            ).hexdigest()

        a1 = h(self.name, self.realm, self.password)
        if self.algorithm.endswith("-sess"):
            a1 = h(a1, *self.first)
        a2 = [method, target]
        if given["qop"] == "auth-int":
            a2.append(hashlib.new({"MD5": "md5", "SHA": "sha256"}[self.algorithm[:3]], body).hexdigest())
        wanted = h(a1, given["nonce"], given["nc"], given["cnonce"], given["qop"], h(*a2))
        return given["response"] == wanted


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_strict_server_accepts_every_request(algorithm: str, qop: str) -> None:
    """Counts go up with each request, and begin anew with a fresh nonce."""
    server = StrictServer("ä: user", 'pass"word', algorithm, qop)
    login = DigestLogin("ä: user", 'pass"word')
    for stale in (False, True):
        challenge = login.learn([server.challenge(stale=stale)], f"random {stale}")
        assert challenge is not None
        assert challenge.is_stale is stale
        assert login.needs_body is (qop == "auth-int")
        for target in ("/", "/a?b=%22", "/c"):
            assert server.accepts(login.authorization("POST", target, b"body"), "POST", target, b"body")

    assert not server.accepts(_first_answer(server, "wrong"), "POST", "/", b"body")


def _first_answer(server: StrictServer, password: str) -> str | None:
    """Return what a login with this password sends first."""
    login = DigestLogin(server.name, password)
    login.learn([server.challenge()], "c")
    return login.authorization("POST", "/", b"body")


def test_a_name_beyond_ascii_is_sent_as_the_server_reads_it() -> None:
    """With charset=UTF-8 it is sent in the extended form (RFC 7616, 3.4), else as it is."""
    for charset, field in ((", charset=utf-8", "username*=UTF-8''%C3%A4%20b"), ("", 'username="ä b"')):
        login = DigestLogin("ä b", "p")
        login.learn([f'Digest realm="r", nonce="n"{charset}'], "c")
        assert f"Digest {field}, " in (login.authorization("GET", "/") or "")


def test_the_same_nonce_goes_on_counting() -> None:
    """A challenge that repeats its nonce does not make a count appear twice (RFC 7616, 3.4)."""
    login = DigestLogin("u", "p")
    for count in ("00000001", "00000002"):
        login.learn(['Digest realm="r", nonce="n", qop="auth"'], "c")
        assert _fields(login.authorization("GET", "/"))["nc"] == count


def test_challenges_are_read_from_any_number_of_headers() -> None:
    """A comma separates challenges and parameters alike; token68 and schemes without parameters are no trouble."""
    assert challenges(
        [
            'Negotiate, NTLM TlRMTVNTUAAB==, Basic realm="a, b=\\"c\\"" , charset = UTF-8',
            'DIGEST Realm="x",nonce=n1 ,,REALM="second"',
            'Digest realm="y" garbage, nonce="n2", "stray", =, opaque="open',
        ]
    ) == [
        ("negotiate", {}),
        ("ntlm", {}),
        ("basic", {"realm": 'a, b="c"', "charset": "UTF-8"}),
        ("digest", {"realm": "x", "nonce": "n1"}),
        ("digest", {"nonce": "n2"}),
    ]


@pytest.mark.parametrize(
    "value",
    [
        *("", "Digest", 'Basic realm="r"', 'Digest realm="r"', 'Digest nonce="n"', 'realm="r", nonce="n"'),
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        'Digest realm="r", nonce="n", qop="new"',
        'Digest realm="r\r\nX: y", nonce="n"',
        'Digest realm="r", nonce="n\0"',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_none(value: str) -> None:
    """An unknown algorithm or qop, a missing parameter and control characters get no answer."""
    login = DigestLogin("u", "p")

    assert login.learn([value], "c") is None
    assert login.authorization("GET", "/") is None


@given(st.lists(st.text('Digest realm="ö\\,=\t\r\n\0') | st.text(), max_size=3))
def test_any_header_is_read(values: list[str]) -> None:
    """No text raises, and no answer can break out of its header."""
    login = DigestLogin("u", "p")
    login.learn(['Digest realm="r", nonce="n"', *values], "c")

    assert not re.search(r"[\0-\x1f\x7f]", login.authorization("GET", "/") or "")


@pytest.mark.parametrize("piece", ["a ", 'a="', "a=", '"\\', "a=b,", "a,", " ", "a"])
def test_a_long_header_costs_little(piece: str) -> None:
    """A megabyte of the worst is read in a moment, and few challenges of it."""
    started = time.process_time()

    assert len(challenges(["Digest " + piece * (1_000_000 // len(piece))])) <= 16
    assert time.process_time() - started < 1


def test_a_name_with_a_line_end_is_refused() -> None:
    """It would be another header."""
    with pytest.raises(UsageError, match="control characters"):
        DigestLogin("a\r\nb", "p")


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    """A realm in latin-1 is hashed and sent in the bytes that the server sent."""
    found = digest_challenge(['Digest realm="\xe4", nonce="n"'])

    assert found is not None
    assert found.realm.encode("utf-8", "surrogateescape") == b"\xe4"
