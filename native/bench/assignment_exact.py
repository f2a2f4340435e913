#!/usr/bin/env python3
"""Checks what Ata's assignment solver promises for every finite float32 value, in exact arithmetic.

Makes problems whose values span up to the whole range of float32 (10^U(-R, R) with R up to 38,
sentinels of every size for "not this pair", denormal numbers, ties, sums that cancel), rectangular
too, maximised and minimised, in batches, cold and from column duals. float32 values are integers times
2^-149, so that Python's integers add them exactly. Fails unless

- with `polish` the matching is optimal;
- by default it is within 1e-6 of the optimum, relative to the sum of the absolute values matched
  below the first leap by a factor of 1000;
- with `certify` it is that, and relative to the total, too;
- the totals returned are those of the matchings, to 1e-12.

Up to 7 x 7 the optimum is found by trying all matchings (dynamic programming over sets of columns).
From 20 x 20 to 100 x 100 no matching may be worse than that of scipy's linear_sum_assignment, whose
float64 arithmetic is wrong itself on some of these problems: both totals are added exactly.

Needs numpy and scipy; takes a minute.

    nice native/bench/assignment_exact.py out/release/lib/libata.so
"""

import argparse
import ctypes
import sys
from fractions import Fraction

import numpy as np
from scipy.optimize import linear_sum_assignment

from libata import AssignOptions, Ata

FLOAT_MAX = float(np.finfo(np.float32).max)
TOLERANCE = Fraction(1, 10**6)
LEAP = 1000
MODES = {"default": (0, 0), "certify": (0, 1), "polish": (1, 0), "both": (1, 1)}


def powers(random, shape):
    """10^U(-R, R) with either or both signs."""
    reach = random.uniform(0, 38)
    values = 10.0 ** random.uniform(-reach, reach, shape)
    return values * random.choice([[1, 1], [1, -1]][random.integers(2)], shape)


def ordinary(random, shape):
    """Costs of a tracker: distances or overlaps, at times rounded so that they tie."""
    values = random.random(shape) * 10.0 ** random.integers(-3, 4)
    return np.round(values, 2) if random.random() < 0.3 else values


def sentinel(random):
    return random.choice([FLOAT_MAX, 1e9, 1e18, 1e32, 1e6, 10.0 ** random.uniform(2, 38.5)])


def sentinels(random, shape):
    """One size of "not this pair", on few pairs or most; some rows have nothing else."""
    values = ordinary(random, shape)
    values[random.random(shape) < random.random()] = sentinel(random) * random.choice([1, 1, 1, -1])
    if random.random() < 0.4:
        values[random.integers(shape[0])] = sentinel(random)
    return values


def many_sentinels(random, shape):
    values = ordinary(random, shape)
    for _ in range(4):
        values[random.random(shape) < 0.15] = sentinel(random) * random.choice([1, -1])
    return values


def scales(random, shape):
    """Rows, or pairs, of very different scales."""
    wide = (shape[0], 1) if random.random() < 0.5 else shape
    factors = 10.0 ** random.choice([-38, -20, -7, 0, 7, 20, 37], wide)
    return random.random(shape) * factors


def denormals(random, shape):
    values = random.integers(-50, 50, shape) * 2.0 ** -149 * 10.0 ** random.integers(0, 6)
    if random.random() < 0.3:
        values[random.random(shape) < 0.2] = sentinel(random)
    return values


def cancelling(random, shape):
    """Huge values of both signs that cancel, and small ones on which it depends."""
    huge = 2.0 ** random.integers(30, 120)
    return huge * random.integers(-1, 2, shape) + random.integers(-3, 4, shape) * (
        huge * 2.0 ** -24 if random.random() < 0.5 else 0) + (
        random.random(shape) if random.random() < 0.5 else 0)


def small_integers(random, shape):
    values = random.integers(-2, 3, shape).astype(float)
    values[values == 0] *= random.choice([1, -1])
    return values * 2.0 ** random.integers(-140, 120)


def offset(random, shape):
    return 10.0 ** random.uniform(0, 30) * (1 + 1e-6 * random.random(shape))


KINDS = [powers, sentinels, many_sentinels, scales, denormals, cancelling, small_integers, offset]


def make(random, kind, shape):
    with np.errstate(over="ignore"):
        values = np.clip(kind(random, shape), -FLOAT_MAX, FLOAT_MAX).astype(np.float32)
    return np.clip(values, -np.float32(FLOAT_MAX), np.float32(FLOAT_MAX))


def exact(values):
    """The values as integers, in units of 2^-149."""
    return [[int(Fraction(float(x)) * 2**149) for x in row] for row in values]


def optimum(rows, maximize):
    """The best total of a complete matching, by trying all."""
    if len(rows) > len(rows[0]):
        rows = [list(column) for column in zip(*rows)]
    best = {0: 0}
    better = max if maximize else min
    for row in rows:
        following = {}
        for used, total in best.items():
            for j, value in enumerate(row):
                if used >> j & 1:
                    continue
                key, candidate = used | 1 << j, total + value
                following[key] = better(following[key], candidate) if key in following else candidate
        best = following
    return better(best.values())


