"""Real servers, real sockets: what a client sees, and what it leaves behind."""
