"""Cross-origin resource sharing for bareASGI, which never grants by accident."""

from bareasgi_cors.middleware import cors_middleware
from bareasgi_cors.origins import OriginCheck
from bareasgi_cors.plugin import CORSMiddleware, add_cors, add_cors_middleware
from bareasgi_cors.policy import CorsPolicy, PolicyOptions
from bareasgi_cors.web_socket import websocket_origin_middleware

__all__ = [
    "CORSMiddleware",
    "CorsPolicy",
    "OriginCheck",
    "PolicyOptions",
    "add_cors",
    "add_cors_middleware",
    "cors_middleware",
    "websocket_origin_middleware",
]
