"""The Encoding standard as another implementation has it: npm's `@exodus/bytes`, run by Node.

`npm install --prefix output @exodus/bytes`, then `python tests/support/standard.py` prints the digests that
`tests/conformance/test_encodings.py` holds, and its test against that copy is no longer skipped. A digest is of three
texts: every sequence that may have a meaning, with a line feed behind each; bytes that are hostile and always the same;
and every character of the Basic Multilingual Plane in a query.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parents[2] / "output"
IS_HERE = (FOLDER / "node_modules/@exodus/bytes").is_dir() and shutil.which("node") is not None
WIDE = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "shift_jis"})
UNASKED = frozenset({"replacement"})  # what browsers give scripts does not know it
NO_ENCODER = frozenset({"utf-16be", "utf-16le"})

_HIGH = range(0x80, 0x100)
_SPECIAL = b"\x1b$(BJI@\x21\x30\x41\x81\xa1\xfe\x8f\x8e\xff"  # what escapes, leads, trails and does neither
_PROGRAM = """
import { TextDecoder } from '@exodus/bytes/encoding.js'
import { percentEncodeAfterEncoding } from '@exodus/bytes/whatwg.js'
import { readFileSync, writeFileSync } from 'node:fs'
for (const [encoding, folder, query] of JSON.parse(process.argv[1])) {
  const decoded = name => new TextDecoder(encoding).decode(readFileSync(`${folder}/${name}`))
  writeFileSync(`${folder}/sequences.txt`, decoded('sequences'))
  writeFileSync(`${folder}/hostile.txt`, decoded('hostile'))
  const text = query ? readFileSync(`${folder}/query`, 'utf8') : ''
  writeFileSync(`${folder}/query.txt`, query ? percentEncodeAfterEncoding(encoding, text, ` "#'<>`) : '')
}
"""


def sequences(encoding: str) -> bytes:
    """Every sequence that may have a meaning in an encoding, one a line."""
    if encoding.startswith("utf-16"):
        order: Literal["little", "big"] = "little" if encoding == "utf-16le" else "big"
        return b"".join(unit.to_bytes(2, order) for unit in range(0x10000))
    if encoding == "iso-2022-jp":
        return b"\n".join(b"\x1b%s%s\x1b(B" % (escape, pair) for escape, pair in product((b"(J", b"(I", b"$B"), _low()))
    if encoding not in WIDE:
        return b"\n".join(bytes((byte,)) for byte in _HIGH)
    found = [bytes(pair) for pair in product(_HIGH, range(0x100))]
    if encoding == "euc-jp":
        found += [bytes((0x8F, *pair)) for pair in product(_HIGH, _HIGH)]
    if encoding == "gb18030":
        digits = range(0x30, 0x3A)
        found += [
            bytes(four) for four in product((*range(0x81, 0x86), *range(0x8F, 0x99), 0xFE), digits, _HIGH, digits)
        ]
    return b"\n".join(found)


def _low() -> Iterator[bytes]:
    return (bytes(pair) for pair in product(range(0x20, 0x80), range(0x20, 0x80)))


def hostile(encoding: str) -> bytes:
    """131 kB without any order, half of them of bytes that matter."""
    data = b"".join(hashlib.sha256(b"%s %d" % (encoding.encode(), at)).digest() for at in range(4096))
    half = len(data) // 2
    return data[:half] + data[half:].translate(bytes(_SPECIAL[byte & 15] for byte in range(256)))


def query() -> str:
    """Every character of the Basic Multilingual Plane that is not ASCII, in groups of three."""
    characters = "".join(chr(at) for at in range(0x80, 0x10000) if not 0xD800 <= at <= 0xDFFF)
    return "&".join(characters[at : at + 3] for at in range(0, len(characters), 3))


def digest(decoded: str, mended: str, encoded: str) -> str:
    """The first half of the SHA-256 of all three."""
    return hashlib.sha256(f"{decoded}\0{mended}\0{encoded}".encode()).hexdigest()[:32]


def digests(encodings: list[str]) -> dict[str, str]:
    """Return the results of the other implementation for each of these encodings."""
    with tempfile.TemporaryDirectory() as top:
        jobs = []
        for encoding in encodings:
            folder = Path(top) / encoding
            folder.mkdir()
            (folder / "sequences").write_bytes(sequences(encoding))
            (folder / "hostile").write_bytes(hostile(encoding))
            (folder / "query").write_text(query(), "utf-8")
            jobs.append((encoding, str(folder), encoding not in NO_ENCODER))
        command = ["node", "--input-type=module", "-e", _PROGRAM, json.dumps(jobs)]
        subprocess.run(command, cwd=FOLDER, check=True, timeout=100)
        names = ("sequences.txt", "hostile.txt", "query.txt")
        texts = {job[0]: [(Path(job[1]) / name).read_bytes().decode() for name in names] for job in jobs}
    return {encoding: digest(*three) for encoding, three in texts.items()}


if __name__ == "__main__":
    from crawler.encoding.labels import ENCODINGS

    for encoding, told in digests([name for name in ENCODINGS if name not in UNASKED]).items():
        sys.stdout.write(f'    "{encoding}": "{told}",\n')
