"""How evenly customers spread over shards: `python benchmarks/shards.py [--customers 1000000] [--seed 1]`.

A simulation without a database. Customers are not alike: how many loans each has follows a power law, as of merchants
and their orders, so a few have hundreds of times more than most. They are put on shards by a hash of their number, as
Citus and PostgreSQL's hash partitions do, and beside it by ranges of numbers, where old customers have more. For each
number of shards it prints what the fullest holds against the mean: how much longer the slowest worker takes than it
would in a perfect world. Prints a table to standard error, one JSON line to standard output.
"""

import argparse
import hashlib
import json
import random
import sys

SHARDS = (2, 4, 8, 16, 32, 64, 128, 256)
# Of a Pareto distribution: the smaller, the more the largest customers have. No customer has more than MOST loans.
SHAPE, MOST = 1.2, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311
    loans = [min(int(chance.paretovariate(SHAPE)), MOST) for _number in range(options.customers)]
    # Who came first has had the time to borrow most.
    aged = [
        1 + count * (options.customers - number) // options.customers for number, count in enumerate(loans)
    ]
    places = [place(number) for number in range(options.customers)]
    print(f"{options.customers:,} customers, {sum(aged):,} loans, at most {max(aged):,}", file=sys.stderr)
    print("shards   by hash  by range   loans in the fullest by hash", file=sys.stderr)
    metrics = []
    for shards in SHARDS:
        hashed, ranged = [0] * shards, [0] * shards
        for number, (spot, count) in enumerate(zip(places, aged, strict=True)):
            hashed[spot % shards] += count
            ranged[number * shards // options.customers] += count
        by_hash, by_range = imbalance(hashed), imbalance(ranged)
        print(f"{shards:6}  {by_hash:8.3f}  {by_range:8.3f}  {max(hashed):12,}", file=sys.stderr)
        name = f"fullest of {shards} shards by hash"
        metrics.append(
            {"name": name, "value": round(by_hash, 4), "unit": "of the mean", "goal": None, "better": "lower"}
        )
    print(
        json.dumps({"benchmark": "shards", "metrics": metrics, "baseline": {"customers": options.customers}})
    )


def place(number: int) -> int:
    """Where a customer belongs, evenly over 64 bits, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(number.to_bytes(8), digest_size=8).digest())


def imbalance(loans: list[int]) -> float:
    """The fullest shard against the mean."""
    return max(loans) * len(loans) / sum(loans)


if __name__ == "__main__":
    main()
