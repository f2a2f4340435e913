#!/usr/bin/env python3
"""Measures what it gains to start a layer's assignment problems from the column duals of the layer before.

Runs a model on a clip, takes the patch tokens that enter each block, and solves the problems of every
pair of frames block after block: cold, and warm from the duals of the block before. Fails unless both
find the same totals. Needs numpy and scipy (Debian: python3-scipy).

    ata init vit.safetensors --arch vit-base
    ata sample clip.mp4 --output clip.safetensors
    native/bench/warm_start.py build/lib/libata.so vit.safetensors clip.safetensors
"""

import argparse
import ctypes
import json
import sys
import time

import numpy as np

from assignment_vs_scipy import cosine
from libata import Ata


def tokens_of_blocks(ata, session, clip, config):
    """Patch tokens [block, T, N, D] that enter each block."""
    blocks = np.arange(config["depth"], dtype=np.int32)
    patches = (config["image_size"] // config["patch_size"]) ** 2
    tokens = np.empty((len(blocks), config["frames"], patches, config["dim"]), np.float32)
    ata.run(session, clip, feature_blocks=blocks, features=tokens)
    return tokens


def config_of(ata, model):
    config = ctypes.c_char_p()
    ata.check(ata.library.ata_tensor_file_get_metadata(ata.open_tensors(model), b"config",
                                                       ctypes.byref(config)))
    return json.loads(config.value)


def similarities_of_blocks(ata, model, clip):
    """Cosine similarities [block, pair, N, N] of every two neighbouring frames."""
    pixels = ctypes.c_void_p()
    session = ata.create_session(ata.load_model(model))
    ata.check(ata.library.ata_tensor_file_get(ata.open_tensors(clip), b"clip",
                                              ctypes.byref(pixels)))
    return np.array([[cosine(now, following) for now, following in zip(tokens, tokens[1:])]
                     for tokens in tokens_of_blocks(ata, session, pixels, config_of(ata, model))])


class Assigner:
    def __init__(self, ata):
        self.ata = ata
        self.handle = ctypes.c_void_p()
        ata.check(ata.library.ata_assigner_create(None, ctypes.byref(self.handle)))

    def solve(self, values, duals):
        """Solves [count, N, N], from and into the duals unless they are None: (seconds, totals)."""
        count, size, _ = values.shape
        matching = np.empty((count, size), np.int32)
        totals = np.empty(count)

        def pointer(array):
            return None if array is None else ctypes.c_void_p(array.ctypes.data)

        def length(array):
            return ctypes.c_size_t(0 if array is None else array.size)

        start = time.perf_counter()
        status = self.ata.library.ata_assigner_solve(
            self.handle, pointer(values), length(values), ctypes.c_int64(count),
            ctypes.c_int64(size), ctypes.c_int64(size), pointer(matching), length(matching),
            pointer(totals), length(totals), pointer(duals), length(duals))
        seconds = time.perf_counter() - start
        self.ata.check(status)
        return seconds, totals


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", help="path of libata.so")
    parser.add_argument("model", help="checkpoint (safetensors)")
    parser.add_argument("clip", help="safetensors with the tensor 'clip', as 'ata sample' writes")
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    ata = Ata(arguments.library, 1)
    blocks = similarities_of_blocks(ata, arguments.model, arguments.clip)
    assigner = Assigner(ata)
    depth, pairs, size, _ = blocks.shape
    cold, warm = np.full(depth, np.inf), np.full(depth, np.inf)
    for _ in range(arguments.repeats):
        duals = np.zeros((pairs, size))
        for block, values in enumerate(blocks):
            seconds, totals = assigner.solve(values, None)
            cold[block] = min(cold[block], seconds / pairs)
            seconds, warm_totals = assigner.solve(values, duals)
            warm[block] = min(warm[block], seconds / pairs)
            if not np.allclose(totals, warm_totals, rtol=1e-6, atol=0):
                sys.exit(f"block {block}: totals differ: {totals} and {warm_totals}")
    print(f"Microseconds a problem of {size} patches, mean over {pairs} pairs of frames.")
    print("| block | cold | warm | ratio |")
    print("| --- | --- | --- | --- |")
    for block in range(1, depth):
        print(f"| {block} | {cold[block] * 1e6:.1f} | {warm[block] * 1e6:.1f} | "
              f"{cold[block] / warm[block]:.2f} |")
    print(f"| 1 to {depth - 1} | {cold[1:].mean() * 1e6:.1f} | {warm[1:].mean() * 1e6:.1f} | "
          f"{cold[1:].mean() / warm[1:].mean():.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
