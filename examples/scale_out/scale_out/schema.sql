-- The tables, and the two functions that write trades.
--
-- Trades are numbered in the order in which they are committed. Whoever writes trades has
-- a lock from before it takes a number until its transaction has ended, so no number can
-- be seen before a smaller one. Whoever has read up to a number has missed nothing: it is
-- safe as the id of an event. A sequence would not do. It gives numbers away long before
-- the commit, and of two workers the slower one may commit the smaller number.
--
-- They are functions, each called as a transaction of its own, so that the lock never
-- waits for a worker: PostgreSQL has all it needs to go on to the commit. In a function
-- that is VOLATILE, as these are, each statement sees what was committed before it, so
-- the one after the lock sees the last number.

CREATE TABLE IF NOT EXISTS orders (
    key uuid PRIMARY KEY,
    time timestamptz NOT NULL,
    side text NOT NULL,
    symbol text NOT NULL,
    quantity integer NOT NULL,
    limit_price numeric(9, 2),
    status text NOT NULL
);

CREATE INDEX IF NOT EXISTS orders_waiting ON orders (symbol) WHERE status = 'waiting';

CREATE TABLE IF NOT EXISTS trades (
    number bigint PRIMARY KEY,
    time timestamptz NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    quantity integer NOT NULL,
    price numeric(9, 2) NOT NULL,
    order_key uuid NOT NULL UNIQUE REFERENCES orders (key)
);

CREATE INDEX IF NOT EXISTS trades_by_symbol ON trades (symbol, number);

-- The rule of the market. A buyer pays the limit at most, a seller takes it at least.
CREATE OR REPLACE FUNCTION fits(side text, limit_price numeric, price numeric)
RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE
        WHEN limit_price IS NULL THEN true
        WHEN side = 'buy' THEN price <= limit_price
        ELSE price >= limit_price
    END
$$;

-- Keeps an order and, if the price fits, its trade. False if there is one with its key.
CREATE OR REPLACE FUNCTION place_order(
    new_key uuid, new_time timestamptz, new_side text, new_symbol text,
    new_quantity integer, new_limit numeric, new_price numeric
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    is_filled boolean := fits(new_side, new_limit, new_price);
BEGIN
    INSERT INTO orders VALUES (
        new_key, new_time, new_side, new_symbol, new_quantity, new_limit,
        CASE WHEN is_filled THEN 'filled' ELSE 'waiting' END
    ) ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF is_filled THEN
        PERFORM pg_advisory_xact_lock(6001);
        INSERT INTO trades
        SELECT
            coalesce(max(number), 0) + 1,
            new_time, new_symbol, new_side, new_quantity, new_price, new_key
        FROM trades;
    END IF;
    RETURN true;
END
$$;

-- Trades all waiting orders that the prices fit, and gives how many.
CREATE OR REPLACE FUNCTION fill_orders(
    symbols text[], prices numeric[], new_time timestamptz
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    filled_count bigint;
BEGIN
    -- Mostly there are none, and nobody needs to wait.
    PERFORM FROM orders JOIN unnest(symbols, prices) AS quote (symbol, price)
    ON orders.symbol = quote.symbol
    WHERE status = 'waiting' AND fits(side, limit_price, price);
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(6001);
    WITH filled AS (
        UPDATE orders SET status = 'filled'
        FROM unnest(symbols, prices) AS quote (symbol, price)
        WHERE orders.symbol = quote.symbol
            AND status = 'waiting' AND fits(side, limit_price, price)
        RETURNING orders.*, quote.price
    )
    INSERT INTO trades
    SELECT
        (SELECT coalesce(max(number), 0) FROM trades)
            + row_number() OVER (ORDER BY time, key),
        new_time, symbol, side, quantity, price, key
    FROM filled;
    GET DIAGNOSTICS filled_count = ROW_COUNT;
    RETURN filled_count;
END
$$;
