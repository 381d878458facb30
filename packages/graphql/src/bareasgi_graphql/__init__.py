"""GraphQL for bareASGI: over HTTP, WebSockets and event streams."""

from bareasgi_graphql.assembly import graphql_handler
from bareasgi_graphql.handler import GraphQL
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.plugin import add_graphql, add_graphql_next

__all__ = [
    "GraphQL",
    "Limits",
    "add_graphql",
    "add_graphql_next",
    "graphql_handler",
]
