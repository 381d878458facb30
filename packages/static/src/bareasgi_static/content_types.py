"""The media type of a file, by its name."""

from mimetypes import MimeTypes
from typing import Final

OCTETS: Final = b"application/octet-stream"
"""What is not known is some bytes (RFC 2046, section 4.5.1)."""

# The defaults of Python and these: the same on every machine and, as far as the web
# goes, in every version. What is compressed is downloaded as it is, not unpacked.
_TYPES: Final[dict[str, str]] = {
    **MimeTypes(filenames=()).types_map[1],
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".apng": "image/apng",
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".bz2": "application/x-bzip2",
    ".cjs": "text/javascript",
    ".css": "text/css",
    ".csv": "text/csv",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".rss": "application/rss+xml",
    ".svg": "image/svg+xml",
    ".svgz": "application/gzip",
    ".tgz": "application/gzip",
    ".ts": "video/mp2t",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    # Not text/xml: the file itself says what it is encoded in.
    ".xml": "application/xml",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}

_COMPRESSIBLE: Final = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/vnd.apple.mpegurl",
        "application/wasm",
        "application/x-sh",
        "application/xml",
        "application/yaml",
        "font/collection",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
    }
)


def content_type(name: str) -> bytes:
    """Give the content type of a file with this name.

    Text is UTF-8. Neither the file itself is looked at nor what the machine believes.
    """
    kind = _TYPES.get(_suffix(name))
    if kind is None:
        return OCTETS
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return kind.encode("ascii")


def is_compressible(name: str) -> bool:
    """Whether files with such a name get smaller when they are compressed."""
    kind = _TYPES.get(_suffix(name), "")
    return kind.startswith("text/") or (
        kind in _COMPRESSIBLE or kind.endswith(("+json", "+xml"))
    )


def _suffix(name: str) -> str:
    # A name that is nothing but a suffix has none.
    stem, dot, suffix = name.rpartition(".")
    return (dot + suffix).lower() if stem else ""
