"""Wires a policy to an application."""

import re
from collections.abc import Iterable
from typing import Unpack

from bareasgi import Application
from bareasgi_cors.middleware import cors_middleware
from bareasgi_cors.origins import OriginCheck
from bareasgi_cors.policy import CorsPolicy, PolicyOptions


def add_cors(
    app: Application,
    *,
    allow_origins: Iterable[str] | OriginCheck | None = None,
    allow_origin_regex: str | re.Pattern[str] | None = None,
    allow_methods: Iterable[str] | None = None,
    allow_headers: Iterable[str] | None = None,
    allow_credentials: bool = False,
    expose_headers: Iterable[str] | None = None,
    max_age: int = 600,
    allow_private_network: bool = False,
) -> CorsPolicy:
    """Put a policy around all requests of an application, as the outermost middleware.

    The options, and what is raised, are those of CorsPolicy. Gives the policy, which
    can explain its decisions, and guard websockets.
    """
    policy = CorsPolicy(
        allow_origins=allow_origins,
        allow_origin_regex=allow_origin_regex,
        allow_methods=allow_methods,
        allow_headers=allow_headers,
        allow_credentials=allow_credentials,
        expose_headers=expose_headers,
        max_age=max_age,
        allow_private_network=allow_private_network,
    )
    app.middlewares.insert(0, cors_middleware(policy))
    return policy


# The older names. They stay, so that older programs keep running.
CORSMiddleware = cors_middleware


def add_cors_middleware(
    app: Application, **options: Unpack[PolicyOptions]
) -> Application:
    """Do as `add_cors`, and give the application."""
    add_cors(app, **options)
    return app
