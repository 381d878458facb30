"""Static files for bareASGI: folders, single-page applications, and downloads."""

from bareasgi_static.bodies import FileShrankError
from bareasgi_static.downloads import file_response, file_writer
from bareasgi_static.handler import static_handler
from bareasgi_static.plugin import (
    StaticFilesProvider,
    add_static,
    add_static_file_provider,
)

__all__ = [
    "FileShrankError",
    "StaticFilesProvider",
    "add_static",
    "add_static_file_provider",
    "file_response",
    "file_writer",
    "static_handler",
]
