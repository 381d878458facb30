"""The trace that a request belongs to, as its client tells (W3C Trace Context)."""

import re
from typing import Final

_FIELD: Final = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)
_SAMPLED: Final = 1


def exemplar_of(traceparent: bytes) -> dict[str, str] | None:
    """Make the labels of an exemplar, or None for a trace that nobody records.

    What is malformed is ignored (section 3.2.2 of the recommendation), and so is what
    is not sampled: it could not be looked up.
    """
    field = _FIELD.fullmatch(traceparent)
    if field is None:
        return None
    version, trace, span, flags, more = field.groups()
    is_valid = version != b"ff" and not (version == b"00" and more is not None)
    if not is_valid or not int(trace, 16) or not int(span, 16):
        return None
    if not int(flags, 16) & _SAMPLED:
        return None
    return {"trace_id": trace.decode("ascii"), "span_id": span.decode("ascii")}
