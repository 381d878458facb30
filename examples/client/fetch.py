"""Fetches pages at once, politely: `python fetch.py URL...` prints size and status."""

import asyncio
import sys

from bareclient import Client, ClientError, Limits, decompression


async def fetch(client: Client, url: str) -> str:
    """Give one line about a page."""
    size = 0
    try:
        async with client.request("GET", url) as response:
            async for chunk in response.body:
                size += len(chunk)
    except ClientError as error:
        return f"{url}: {type(error).__name__}: {error}"
    return f"{response.url}: {response.status}, {size} bytes"


async def main(urls: list[str]) -> None:
    """Fetch all, over at most ten connections."""
    async with Client(
        limits=Limits(connections=10),
        timeout=30,
        follow_redirects=True,
        retries=2,
        middlewares=[decompression()],
    ) as client:
        for line in asyncio.as_completed([fetch(client, url) for url in urls]):
            sys.stdout.write(await line + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
