"""What is put around a body, and what some servers can do beyond plain ASGI.

A server tells in `scope["extensions"]` what it offers. Where it does not, the functions
here have no effect, and the response is the one that it would be without them.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from os import PathLike, fsdecode
from os.path import isabs
from typing import Final

from bareasgi.closing import Begun, call_back, close_body
from bareasgi.errors import HttpDisconnectError
from bareasgi.streaming import BufferedBody, bytes_writer
from bareasgi.types import Body, Headers, Scope, Send

EARLY_HINT: Final = "http.response.early_hint"
PATHSEND: Final = "http.response.pathsend"
TRAILERS: Final = "http.response.trailers"

_HINTS: Final = "bareasgi.early_hints"


def after_body(body: Body | None, callback: Callable[[], object]) -> Body:
    """Call back once, when the response is over, however it ends.

    It is called for HEAD, 204 and 304 too, and when the response was refused, and when
    the client left: then, and when the body failed, `sys.exc_info()` tells so. A body
    whose bytes are known stays so: two sends, no task. The callback may be async; it
    then has five seconds, in a task of its own. What it raises is logged, and changes
    nothing for the client.
    """
    if body is not None and not isinstance(body, BufferedBody):
        return WrappedBody(body, callback)
    observed = BufferedBody()
    observed.data = b"" if body is None else body.data
    observed.callbacks = (callback,) if body is None else (*body.callbacks, callback)
    return observed


def with_trailers(body: Body | None, trailers: Callable[[], Headers]) -> Body:
    """Send fields after a body, which can tell of what was only then known.

    `trailers` is called once, when all of the body was sent, and gives the fields (RFC
    9110, section 6.5). They are sent where the server offers `http.response.trailers`,
    and to a client whose request has `te: trailers` (section 10.1.4). Otherwise it is
    not called. What must not be sent cuts the response, as any error in a body.
    """
    return WrappedBody(bytes_writer(b"") if body is None else body, trailers=trailers)


def with_path(body: Body, path: str | PathLike[str]) -> Body:
    """Let the server send a file by itself, in place of the body.

    That is what it does where it offers `http.response.pathsend`; the body is closed
    then, and not iterated. Elsewhere the body is sent. The file is sent whole, so the
    body must be all of it. Raises ValueError for a path that is not absolute.
    """
    text = fsdecode(path)
    # pathlib takes longer to import than most of this package.
    if not isabs(text):  # noqa: PTH117
        raise ValueError(f"the path {text!r} must be absolute")
    return WrappedBody(body, path=text)


async def early_hints(scope: Scope, links: Iterable[bytes]) -> None:
    """Tell the client what it is going to need, before the response (RFC 8297).

    Each link is the value of a link field: `b"</style.css>; rel=preload; as=style"`. To
    be called by a handler, as often as it likes; where the server does not offer
    `http.response.early_hint` that does nothing. Raises ValueError for a link with CR,
    LF or NUL, RuntimeError when the response has been returned, and HttpDisconnectError
    when the client has left.
    """
    checked = [*links]
    for link in checked:
        if {*b"\r\n\0"} & {*link}:
            raise ValueError(f"the link {link!r} has a control character")
    hints: EarlyHints | None = scope.get(_HINTS)
    if hints is not None:
        await hints.send(checked)


class EarlyHints:
    """The way to send early hints, from the request until there is a response."""

    __slots__ = ("_send",)

    _send: Send | None

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, links: list[bytes]) -> None:
        """Send links, if it is not too late."""
        if self._send is None:
            raise RuntimeError("early hints come before the response: send them sooner")
        try:
            await self._send({"type": EARLY_HINT, "links": links})
        except OSError as error:
            raise HttpDisconnectError(repr(error)) from error

    def close(self) -> None:
        """Send no more: the response comes next."""
        self._send = None


def offer_hints(scope: Scope, send: Send) -> None:
    """Let `early_hints` work for a request, if the server offers it."""
    if EARLY_HINT in scope["extensions"]:
        scope[_HINTS] = EarlyHints(send)


def close_hints(scope: Scope) -> None:
    """Have `early_hints` fail from now on: a body runs."""
    hints: EarlyHints | None = scope.get(_HINTS)
    if hints is not None:
        hints.close()


def wants_trailers(scope: Scope) -> bool:
    """Whether server and client are ready for trailers."""
    return TRAILERS in (scope.get("extensions") or ()) and any(
        name == b"te" and b"trailers" in (each.strip() for each in value.split(b","))
        for name, value in scope["headers"]
    )


class WrappedBody:
    """A body, and what else there is to do for it.

    Attributes:
        path: of a file that is the same as the body, or None.
        trailers: gives the fields to send after the body, or None.
    """

    __slots__ = ("_body", "_callback", "_is_closed", "path", "trailers")

    path: str | None
    trailers: Callable[[], Headers] | None
    _body: Body
    _callback: Callable[[], object] | None

    def __init__(
        self,
        body: Body,
        callback: Callable[[], object] | None = None,
        *,
        path: str | None = None,
        trailers: Callable[[], Headers] | None = None,
    ) -> None:
        if isinstance(body, WrappedBody):
            path, trailers = path or body.path, trailers or body.trailers
        self._body = body
        self._callback = callback
        self._is_closed = False
        self.path = path
        self.trailers = trailers

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        iterator = aiter(self._body)
        try:
            async for chunk in Begun(iterator):
                yield chunk
        finally:
            if iterator is not self._body:
                await close_body(iterator)
            # Here as well: whoever wraps this body may forget to close it.
            await self.aclose()

    async def aclose(self) -> None:
        """Close the body, and then call what waits for its end."""
        if self._is_closed:
            return
        self._is_closed = True
        cancellation = None
        try:
            await close_body(self._body)
        finally:
            if self._callback is not None:
                waiting = call_back(self._callback)
                cancellation = await waiting if waiting is not None else None
        if cancellation is not None:
            raise cancellation
