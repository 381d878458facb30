"""The protocols of GraphQL over WebSockets: what is answered to what.

A protocol is told what the client says and what becomes of its operations, and gives
the effects of that, in order. It sends nothing, waits for nothing and runs nothing:
whoever has the socket does all that.
"""

from bareasgi_graphql.subscription.effects import (
    Close,
    Connect,
    Effect,
    Effects,
    Reply,
    Start,
    Stop,
)
from bareasgi_graphql.subscription.legacy_ws import LegacyWs
from bareasgi_graphql.subscription.subprotocol import Subprotocol
from bareasgi_graphql.subscription.transport_ws import TransportWs

__all__ = [
    "Close",
    "Connect",
    "Effect",
    "Effects",
    "LegacyWs",
    "Reply",
    "Start",
    "Stop",
    "Subprotocol",
    "TransportWs",
]
