#!/usr/bin/env python3
"""Checks Ata's assignment solver against scipy's linear_sum_assignment (float64) on random problems.

Makes problems of eight kinds, square, of sizes 1 to 784 (log-uniform), maximised and minimised in
turns, and fails unless

- every total is within 1e-6 of scipy's, and within 1e-12 after `polish`, relative to the sum of the
  absolute values matched;
- after `polish` every row has scipy's column, on the kinds whose optimum is unique.

Needs numpy and scipy (Debian: python3-scipy); takes minutes for 10,000 problems.

    nice native/bench/assignment_check.py build/lib/libata.so --problems 10000
"""

import argparse
import ctypes
import sys

import numpy as np
from scipy.optimize import linear_sum_assignment

from libata import AssignOptions, Ata

GREATEST = 784


def cosine(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


def rank4(random, n):
    return cosine(random.standard_normal((n, 4)), random.standard_normal((n, 4)))


def clusters(random, n):
    features = random.standard_normal((8, 64))[random.integers(8, size=n)]
    return cosine(*(features + 1e-3 * random.standard_normal((n, 64)) for _ in range(2)))


def shifted(random, n):
    features = random.standard_normal((n, 64))
    return cosine(features, np.roll(features, 1, 0) + 0.5 * random.standard_normal((n, 64)))


# Name: how it is made, and whether its optimum is unique. (float32 leaves clusters and large
# offsets with equal sums.)
KINDS = {
    "uniform": (lambda random, n: random.random((n, n)), True),
    "normal": (lambda random, n: random.standard_normal((n, n)), True),
    "rank 4": (rank4, True),
    "clusters": (clusters, False),
    "shifted": (shifted, True),
    "integers": (lambda random, n: random.integers(4, size=(n, n)), False),
    "offset 100": (lambda random, n: 100 + random.random((n, n)), False),
    "exponential": (lambda random, n: random.exponential(size=(n, n)), True),
}


class Tally:
    def __init__(self):
        self.problems = self.differing = self.differing_polished = 0
        self.worst = self.worst_polished = 0.0


def solve(ata, values, maximize, polish):
    """The columns and the total of one problem."""
    tensor = ata.wrap(values)
    matching = ctypes.c_void_p()
    total = ctypes.c_double()
    options = AssignOptions(maximize=maximize, polish=polish)
    try:
        ata.check(ata.library.ata_assign(tensor, ctypes.byref(options), ctypes.byref(matching),
                                         ctypes.byref(total), ctypes.c_size_t(1)))
    finally:
        ata.library.ata_tensor_release(tensor)
    data = ctypes.cast(ata.info(matching).data, ctypes.POINTER(ctypes.c_int32))
    columns = np.array(data[:len(values)])
    ata.library.ata_tensor_release(matching)
    return columns, total.value


def compare(ata, values, maximize, tally):
    rows, expected = linear_sum_assignment(values.astype(np.float64), maximize=maximize)
    matched = values[rows, expected].astype(np.float64)
    scale = max(np.abs(matched).sum(), np.finfo(np.float32).tiny)
    tally.problems += 1
    columns, total = solve(ata, values, maximize, polish=False)
    tally.worst = max(tally.worst, abs(total - matched.sum()) / scale)
    tally.differing += not np.array_equal(columns, expected)
    columns, total = solve(ata, values, maximize, polish=True)
    tally.worst_polished = max(tally.worst_polished, abs(total - matched.sum()) / scale)
    tally.differing_polished += not np.array_equal(columns, expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", help="path of libata.so")
    parser.add_argument("--problems", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    ata = Ata(arguments.library, threads=1)
    random = np.random.default_rng(arguments.seed)
    tallies = {kind: Tally() for kind in KINDS}
    for number in range(arguments.problems):
        kind = list(KINDS)[number % len(KINDS)]
        n = int(np.exp(random.uniform(0, np.log(GREATEST + 1))))
        values = np.ascontiguousarray(KINDS[kind][0](random, n), dtype=np.float32)
        compare(ata, values, number // len(KINDS) % 2, tallies[kind])
    print("| kind | problems | total off by | polished | other rows | polished |")
    print("| --- | --- | --- | --- | --- | --- |")
    good = True
    for kind, tally in tallies.items():
        print(f"| {kind} | {tally.problems} | {tally.worst:.0e} | {tally.worst_polished:.0e} | "
              f"{tally.differing} | {tally.differing_polished} |")
        good &= tally.worst <= 1e-6 and tally.worst_polished <= 1e-12
        good &= tally.differing_polished == 0 or not KINDS[kind][1]
    print("all within bounds" if good else "OUT OF BOUNDS")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
