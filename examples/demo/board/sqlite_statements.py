"""What the store says to SQLite.

Prices are whole cents here, so that the database can compare them.
"""

from typing import Final

SCHEMA: Final = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY,
    time TEXT NOT NULL,
    side TEXT NOT NULL,
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    limit_cents INTEGER,
    status TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_waiting ON orders (symbol) WHERE status = 'waiting';
CREATE TABLE IF NOT EXISTS trades (
    number INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL,
    order_key TEXT NOT NULL UNIQUE REFERENCES orders (key)
);
CREATE INDEX IF NOT EXISTS trades_by_symbol ON trades (symbol, number);
"""

ADD_ORDER: Final = """
INSERT INTO orders (key, time, side, symbol, quantity, limit_cents, status)
VALUES (?, ?, ?, ?, ?, ?, 'waiting')
ON CONFLICT (key) DO NOTHING
"""

# The rule of the market. A buyer pays the limit at most, a seller takes it at least.
FILL: Final = """
UPDATE orders SET status = 'filled'
WHERE status = 'waiting' AND symbol = :symbol AND (
    limit_cents IS NULL
    OR (side = 'buy' AND limit_cents >= :price)
    OR (side = 'sell' AND limit_cents <= :price)
) AND (:key IS NULL OR key = :key)
RETURNING :time, symbol, side, quantity, :price, key
"""

ADD_TRADE: Final = """
INSERT INTO trades (time, symbol, side, quantity, price_cents, order_key)
VALUES (?, ?, ?, ?, ?, ?)
"""

CANCEL: Final = (
    "UPDATE orders SET status = 'cancelled' WHERE key = ? AND status = 'waiting'"
)

FIND_ORDER: Final = """
SELECT orders.key, orders.side, orders.symbol, orders.quantity, orders.limit_cents,
    orders.time, orders.status, trades.number, trades.time, trades.price_cents
FROM orders LEFT JOIN trades ON trades.order_key = orders.key
WHERE orders.key = ?
"""

FIND_TRADES_AFTER: Final = """
SELECT number, time, symbol, side, quantity, price_cents, order_key FROM trades
WHERE number > ? ORDER BY number LIMIT ?
"""

FIND_TRADES_BEFORE: Final = """
SELECT number, time, symbol, side, quantity, price_cents, order_key FROM trades
WHERE (:number IS NULL OR number < :number) AND (:symbol IS NULL OR symbol = :symbol)
ORDER BY number DESC LIMIT :limit
"""
