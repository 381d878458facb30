"""The bell that all workers hear, by a channel of Redis.

Redis may lose a ring, or be away. So each worker also looks by itself, a little later,
and nothing depends on Redis but how soon a trade is seen.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from uuid import uuid4

from redis.asyncio import Redis

CHANNEL: Final = "board:trades"

LOOKS: Final = 1.0
"""Seconds after which a worker that heard nothing looks all the same."""


class RedisBell:
    """The bell at one worker. `speak` and `listen` run as long as it is used."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._name = str(uuid4())
        self._heard = asyncio.Event()
        self._rung = asyncio.Event()

    async def ring(self) -> None:
        """Tell all workers. An order's answer does not wait until they know."""
        self._heard.set()
        self._rung.set()

    async def rings(self) -> AsyncIterator[None]:
        """Give a ring when any worker rang, and once a second anyway."""
        while True:
            self._heard.clear()
            yield
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKS):
                    await self._heard.wait()

    async def speak(self) -> None:
        """Pass rings on to the other workers, for ever. Raises RedisError."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            # Its keyword arguments, and those of pubsub, have no types.
            await self._redis.publish(CHANNEL, self._name)  # pyright: ignore[reportUnknownMemberType]

    async def listen(self) -> None:
        """Hear the rings of the other workers, for ever. Raises RedisError."""
        pubsub = self._redis.pubsub()  # pyright: ignore[reportUnknownMemberType]
        async with pubsub as channel:
            await channel.subscribe(CHANNEL)
            while True:
                message = await channel.get_message(
                    ignore_subscribe_messages=True, timeout=LOOKS
                )
                if message is not None and message["data"] != self._name:
                    self._heard.set()
