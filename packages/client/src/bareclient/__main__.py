"""`python -m bareclient URL`: a request from the command line."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bareclient.command_line import (
    Arguments,
    content_of,
    headers_of,
    make_client,
    parse,
)
from bareclient.errors import ClientError
from bareclient.fields import find
from bareclient.middleware.decoders import find_module
from bareclient.progress import make_progress
from bareclient.response import Response

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the request, and give the exit status."""
    try:
        return asyncio.run(
            _run(parse(sys.argv[1:] if arguments is None else arguments))
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has enough. Nothing must be written when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ClientError, OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"bareclient: {error or type(error).__name__}\n")
        return 1


async def _run(arguments: Arguments) -> int:
    async with make_client(arguments) as client:
        headers = headers_of(arguments)
        method = arguments.method or ("GET" if arguments.data is None else "POST")
        content = content_of(arguments, headers)
        async with client.request(method, arguments.url, headers, content) as response:
            if arguments.include:
                _write(_head(response))
            if arguments.fail:
                response.raise_for_status()
            if arguments.output is None:
                async for chunk in response.body:
                    _write(chunk)
            else:
                await _save(response, arguments.output)
    return 0


async def _save(response: Response, path: Path) -> None:
    """Write the body to a file, which is there only when it is whole."""
    length = find(response.headers, b"content-length") or b""
    progress = make_progress(int(length) if length.isdigit() else None, find_module)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            async for chunk in response.body:
                file.write(chunk)
                progress.update(len(chunk))
        part.replace(path)
    finally:
        progress.close()
        part.unlink(missing_ok=True)


def _head(response: Response) -> bytes:
    first = f"HTTP/{response.http_version} {response.status} {response.reason}"
    lines = [first.encode(), *(b": ".join(field) for field in response.headers)]
    return b"\n".join([*lines, b"", b""])


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
