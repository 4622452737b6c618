"""Streams of chance, one per thing they decide, so that adding one never shifts another."""

import math
from random import Random


def stream(*names: object) -> Random:
    """A generator that depends on its names alone: not on the process, the database or what was drawn before."""
    return Random(":".join(map(str, names)))


def poisson(rng: Random, mean: float) -> int:
    """A count with that mean (Knuth's product of uniforms; meant for means below ten)."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
