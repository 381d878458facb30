"""A worker that is killed loses nothing, and its clients go on where they were."""

from collections.abc import Callable, Mapping

from .clients import Buyer, Caller, FormBuyer
from .followers import following
from .workers import Site

KILLS = 10
BETWEEN = 20
"""How many orders become trades between one kill and the next, at least."""


async def test_ten_kills_under_load_lose_no_trade_and_double_none(
    new_site: Callable[..., Site],
) -> None:
    site = new_site()
    buyer, forms = Buyer(site.port, insists=True), FormBuyer(site.port, many=2)
    async with following(site.port, site.port) as followers:
        async with buyer.buying(), forms.buying():
            for number in range(KILLS):
                await buyer.until(len(buyer.trades) + BETWEEN)
                worker = site.workers[number % 2]
                worker.process.kill()
                # The other one serves them all.
                await buyer.until(len(buyer.trades) + BETWEEN)
                await worker.start()
        # What the clients were told is what is kept.
        kept = await all_trades(site.port)
        assert kept.keys() == buyer.trades.keys() | forms.trades.keys()
        assert buyer.trades.items() <= kept.items()
        # A form is safe to send again, so nginx does, and nobody notices a kill.
        assert forms.refusals == []
        numbers = [*range(1, len(kept) + 1)]
        assert [*kept.values()] == numbers
        for follower in followers:
            await follower.until(numbers[-1])
    for follower in followers:
        assert follower.numbers == numbers
    assert sum(follower.returns for follower in followers) >= KILLS
    again = len(buyer.refusals)
    print(f"\n{len(kept)} trades, {again} orders sent again")  # noqa: T201


async def all_trades(port: int) -> Mapping[str, int]:
    """The numbers of all trades that are kept, by the keys of their orders."""
    kept: dict[str, int] = {}
    while True:
        path = f"/api/trades?after={len(kept)}&limit=500"
        trades = (await Caller(port).call("GET", path)).json()
        if not trades:
            return kept
        kept |= {trade["key"]: trade["number"] for trade in trades}
