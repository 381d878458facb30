"""Middlewares for the client, with the signature of the server's."""
