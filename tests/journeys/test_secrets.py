"""Secrets, as a user gives them to `crawler fetch`: sent where they belong, and never stored."""

from pathlib import Path

import pytest

from support.commands import crawler
from support.crawls import records
from support.siteserver import HandMadeSite

SECRETS = {
    "user": (("--user", "bob:hunter2"), "Authorization", "Basic Ym9iOmh1bnRlcjI="),
    "bearer": (("--bearer", "hunter2"), "Authorization", "Bearer hunter2"),
    "header": (("--header", "Authorization: hunter2"), "Authorization", "hunter2"),
    "proxy": (("--proxy", "http://bob:hunter2@127.0.0.1:{port}"), "Proxy-Authorization", "Basic Ym9iOmh1bnRlcjI="),
}


@pytest.mark.parametrize("name", SECRETS)
async def test_a_typed_secret_is_sent_and_never_stored(
    tmp_path: Path, site: HandMadeSite, listed: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """A secret goes to the named host and into no file; a resume asks for it again and sends it again."""
    (flag, value), header, sent = SECRETS[name]
    option = (flag, value.format(port=site.port))
    out = tmp_path / "out"

    codes = [await crawler("fetch", listed, "-o", out, "--max-pages", 10, *option)]
    codes.append(await crawler("resume", out, "--max-pages", 20))
    asked_for = capfd.readouterr().err
    codes.append(await crawler("resume", out, "--max-pages", 20, *option))

    assert codes == [0, 2, 0]
    assert f"give {flag} " in asked_for
    assert len(records(out)) == 20
    assert {asked.header(header) for asked in site.requests} == {sent}
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert [name for name, content in kept.items() if b"hunter2" in content or b"Ym9iOmh1bnRlcjI" in content] == []
    assert "hunter2" not in asked_for + capfd.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "sent"),
    [
        ("--user", "env:SECRET", "Basic Ym9iOmh1bnRlcjI="),
        ("--user", "file:{file}", "Basic Ym9iOmh1bnRlcjI="),
        ("--bearer", "env:SECRET", "Bearer bob:hunter2"),
        ("--header", "Authorization: env:SECRET", "bob:hunter2"),
    ],
)
async def test_a_reference_to_a_secret_is_stored_as_such(
    tmp_path: Path,
    site: HandMadeSite,
    listed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    sent: str,
) -> None:
    """The place of the secret is stored, the secret is not: a resume looks it up again, or says what is missing."""
    (tmp_path / "secret").write_text("bob:hunter2\n", "utf-8")
    monkeypatch.setenv("SECRET", "bob:hunter2")
    out = tmp_path / "out"

    codes = [
        await crawler(
            "fetch", listed, "-o", out, "--max-pages", 10, flag, value.format(file=tmp_path / "secret"), "--quiet"
        )
    ]
    codes.append(await crawler("resume", out, "--max-pages", 20, "--quiet"))
    monkeypatch.delenv("SECRET")
    (tmp_path / "secret").unlink()
    codes.append(await crawler("resume", out))

    assert codes == [0, 0, 2]
    assert {asked.header("authorization") for asked in site.requests} == {sent}
    assert not any(b"hunter2" in path.read_bytes() for path in out.iterdir())
    printed = capfd.readouterr().err
    assert len(printed.splitlines()) == 1
    assert "SECRET is not set" in printed or f"{tmp_path / 'secret'}: " in printed


async def test_a_secret_is_not_carried_to_another_host(tmp_path: Path, site: HandMadeSite) -> None:
    """A redirect from the named host to another one is followed without the user's headers."""
    async with HandMadeSite(address="127.0.0.2") as other:
        site.add_page("/away", location=other.url("/"), status=302)
        options = ("--user", "bob:hunter2", "--header", "X-Key: hunter2", "--allow-net", "127.0.0.0/8")

        code = await crawler("fetch", site.url("/away"), "-o", tmp_path / "out", *options)

    assert code == 0
    assert other.hits("/") == 1
    assert not any("hunter2" in str(asked.headers) or asked.header("authorization") for asked in other.requests)
    assert {asked.header("x-key") for asked in site.requests} == {"hunter2"}


async def test_a_proxy_of_the_environment_is_asked_and_never_stored(
    tmp_path: Path, site: HandMadeSite, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--trust-env` a resume finds it by itself, and the run's folder holds the flag alone."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", f"http://bob:hunter2@127.0.0.1:{site.port}")
    out = tmp_path / "out"

    codes = [await crawler("fetch", listed, "-o", out, "--max-pages", 10, "--trust-env")]
    codes.append(await crawler("resume", out, "--max-pages", 20))

    assert codes == [0, 0]
    assert len(records(out)) == 20
    assert {asked.header("Proxy-Authorization") for asked in site.requests} == {"Basic Ym9iOmh1bnRlcjI="}
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert [name for name, content in kept.items() if b"hunter2" in content or b"Ym9iOmh1bnRlcjI" in content] == []
    assert b"trust-env = true" in kept["config.toml"]
