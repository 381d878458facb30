"""What a server of `benchmarks.servers` imports: `app`, which the environment names."""

import logging
import os

from benchmarks import contenders
from benchmarks.cases import AsgiApplication

# A load generator that stops leaves in the middle of answers, which asyncio warns of.
logging.getLogger("asyncio").setLevel(logging.ERROR)

_APPLICATIONS = contenders.applications(os.environ["BENCHMARK_CONTENDER"])

app: AsgiApplication = _APPLICATIONS[os.environ["BENCHMARK_CASE"]]
