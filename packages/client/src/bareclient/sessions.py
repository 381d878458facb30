"""The older names: one request, and sessions that remember cookies."""

from dataclasses import replace
from types import TracebackType
from typing import Self, Unpack

from bareasgi import Headers
from bareclient.client import Call, Client
from bareclient.content import Sendable
from bareclient.options import Options, make_client
from bareclient.response import Response
from bareclient.settings import Limits


class HttpClient:
    """One request: `async with HttpClient(url) as response`.

    The answer and its connection are closed at the end of the block. `body` is an older
    name of `content`.
    """

    def __init__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers | None = None,
        content: Sendable = None,
        body: Sendable = None,
        **options: Unpack[Options],
    ) -> None:
        self._client = make_client(**options)
        self._call = self._client.request(
            method, url, headers, body if content is None else content
        )

    async def __aenter__(self) -> Response:
        """Make the request."""
        await self._client.__aenter__()
        try:
            return await self._call.__aenter__()
        except BaseException:
            await self._client.aclose()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the answer, and everything else."""
        try:
            await self._call.__aexit__(kind, error, traceback)
        finally:
            await self._client.__aexit__(kind, error, traceback)


class HttpUnboundSession:
    """Requests to any server, with the cookies that the servers set.

    Connections are kept for the next request inside of `async with`. A session that is
    not entered need not be closed: it makes a connection for each request. `headers`
    are sent with each request.
    """

    def __init__(
        self, *, headers: Headers | None = None, **options: Unpack[Options]
    ) -> None:
        self._keeping, self._brief = _clients(None, headers, options)
        self._client: Client = self._brief

    def request(
        self,
        url: str,
        method: str = "GET",
        headers: Headers | None = None,
        content: Sendable = None,
        *,
        body: Sendable = None,
    ) -> Call:
        """Make a request, to be awaited or entered, as `Client.request` does.

        `body` is an older name of `content`.
        """
        return self._client.request(
            method, url, headers, body if content is None else content
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        """Keep connections from now on."""
        self._client = self._keeping
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        client, self._client = self._client, self._brief
        await client.__aexit__(kind, error, traceback)


class HttpSession(HttpUnboundSession):
    """Requests to one server, by their paths, with the cookies that it sets.

    As `HttpUnboundSession`, but `url` is what those of the requests are relative to.
    """

    def __init__(
        self, url: str, *, headers: Headers | None = None, **options: Unpack[Options]
    ) -> None:
        self._keeping, self._brief = _clients(url, headers, options)
        self._client = self._brief


def without_keep_alive(options: Options) -> Options:
    """Have each connection closed with its answer, so that nothing else need be."""
    limits = options.get("limits", Limits())
    return {**options, "limits": replace(limits, keep_alive=0)}


def _clients(
    url: str | None, headers: Headers | None, options: Options
) -> tuple[Client, Client]:
    """Make two clients with one jar: one that keeps connections, one that does not."""
    options = {**options, "cookies": options.get("cookies", True)}
    keeping = make_client(url, headers, **options)
    if keeping.cookies is not None:
        options["cookies"] = keeping.cookies
    return keeping, make_client(url, headers, **without_keep_alive(options))
