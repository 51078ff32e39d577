"""Names of the files that keep a URL's content: readable, harmless on any system, and never another URL's.

    https://example.org/docs/cats.php?page=2  ->  example.org/docs/cats.php_page=2~0f1e2d3c4b5a69788796a5b4c3d2e1f0.html

Rules
- The name is a function of the URL and of its media type alone: a refetch finds it again.
- The URL's key follows the "~", so two URLs never share a file, not even on a system that ignores case, or if one is a
  folder of the other. The text before it is for people: it may be shortened and may repeat.
- "~" is in names of files only, so no folder is named like a file. Nothing starts with a dot: such names stay free.
- The extension comes last and suits the content, so that a browser shows the file.
Runs on: anywhere (pure).
"""

import re
from unicodedata import category, normalize
from urllib.parse import unquote

from crawler.core.urls import Url

MAX_FOLDERS = 16
MAX_BYTES = 80  # of a part's readable text: a file's whole name then fits where 143 bytes are the most (eCryptfs)

# Windows takes these for devices, whatever follows their first dot.
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))})

_WITH_EXTENSION = re.compile(r"(.+)\.([A-Za-z0-9]{1,8})", re.DOTALL)

# Extensions that suit a type, the usual one first. Another one in the URL (cats.php) stays in front of it.
_EXTENSIONS = {
    "text/html": ("html", "htm"),
    "application/xhtml+xml": ("xhtml", "xht", "html", "htm"),
    "text/css": ("css",),
    "text/javascript": ("js", "mjs"),
    "application/javascript": ("js", "mjs"),
    "application/pdf": ("pdf",),
    "image/avif": ("avif",),
    "image/gif": ("gif",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/svg+xml": ("svg",),
    "image/webp": ("webp",),
}

# Types that many extensions suit: the URL's own is kept, and only a name without one is given this.
_USUAL = {
    "application/atom+xml": "atom",
    "application/gzip": "gz",
    "application/json": "json",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/rss+xml": "rss",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "font/woff2": "woff2",
    "image/x-icon": "ico",
    "text/csv": "csv",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/xml": "xml",
    "video/mp4": "mp4",
    "video/webm": "webm",
}


def file_name(url: Url, media_type: str | None) -> str:
    """Return the path of a URL's file below the folder of all files: relative, its parts joined by "/".

    At most `MAX_FOLDERS` + 2 parts; `media_type` is in lower case and without parameters, None = unknown.
    """
    path, _, query = url.target.partition("?")
    *folders, last = path.split("/")[1:]
    stem = last or "index"
    found, suitable = _WITH_EXTENSION.fullmatch(stem), _EXTENSIONS.get(media_type or "")
    own = found[2].lower() if found else ""
    if suitable and own not in suitable:
        extension = suitable[0]
    else:
        stem, extension = found[1] if found else stem, own or _USUAL.get(media_type or "", "")
    host = url.origin.partition("://")[2]
    parts = [safe_part(folder) for folder in [host, *filter(None, folders)][: MAX_FOLDERS + 1]]
    readable = safe_part(f"{stem}?{query}" if query else stem)
    return "/".join([*parts, f"{readable}~{url.key.hex()}{f'.{extension}' if extension else ''}"])


def safe_part(text: str) -> str:
    """Return a part of a path that reads like a part of a URL; percent-encoding is taken off, once.

    It has 1 to `MAX_BYTES` bytes: letters, marks and digits of any script, and "_"; inside also ".", "-" and "=".
    """
    # Compatibility forms become what they look like, as Windows would have it: a full-width "NUL" is NUL.
    text = normalize("NFKC", unquote(text, errors="replace"))
    readable = (char if char in "._-=" or category(char)[0] in "LMN" else "_" for char in text)
    text = re.sub("_+", "_", "".join(readable)).strip(".-=") or "_"
    if text.partition(".")[0].upper() in _DEVICES:
        text = f"_{text}"
    return text.encode()[:MAX_BYTES].decode(errors="ignore").rstrip(".-=")