class Assigner:
    """ata_assigner over numpy arrays."""

    def __init__(self, ata, maximize, polish, certify):
        self.ata = ata
        self.handle = ctypes.c_void_p()
        options = AssignOptions(maximize=maximize, polish=polish, certify=certify)
        ata.check(ata.library.ata_assigner_create(ctypes.byref(options), ctypes.byref(self.handle)))

    def solve(self, values, duals=None):
        count, rows, columns = values.shape
        matching = np.empty((count, rows), np.int32)
        totals = np.empty(count)
        size = ctypes.c_size_t
        extent = ctypes.c_int64
        pointer = lambda array: ctypes.c_void_p(array.ctypes.data if array is not None else None)
        self.ata.check(self.ata.library.ata_assigner_solve(
            self.handle, pointer(values), size(values.size), extent(count), extent(rows),
            extent(columns), pointer(matching), size(matching.size), pointer(totals), size(count),
            pointer(duals), size(duals.size if duals is not None else 0)))
        return matching, totals


def matched(rows, matching):
    return [rows[i][j] for i, j in enumerate(matching) if j >= 0]


def sum_below_leap(values):
    total = last = None
    for magnitude in sorted(map(abs, values)):
        if last is not None and magnitude > last and magnitude >= LEAP * last:
            break
        total, last = (total or 0) + magnitude, magnitude
    return total


class Failures:
    def __init__(self):
        self.count = 0

    def expect(self, holds, *what):
        if holds:
            return
        self.count += 1
        if self.count <= 5:
            print("FAILED:", *what, file=sys.stderr)


def check(failures, mode, maximize, values, rows, best, matching, total):
    """One solution against the exact optimum, or a bound of it."""
    own = matched(rows, matching)
    columns = [j for j in matching if j >= 0]
    failures.expect(len(own) == min(values.shape) and len(set(columns)) == len(columns),
                    mode, "is no matching", values.tolist(), matching)
    lost = best - sum(own) if maximize else sum(own) - best
    ordinary = sum_below_leap(own)
    scale = {"default": ordinary, "certify": min(ordinary, abs(sum(own)))}.get(mode, 0)
    failures.expect(lost <= TOLERANCE * scale, mode, "maximize" if maximize else "minimize",
                    f"off by {float(Fraction(lost, 2**149)):g}", values.tolist(), list(matching))
    difference = abs(Fraction(float(total)) * 2**149 - sum(own))
    failures.expect(difference <= Fraction(1, 10**12) * abs(sum(own)), mode, "total", total,
                    values.tolist(), list(matching))


def check_all(failures, ata, random, batch, bests, maximize):
    """A batch by every mode, cold and (square ones) from duals of all sizes."""
    _, rows, columns = batch.shape
    exacts = [exact(values) for values in batch]
    bests = bests(exacts)
    for mode, (polish, certify) in MODES.items():
        assigner = ASSIGNERS.setdefault((maximize, mode), None) or Assigner(
            ata, maximize, polish, certify)
        ASSIGNERS[(maximize, mode)] = assigner
        starts = [None]
        if rows == columns:
            starts.append(random.standard_normal((len(batch), columns)) *
                          10.0 ** random.uniform(-40, 300 if random.random() < 0.1 else 40))
        for duals in starts:
            matchings, totals = assigner.solve(batch, duals)
            failures.expect(duals is None or np.isfinite(duals).all(), mode, "duals", batch.tolist())
            for k, values in enumerate(batch):
                check(failures, mode, maximize, values, exacts[k], bests[k], matchings[k], totals[k])


ASSIGNERS = {}


def small(ata, random, count, failures):
    solved = 0
    while solved < count:
        shape = tuple(random.integers(1, 8, 2)) if random.random() < 0.7 else (7, 7)
        size = int(random.choice([1, 2, 3, 8]))
        maximize = int(random.integers(2))
        batch = np.stack([make(random, KINDS[random.integers(len(KINDS))], shape)
                          for _ in range(size)])
        check_all(failures, ata, random, batch,
                  lambda exacts, best=maximize: [optimum(rows, best) for rows in exacts], maximize)
        solved += size
    return solved


def large(ata, random, count, failures):
    """Returns the problems solved, and on how many scipy's total is not the best."""
    beaten = 0
    for _ in range(count):
        shape = tuple(random.integers(20, 101, 2))
        if random.random() < 0.6:
            shape = (shape[0], shape[0])
        maximize = int(random.integers(2))
        values = make(random, KINDS[random.integers(len(KINDS))], shape)
        rows = exact(values)
        taken, columns = linear_sum_assignment(values.astype(np.float64), maximize=bool(maximize))
        theirs = sum(rows[i][j] for i, j in zip(taken, columns))
        polished, _ = ASSIGNERS[(maximize, "polish")].solve(values[None])
        ours = sum(matched(rows, polished[0]))
        failures.expect(ours >= theirs if maximize else ours <= theirs, "polish loses to scipy",
                        shape, maximize)
        beaten += ours != theirs
        # From here on ours is the optimum, as far as anybody knows.
        check_all(failures, ata, random, values[None], lambda exacts, best=ours: [best], maximize)
    return count, beaten


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", help="path of libata.so")
    parser.add_argument("--small", type=int, default=24000, help="problems up to 7 x 7")
    parser.add_argument("--large", type=int, default=1000, help="problems from 20 x 20 to 100 x 100")
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    ata = Ata(arguments.library, threads=2)
    random = np.random.default_rng(arguments.seed)
    failures = Failures()
    solved = small(ata, random, arguments.small, failures)
    print(f"{solved} problems up to 7 x 7, each by {len(MODES)} modes: {failures.count} failures")
    solved, beaten = large(ata, random, arguments.large, failures)
    print(f"{solved} problems of 20 x 20 to 100 x 100: {failures.count} failures in all; "
          f"scipy's total is not the best on {beaten}")
    return 0 if failures.count == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
