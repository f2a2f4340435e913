#!/usr/bin/env python3
"""check_machine_code.py PLUGIN [--cuobjdump FILE]: what nvcc made of the kernels.

Prints for each kernel and architecture in PLUGIN (libata_cuda): registers, static shared memory, the
warps of a multiprocessor that the registers leave room for, and instructions that reach memory of a
thread's own (spilled registers, or arrays that could not be kept in registers). Fails when a kernel
has any, or lacks an instruction that its speed rests on. cuobjdump comes with the CUDA toolkit or as
the PyPI package nvidia-cuda-cuobjdump; without it the check is skipped (exit code 77).
"""

import argparse
import collections
import re
import shutil
import subprocess
import sys

SKIPPED = 77

# Of compute capability: warps that a multiprocessor holds at most; 64 where it is not named.
WARPS = {"75": 32, "86": 48, "87": 48, "89": 48, "120": 48, "121": 48}
REGISTERS = 65536
# Registers are given to a warp in lots.
LOT = 256

# A kernel whose name matches has, from this architecture on, such an instruction.
EXPECTED = [
    (r"attend_mma<", 80, r"HMMA\.16816\.F32\.BF16", "products on tensor cores"),
    (r"attend_mma<", 80, r"LDSM\.16\.M88\.4", "tiles for them, four at once"),
    (r"attend_mma<", 80, r"LDSM\.16\.MT88\.4", "transposed tiles for them"),
    (r"attend_mma<", 80, r"LDGSTS\.E.*\.128", "16-byte copies in the background"),
    (r"attend_mma<", 80, r"STG\.E\.128", "16-byte stores"),
    (r"attend_short<", 80, r"LDGSTS\.E.*\.128", "16-byte copies in the background"),
    (r"attend_short<", 75, r"LDS(\.U)?\.128", "16-byte reads of shared memory"),
    (r"attend_short<", 75, r"STG\.E\.128", "16-byte stores"),
    (r"attend_short_gradient<", 80, r"LDGSTS\.E.*\.128", "16-byte copies in the background"),
    (r"attend_short_gradient<", 75, r"STG\.E\.128", "16-byte stores"),
    (r"attend_tiles<", 75, r"LDS(\.U)?\.128", "16-byte reads of shared memory"),
    (r"fixed_point_kernel<", 80, r"REDUX", "minima of a warp in one instruction"),
    (r"split_product_kernel", 80, r"HMMA\.16816\.F32\.BF16", "products on tensor cores"),
    (r"layer_norm_registers<", 75, r"LDG\.E.*\.128", "16-byte loads"),
    (r"layer_norm_registers<float,", 75, r"STG\.E\.128", "16-byte stores"),
    (r"layer_norm_input_gradient<true>", 75, r"LDG\.E.*\.128", "16-byte loads"),
]

# Kernels that may save a few registers around a subroutine, which is no spill of a loop.
SUBROUTINES = [
    (r"cross_entropy_kernel", 8, "exp and log of float64"),
    (r"for_each_kernel<follow", 8, "division of 64-bit integers"),
    (r"update_kernel<AdamwItem", 4, "roots and divisions of float32"),
]


class Kernel:
    def __init__(self, name, architecture):
        self.name = name
        self.architecture = architecture
        self.registers = 0
        self.shared = 0
        self.instructions = collections.Counter()

    def warps(self):
        of_warp = max(LOT, -(-self.registers * 32 // LOT) * LOT)
        return min(WARPS.get(self.architecture, 64), REGISTERS // of_warp)

    def own_memory(self):
        return sum(n for i, n in self.instructions.items() if re.match(r"(LDL|STL)\b", i))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def readable(names):
    """Names without namespaces, parameters and return types, by c++filt where it is."""
    if not shutil.which("c++filt"):
        return {name: name for name in names}
    lines = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    result = {}
    for name, line in zip(names, lines):
        line = line.replace("(anonymous namespace)::", "").replace("ata::cuda::", "")
        line = line.replace("ata::", "").replace("(bool)1", "true").replace("(bool)0", "false")
        line = re.sub(r"\(int\)(\d+)", r"\1", line)
        depth, end = 0, len(line)
        for at, letter in enumerate(line):
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0:
                end = at
                break
        result[name] = re.sub(r"^void ", "", line[:end])
    return result


def read_kernels(cuobjdump, plugin):
    kernels = {}
    architecture = kernel = None

    def find(name):
        return kernels.setdefault((architecture, name), Kernel(name, architecture))

    for line in run([cuobjdump, "-res-usage", plugin]).splitlines():
        if match := re.match(r"arch = sm_(\d+)", line):
            architecture = match[1]
        elif match := re.match(r"\s*Function (\S+):", line):
            kernel = find(match[1])
        elif match := re.match(r"\s*REG:(\d+) STACK:\d+ SHARED:(\d+)", line):
            kernel.registers, kernel.shared = int(match[1]), int(match[2])
    if not kernels:
        sys.exit(f"{plugin} holds no kernels")
    for line in run([cuobjdump, "-sass", plugin]).splitlines():
        if match := re.match(r"arch = sm_(\d+)", line):
            architecture = match[1]
        elif match := re.match(r"\s*Function : (\S+)", line):
            kernel = find(match[1])
        elif match := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\S+\s+)?([A-Z][A-Z0-9_.]*)", line):
            kernel.instructions[match[1]] += 1
    names = readable([kernel.name for kernel in kernels.values()])
    for kernel in kernels.values():
        kernel.name = names[kernel.name]
    return sorted(kernels.values(), key=lambda k: (k.name, int(k.architecture)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plugin")
    parser.add_argument("--cuobjdump", default="cuobjdump")
    options = parser.parse_args()
    cuobjdump = shutil.which(options.cuobjdump)
    if cuobjdump is None:
        print(f"skipped: {options.cuobjdump} was not found; it comes with the CUDA toolkit or by "
              "`pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm`")
        return SKIPPED

    kernels = read_kernels(cuobjdump, options.plugin)
    faults = []
    width = max(len(kernel.name) for kernel in kernels)
    print(f"{'kernel':{width}}  sm  registers  static shared  warps by registers  own memory")
    for kernel in kernels:
        print(f"{kernel.name:{width}} {kernel.architecture:>3}  {kernel.registers:>9}  "
              f"{kernel.shared:>13}  {kernel.warps():>18}  {kernel.own_memory():>10}")
        if not kernel.instructions:
            faults.append(f"{kernel.name}, sm_{kernel.architecture}: no instructions were read")
        allowed = [most for name, most, _ in SUBROUTINES if re.search(name, kernel.name)]
        if kernel.own_memory() > max(allowed, default=0):
            faults.append(f"{kernel.name}, sm_{kernel.architecture}: {kernel.own_memory()} "
                          "instructions reach memory of a thread's own")
    for pattern, first, instruction, why in EXPECTED:
        matching = [k for k in kernels if re.match(pattern, k.name)]
        if not matching:
            faults.append(f"no kernel is named {pattern}")
        for kernel in matching:
            if int(kernel.architecture) >= first and not any(
                    re.match(instruction, found) for found in kernel.instructions):
                faults.append(f"{kernel.name}, sm_{kernel.architecture}: no {instruction} ({why})")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
