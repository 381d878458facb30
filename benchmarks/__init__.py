"""Measures bareASGI beside a hand-written application and other frameworks."""
