"""Runs what a request asks for, and makes the response: whole, in parts, or live."""

from collections.abc import AsyncGenerator, Iterable
from typing import Final

from bareasgi import FullHttpResponse, Info, RouteMatches, Scope, same_origin
from bareasgi_graphql.accepting import Accepted
from bareasgi_graphql.errors import RequestError, Result
from bareasgi_graphql.event_stream import event_stream_response
from bareasgi_graphql.execution import Engine, Operation
from bareasgi_graphql.incremental import Payloads
from bareasgi_graphql.multipart_mixed import (
    FORMATS,
    SUBSCRIPTION,
    multipart_response,
    subscription_response,
)
from bareasgi_graphql.reading import READING
from bareasgi_graphql.request import Dumps, GraphQLRequest
from bareasgi_graphql.response import (
    ANSWERS,
    EVENT_STREAM,
    JSON,
    HttpStatus,
    ResultStream,
    json_response,
    refusal_response,
)

NOT_ACCEPTABLE: Final = RequestError(
    "Nothing but these types can be sent: "
    + b", ".join((*ANSWERS, EVENT_STREAM, b"multipart/mixed")).decode("ascii"),
    406,
)


class Answers:
    """Makes the responses to operations.

    Attributes:
        engine: the schema and how it is run.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        subscriptions: bool,
        allowed_origins: Iterable[str],
        http_status: HttpStatus,
        keepalive: float | None,
        dumps: Dumps,
    ) -> None:
        self.engine: Engine = engine
        self._subscriptions = subscriptions
        self._allowed_origins = allowed_origins
        self._http_status: HttpStatus = http_status
        self._keepalive = keepalive
        self._dumps = dumps

    async def answer(
        self,
        request: GraphQLRequest | list[GraphQLRequest],
        client: Accepted,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> FullHttpResponse:
        """Run a request, or a batch. Raises RequestError for what is not run."""
        if isinstance(request, list):
            return await self._batch(request, client, scope, info, matches)
        operation = self.engine.operation(request, scope, info)
        try:
            if operation.kind == "subscription":
                return self._live(operation, client, scope, info, matches)
            _check_method(operation, scope)
            parts = self._type_of_parts(client, scope)
            if parts is not None:
                return await self._parts(operation, client, parts, scope, info, matches)
            if client.answer is None:
                return self._live(operation, client, scope, info, matches)
            result = await self.engine.result(operation, scope, info, matches)
            return json_response(result, self._dumps, client.answer, self._http_status)
        except RequestError as error:
            operation.hooks.ended(error)
            raise

    def refusal(self, error: RequestError, client: Accepted) -> FullHttpResponse:
        """Make the response to a request that is not run."""
        result = self.engine.refusal(error)
        is_listening = EVENT_STREAM in (client.parts, client.live)
        if error.status is None and client.answer is None and is_listening:
            # A browser's EventSource can read nothing else.
            return self._event_stream(_only(result))
        return refusal_response(
            error, result, self._dumps, client.answer or JSON, self._http_status
        )

    def _live(
        self,
        operation: Operation,
        client: Accepted,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> FullHttpResponse:
        """Answer with the results as they come."""
        if client.live is None:
            raise RequestError(
                "A subscription needs accept: text/event-stream, or"
                " multipart/mixed;subscriptionSpec=1.0",
                406,
            )
        self._check_stream(scope)
        results = self.engine.results(operation, scope, info, matches)
        if client.live == SUBSCRIPTION:
            return subscription_response(
                results, dumps=self._dumps, heartbeat=self._keepalive
            )
        return self._event_stream(results)

    def _type_of_parts(self, client: Accepted, scope: Scope) -> bytes | None:
        """Choose the type of an answer in parts, None for one that is whole."""
        if client.parts == EVENT_STREAM:
            is_possible = client.answer is None or self._may_stream(scope)
            return EVENT_STREAM if self.engine.is_incremental and is_possible else None
        is_wanted = self.engine.is_incremental or client.answer is None
        return client.parts if is_wanted else None

    async def _parts(
        self,
        operation: Operation,
        client: Accepted,
        media_type: bytes,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> FullHttpResponse:
        """Answer with the parts of a result as they come, or whole if it has none."""
        if media_type == EVENT_STREAM:
            self._check_stream(scope)
        result = await self.engine.result_or_payloads(
            operation, scope, info, matches, FORMATS[media_type]
        )
        if isinstance(result, Payloads):
            payloads: ResultStream = result
        elif client.answer is not None:
            return json_response(result, self._dumps, client.answer, self._http_status)
        else:
            payloads = _only(result)
        if media_type == EVENT_STREAM:
            return self._event_stream(payloads)
        return multipart_response(payloads, media_type, dumps=self._dumps)

    async def _batch(
        self,
        requests: list[GraphQLRequest],
        client: Accepted,
        scope: Scope,
        info: Info,
        matches: RouteMatches,
    ) -> FullHttpResponse:
        """Run operations one after another, since later ones may build on earlier."""
        if client.answer is None:
            raise RequestError("A batch needs accept: application/json", 406)
        results: list[Result] = []
        for request in requests:
            try:
                operation = self.engine.operation(request, scope, info)
                with operation.hooks:
                    _check_not_live(operation)
                    result = await self.engine.result(operation, scope, info, matches)
            except RequestError as error:
                result = self.engine.refusal(error)
            results.append(result)
        return json_response(results, self._dumps, client.answer, self._http_status)

    def _may_stream(self, scope: Scope) -> bool:
        return self._subscriptions and same_origin(scope, self._allowed_origins)

    def _check_stream(self, scope: Scope) -> None:
        """Refuse streams that are not served, and those for a page of another site."""
        if not self._subscriptions:
            raise RequestError("Subscriptions are not served")
        if not same_origin(scope, self._allowed_origins):
            raise RequestError("The origin is not allowed", 403)

    def _event_stream(self, results: ResultStream) -> FullHttpResponse:
        return event_stream_response(
            results, dumps=self._dumps, keepalive=self._keepalive
        )


def _check_method(operation: Operation, scope: Scope) -> None:
    if operation.kind == "mutation" and scope["method"] in READING:
        # A link or a picture changes nothing (RFC 9110, section 9.2.1).
        raise RequestError(
            "Mutations must be sent by POST", 405, headers=[(b"allow", b"POST")]
        )


def _check_not_live(operation: Operation) -> None:
    if operation.kind == "subscription":
        raise RequestError("A batch cannot have subscriptions")


async def _only(result: Result) -> AsyncGenerator[Result, None]:
    yield result
