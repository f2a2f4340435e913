#!/usr/bin/env python3
"""Compares Ata's assignment solver with scipy's linear_sum_assignment.

Makes the matrices, solves the same ones with both in one run on one core, and prints microseconds a
problem, the ratio, and how the totals compare. Needs numpy and scipy (Debian: python3-scipy).

    native/bench/assignment_vs_scipy.py build/lib/libata.so

Kinds of matrices (g x g patches, N = g * g), all cosine similarities but the first:
    uni   independent, uniform
    s0.5  smooth features of 768 channels against themselves one patch further, noise 0.5
    lr4   the same with features of rank 4, noise 0.02
    clu   8 prototypes in flat regions, noise 1e-3: near-ties everywhere
    vit   a strong common part, smooth content of rank 32, noise 0.3 in both frames
"""

import argparse
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from libata import Ata

CHANNELS = 768
MARGIN = 3
# (side of the grid, kind): how many times faster than scipy the project promises to be.
PROMISED = {
    (7, "s0.5"): 12,
    (14, "s0.5"): 50, (14, "vit"): 40, (14, "uni"): 40, (14, "lr4"): 17, (14, "clu"): 17,
    (28, "s0.5"): 27, (28, "vit"): 27, (28, "uni"): 15, (28, "lr4"): 15, (28, "clu"): 15,
}


def smooth(random, side, channels, sigma=1.0):
    """White noise blurred over the grid, of unit variance, with a margin to shift into."""
    full = side + 2 * MARGIN
    field = random.standard_normal((full, full, channels), dtype=np.float32)
    field = gaussian_filter(field, (sigma, sigma, 0), mode="wrap")
    return field / field.std()


def frames(field, side):
    """The grid, and the same grid one patch further."""
    rows = slice(MARGIN, MARGIN + side)
    now = field[rows, MARGIN:MARGIN + side].reshape(side * side, -1)
    following = field[rows, MARGIN + 1:MARGIN + 1 + side].reshape(side * side, -1)
    return now.astype(np.float32), following.astype(np.float32)


def noisy(random, features, deviation):
    return features + deviation * random.standard_normal(features.shape, dtype=np.float32)


def cosine(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return (a @ b.T).astype(np.float32)


def make_problem(random, kind, side):
    if kind == "uni":
        return random.random((side * side, side * side), dtype=np.float32)
    if kind == "s0.5":
        now, following = frames(smooth(random, side, CHANNELS), side)
        return cosine(now, noisy(random, following, 0.5))
    if kind == "lr4":
        mix = random.standard_normal((4, CHANNELS)).astype(np.float32) / 2
        now, following = frames(smooth(random, side, 4) @ mix, side)
        return cosine(now, noisy(random, following, 0.02))
    if kind == "clu":
        prototypes = random.standard_normal((8, CHANNELS)).astype(np.float32)
        label = np.argmax(smooth(random, side, 8, 1.5), axis=-1)
        now, following = frames(prototypes[label], side)
        return cosine(noisy(random, now, 1e-3), noisy(random, following, 1e-3))
    if kind == "vit":
        mix = random.standard_normal((32, CHANNELS)).astype(np.float32) / np.sqrt(32)
        common = random.standard_normal(CHANNELS).astype(np.float32)
        now, following = frames(smooth(random, side, 32, 1.2) @ mix + common, side)
        return cosine(noisy(random, now, 0.3), noisy(random, following, 0.3))
    raise ValueError(kind)


def scipy_solve(matrix):
    start = time.perf_counter()
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    seconds = time.perf_counter() - start
    return seconds, matrix[rows, columns].sum(dtype=np.float64)


def compare(ata, random, kind, side, count, repeats):
    problems = np.stack([make_problem(random, kind, side) for _ in range(count)])
    batch = ata.wrap(problems)
    singles = [ata.wrap(problem) for problem in problems]
    ours, polished = [], []
    single = np.full(count, np.inf)
    scipy_single = np.full(count, np.inf)
    # Alternating, so that both see the same disturbances; the least of the repeats counts. A batch
    # of ours is over as soon as one of scipy's problems, so that it gets more repeats.
    for _ in range(repeats):
        for _ in range(10):
            seconds, totals = ata.assign(batch, count)
            ours.append(seconds / count)
        seconds, exact = ata.assign(batch, count, polish=True)
        polished.append(seconds / count)
        for k, tensor in enumerate(singles):
            single[k] = min(single[k], ata.assign(tensor, 1)[0])
        solved = [scipy_solve(problem) for problem in problems]
        scipy_single = np.minimum(scipy_single, [seconds for seconds, _ in solved])
    reference = np.array([total for _, total in solved])
    for tensor in singles + [batch]:
        ata.library.ata_tensor_release(tensor)
    best, scipy_best = min(ours), np.mean(scipy_single)
    promised = PROMISED.get((side, kind))
    print(f"| {side * side} | {kind} | {scipy_best * 1e6:.0f} | {best * 1e6:.1f} | "
          f"{scipy_best / best:.1f} | {promised or ''} | {min(polished) * 1e6:.1f} | "
          f"{np.max(single) / np.median(single):.2f} | "
          f"{np.max(np.abs(totals - reference) / np.abs(reference)):.0e} | "
          f"{np.max(np.abs(exact - reference) / np.abs(reference)):.0e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", help="path of libata.so")
    parser.add_argument("--sides", default="7,14,28", help="grid sides (default: %(default)s)")
    parser.add_argument("--kinds", default="uni,s0.5,lr4,clu,vit")
    parser.add_argument("--problems", type=int, default=40, help="problems of N <= 256 (default 40)")
    parser.add_argument("--repeats", type=int, default=40,
                        help="least times count; they settle after some dozens (default: 40)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    ata = Ata(arguments.library, arguments.threads)
    random = np.random.default_rng(arguments.seed)
    print("Microseconds a problem (mean over the problems, least of the repeats); differences of the"
          " totals are relative to scipy's.")
    print("| N | kind | scipy | ata | ratio | promised | polished | worst / median | difference | "
          "polished difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for side in (int(side) for side in arguments.sides.split(",")):
        count = arguments.problems if side <= 16 else max(2, arguments.problems // 8)
        for kind in arguments.kinds.split(","):
            compare(ata, random, kind, side, count, arguments.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
