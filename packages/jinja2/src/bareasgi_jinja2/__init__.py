"""Jinja2 templates for bareASGI: whole pages, single blocks, and streamed pages."""

from bareasgi_jinja2.errors import BlockNotFoundError, TemplateNotFoundError
from bareasgi_jinja2.middleware import jinja2_middleware
from bareasgi_jinja2.plugin import (
    INFO_KEY,
    Jinja2TemplateProvider,
    add_jinja2,
    template,
    templates_from,
)
from bareasgi_jinja2.templates import ContextProcessor, Request, Templates

__all__ = [
    "INFO_KEY",
    "BlockNotFoundError",
    "ContextProcessor",
    "Jinja2TemplateProvider",
    "Request",
    "TemplateNotFoundError",
    "Templates",
    "add_jinja2",
    "jinja2_middleware",
    "template",
    "templates_from",
]
