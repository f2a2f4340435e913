#!/usr/bin/env python3
"""Draws icon.png, the packages' icon: a patch that moves through three frames, and the path that follows it."""

import pathlib
import struct
import zlib

SIZE, SCALE = 128, 4  # drawn SCALE times as large and averaged
BACKGROUND, FRAME, PATH, PATCH = (24, 32, 56), (92, 112, 160), (255, 255, 255), (255, 168, 52)
FRAMES = [(10, 14), (32, 30), (54, 46)]  # corners of frames of 64 x 64
PATCHES = [(26, 60), (62, 62), (94, 66)]  # middles of the patch


def distance_to_path(x, y):
    best = 1e9
    for (ax, ay), (bx, by) in zip(PATCHES, PATCHES[1:]):
        t = max(0, min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)))
        best = min(best, ((x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2) ** 0.5)
    return best


def colour(x, y):
    """The colour of a point, with alpha."""
    radius, inset = 22, 0
    dx, dy = max(radius - x, x - SIZE + radius, 0), max(radius - y, y - SIZE + radius, 0)
    if (dx * dx + dy * dy) ** 0.5 > radius - inset:
        return (0, 0, 0, 0)
    if any(abs(x - px) <= 8 and abs(y - py) <= 8 for px, py in PATCHES):
        return (*PATCH, 255)
    if distance_to_path(x, y) <= 2.2:
        return (*PATH, 255)
    for fx, fy in FRAMES:
        outside = max(abs(x - fx - 32), abs(y - fy - 32))
        if 30 <= outside <= 32:
            return (*FRAME, 255)
    return (*BACKGROUND, 255)


def pixel(x, y):
    samples = [colour(x + (i + 0.5) / SCALE, y + (j + 0.5) / SCALE) for j in range(SCALE) for i in range(SCALE)]
    alpha = sum(s[3] for s in samples)
    if alpha == 0:
        return (0, 0, 0, 0)
    return (*(round(sum(s[c] * s[3] for s in samples) / alpha) for c in range(3)), round(alpha / len(samples)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + bytes(v for x in range(SIZE) for v in pixel(x, y)) for y in range(SIZE))
header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
pathlib.Path(__file__).with_name("icon.png").write_bytes(
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
