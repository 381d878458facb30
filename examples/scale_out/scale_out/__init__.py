"""The board of examples/demo on many workers: PostgreSQL, Redis, and nginx in front."""

import sys
from pathlib import Path

# The board itself is not repeated here. It is a folder beside this one.
sys.path.append(str(Path(__file__).parents[2] / "demo"))
