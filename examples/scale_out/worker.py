"""One worker of the board: `python examples/scale_out/worker.py`.

It needs PostgreSQL and Redis, and is told by the environment where they are: see
scale_out/settings.py. Any number of them may run, behind the nginx of nginx.conf.
"""

import asyncio
import logging

from scale_out.serving import run
from scale_out.settings import settings_or_exit

if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run(settings_or_exit()))
