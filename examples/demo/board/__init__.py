"""A small trading board: everything that examples/demo/app.py serves."""
