"""What all tests have in common."""

import gc


def pytest_collection_finish() -> None:
    """Takes what the collection of the tests has made out of the garbage collector.

    It is there to the end, and so much of it that a test that asks for a collection, or
    for all objects, would wait for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
