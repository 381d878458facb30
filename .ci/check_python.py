"""Says what is missing on a machine that is not ready, before anything is made."""

import importlib.util
import sys

# This file is for a Python that is too old, such as the one that macOS brings.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "bareASGI needs Python 3.11 or later, but python3 is"
        f" {sys.version_info[0]}.{sys.version_info[1]}. Install a newer one, and if it"
        " has a name of its own, such as python3.13, type that instead of python3."
    )
if importlib.util.find_spec("ensurepip") is None:
    sys.exit(
        "This Python cannot make environments. On Debian and Ubuntu the package"
        " python3-venv is missing: apt install python3-venv"
    )
