"""What carries a request: the network, or a call of an application in this process.

A transport is a handler, the innermost one. It is given the scope of a request, and
returns status, headers and body.
"""
