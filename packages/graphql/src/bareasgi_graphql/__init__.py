"""GraphQL for bareASGI: over HTTP, WebSockets and event streams."""

from bareasgi_graphql.assembly import graphql_handler
from bareasgi_graphql.dataloader import DataLoader
from bareasgi_graphql.files import GraphQLUpload, Upload
from bareasgi_graphql.handler import GraphQL
from bareasgi_graphql.hooks import Hook
from bareasgi_graphql.limits import Limits
from bareasgi_graphql.plugin import add_graphql, add_graphql_next
from bareasgi_graphql.request import GraphQLRequest
from bareasgi_graphql.trusted import DocumentsError

__all__ = [
    "DataLoader",
    "DocumentsError",
    "GraphQL",
    "GraphQLRequest",
    "GraphQLUpload",
    "Hook",
    "Limits",
    "Upload",
    "add_graphql",
    "add_graphql_next",
    "graphql_handler",
]
