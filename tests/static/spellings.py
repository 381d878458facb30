"""Ways to ask for what is outside of a root, and the files that they are about.

There is a real file behind each of these spellings: one that a server would find which
joins paths, decodes twice, follows links or takes a backslash for a slash.
"""

import os
from contextlib import suppress
from pathlib import Path

from .trees import write

SECRET = b"a secret"
LONG = "x" * 255

# By family: what comes after /static, as it is sent.
SPELLINGS = {
    "plain": [
        "/../secret.txt",
        "/../../outside/secret.txt",
        "/../outside/secret.txt",
        "/sub/../../secret.txt",
        "/sub/deep/../../../secret.txt",
        "/./../secret.txt",
        "/.//../secret.txt",
        "/sub/..",
        "/..",
        "/../",
        "/../root/page.txt",
        "/sub/../page.txt",
        "/./page.txt",
        "/sub/./page.txt",
    ],
    "encoded": [
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/%2e%2e%2Foutside%2Fsecret.txt",
        "/sub%2f..%2f..%2fsecret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/%2e/page.txt",
    ],
    "double-encoded": [
        "/%252e%252e/secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/..%252fsecret.txt",
        "/%25252e%25252e/secret.txt",
        "/%25%32%65%25%32%65/secret.txt",
        "/%2570age.txt",
    ],
    "overlong": [
        "/%c0%ae%c0%ae/secret.txt",
        "/..%c0%afsecret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/%u002e%u002e/secret.txt",
        "/..%ef%bc%8fsecret.txt",
        "/%ef%bc%8e%ef%bc%8e/secret.txt",
        "/..%e2%88%95secret.txt",
    ],
    "backslash": [
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "/..%5Csecret.txt",
        "/%2e%2e%5csecret.txt",
        "/sub%5cpage.txt",
        "/sub\\..\\..\\secret.txt",
        "/\\secret.txt",
        "/%5c%5chost%5cshare%5csecret.txt",
        "/back%5cslash.txt",
    ],
    "NUL": [
        "/page.txt%00",
        "/page.txt%00.html",
        "/%00page.txt",
        "/%00",
        "/sub/%00/page.txt",
        "/..%00/secret.txt",
        "/../secret.txt%00.txt",
    ],
    "drive": [
        "/C:/secret.txt",
        "/c:secret.txt",
        "/C:%5csecret.txt",
        "/sub/C:/secret.txt",
        "/C%3a/secret.txt",
        "/file:/secret.txt",
    ],
    "absolute": [
        "/{absolute}",
        "/{absolute_encoded}",
        "//secret.txt",
        "//{absolute}",
        "///{absolute}",
        "/sub/{absolute}",
        "/%2f{absolute_encoded}",
        "//page.txt",
        "/%2fpage.txt",
        "/sub//page.txt",
        "/sub%2f%2fpage.txt",
        "//page.txt/",
        "//",
        "/sub//",
    ],
    "symlink": [
        "/link.txt",
        "/link-inside.txt",
        "/absolute-link.txt",
        "/linked/secret.txt",
        "/linked/",
        "/linked",
        "/linked-inside/page.txt",
        "/sub/up/secret.txt",
        "/sub/up/root/page.txt",
        "/chain.txt",
        "/loop.txt",
        "/loop/page.txt",
        "/dangling.txt",
        "/with-linked-index/",
        "/with-linked-index",
    ],
    "dot": [
        "/.env",
        "/.git/config",
        "/sub/.hidden.txt",
        "/%2eenv",
        "/.well-known/.secret",
        "/sub/.well-known/page.txt",
        "/...",
        "/.../page.txt",
    ],
    "after a file": [
        "/page.txt/",
        "/page.txt/.",
        "/page.txt/..",
        "/page.txt/page.txt",
        "/page.txt%2f",
        "/sub/page.txt/",
        "/page.txt/../page.txt",
    ],
    "very long": [
        "/" + LONG + "x",
        "/" + "../" * 1000 + "secret.txt",
        "/" + "sub/" * 1500 + "page.txt",
        "/" + "y" * 100_000,
        "/" + "z/" * 30_000,
        "/" + "%2e%2e%2f" * 500 + "secret.txt",
    ],
    "not UTF-8": [
        "/%ff.txt",
        "/%ffpage.txt",
        "/caf%e9.txt",
        "/%80",
        "/%ed%b3%bf.txt",
        "/sub/%ff/page.txt",
    ],
    "other": [
        "/page.txt%20",
        "/page.txt.",
        "/page.txt%3a%3a$DATA",
        "/page.txt;.html",
        "/page.txt%0d%0ax-header:%20a",
        "/~/secret.txt",
        "/$HOME/secret.txt",
        "/nothing.txt",
        "/nothing/at/all",
        "/empty/",
        "/empty",
        "/proc/self/environ",
    ],
}


def spelled(spelling: str, top: Path) -> str:
    """Put the absolute path of a secret in, where a spelling has a place for it."""
    absolute = str(top / "secret.txt").lstrip("/")
    return spelling.replace("{absolute}", absolute).replace(
        "{absolute_encoded}", absolute.replace("/", "%2f")
    )


def plant(top: Path) -> Path:
    """Make a root to serve, with secrets around it and what leads to them in it."""
    root = top / "root"
    write(root / "page.txt", "a page")
    write(root / "sub" / "page.txt", "a page")
    write(root / "sub" / "deep" / "page.txt", "a page")
    (root / "empty").mkdir()
    write(top / "secret.txt", SECRET)
    write(top / "outside" / "secret.txt", SECRET)
    # What a name would be if it were not taken apart.
    for name in (
        "..\\secret.txt",
        "\\secret.txt",
        "back\\slash.txt",
        "sub\\page.txt",
        "sub\\..\\..\\secret.txt",
        "\\\\host\\share\\secret.txt",
        "c:secret.txt",
        "C:\\secret.txt",
        "C:/secret.txt",
        "sub/C:/secret.txt",
        ".env",
        ".git/config",
        "sub/.hidden.txt",
        ".well-known/.secret",
        "sub/.well-known/page.txt",
        ".../page.txt",
    ):
        write(root / name, SECRET)
    # Names that are not UTF-8, where the file system has them.
    for raw in (b"\xff.txt", b"\xffpage.txt", b"caf\xe9.txt", b"\x80"):
        with (
            suppress(OSError),
            open(os.fsencode(root) + b"/" + raw, "wb") as file,  # noqa: PTH123
        ):
            file.write(SECRET)
    (root / "link.txt").symlink_to("../secret.txt")
    (root / "link-inside.txt").symlink_to("page.txt")
    (root / "absolute-link.txt").symlink_to(top / "secret.txt")
    (root / "linked").symlink_to("../outside")
    (root / "linked-inside").symlink_to("sub")
    (root / "sub" / "up").symlink_to("../..")
    (root / "chain.txt").symlink_to("link.txt")
    (root / "loop.txt").symlink_to("loop.txt")
    (root / "loop").symlink_to("loop")
    (root / "dangling.txt").symlink_to("../nothing.txt")
    write(top / "outside" / "index.html", SECRET)
    (root / "with-linked-index").mkdir()
    (root / "with-linked-index" / "index.html").symlink_to("../../outside/index.html")
    return root
