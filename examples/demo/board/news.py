"""How tasks of one process wait for something to happen."""

import asyncio


class News:
    """Wakes everybody who waits, and each of them once.

    Take `next` first, then look at what there is, and wait only if that was not enough:
    what happens in between is not missed.

        while True:
            next_time = news.next
            ...
            await next_time.wait()
    """

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def tell(self) -> None:
        """Wake those who wait. Whoever comes now waits for the next time."""
        told, self.next = self.next, asyncio.Event()
        told.set()
