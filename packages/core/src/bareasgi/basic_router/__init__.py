"""The routers that an application has unless it is given others."""

from bareasgi.basic_router.http_router import BasicHttpRouter
from bareasgi.basic_router.path_definition import PathDefinition
from bareasgi.basic_router.path_segment import CONVERTERS, Converter, PathSegment
from bareasgi.basic_router.web_socket_router import BasicWebSocketRouter

__all__ = [
    "CONVERTERS",
    "BasicHttpRouter",
    "BasicWebSocketRouter",
    "Converter",
    "PathDefinition",
    "PathSegment",
]
