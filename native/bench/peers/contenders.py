#!/usr/bin/env python3
"""Does one piece of work by one library, in a process of its own.

    contenders.py REQUEST           serves: a line on stdin does the work once, and is answered by a line
    contenders.py REQUEST --once    does it once, answers, and ends

REQUEST is a JSON object: `maker`, one of the functions below that are named make_..., and its other arguments
by name. It makes everything that the work needs; what it returns does the work and returns numbers, which the
other contenders must find as well. The first line that is written, before any work, has `versions`; answers have
`seconds`, `result` and `peak_bytes`, the most memory that the process ever had. Only the library at hand is loaded.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

RATE = 1e-4


# --- forward passes: logits of clips f32 [B, 3, T, H, W]

def make_ata_forward(library, model, clips, threads, precision, temporal):
    import numpy
    from libata import PRECISION, TEMPORAL, Ata
    ata = Ata(library, threads)
    session = ata.create_session(
        ata.load_model(model, precision=PRECISION[precision], temporal=TEMPORAL[temporal]))
    pixels = numpy.load(clips)
    tensor = ata.wrap(pixels)
    logits = numpy.empty((len(pixels), config_of(model)["classes"]), numpy.float32)

    def forward():
        ata.run(session, tensor, logits=logits)
        return logits.ravel()
    return forward, {"Ata": ata.version()}


def make_pytorch_forward(model, clips, threads, precision, compiled):
    import numpy
    torch = load_pytorch(threads)
    network = load_timesformer(model).eval()
    pixels = torch.from_numpy(numpy.load(clips))
    if precision == "bf16":
        network, pixels = network.to(torch.bfloat16), pixels.to(torch.bfloat16)
    network.requires_grad_(False)
    call = torch.compile(network, dynamic=False) if compiled else network

    def forward():
        with torch.inference_mode():
            return call(pixels).float().flatten().numpy()
    return forward, {"PyTorch": torch.__version__}


def make_onnxruntime_forward(onnx, clips, threads):
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # Errors.
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: numpy.load(clips)}
    return lambda: session.run(None, inputs)[0].ravel(), {"ONNX Runtime": onnxruntime.__version__}


def make_onnx_export(model, clips, onnx, threads):
    """Exports the network, for clips of one shape. Opset 23 has attention and GELU as operations."""
    import numpy
    import onnx as package
    torch = load_pytorch(threads)
    network = load_timesformer(model).eval()
    pixels = torch.from_numpy(numpy.load(clips))

    def export():
        torch.onnx.export(network, (pixels,), onnx, dynamo=True, opset_version=23, external_data=True,
                          optimize=True, verbose=False)
        return []
    return export, {"ONNX": package.__version__}


# --- training steps: (loss, norm of the gradient) of clips that have the labels 0, 1, ...

def make_ata_step(library, model, clips, threads, precision, temporal):
    import numpy
    from libata import PRECISION, TEMPORAL, Ata
    ata = Ata(library, threads)
    trainer = ata.create_trainer(ata.load_model(model, trainable=1, temporal=TEMPORAL[temporal]),
                                 precision=PRECISION[precision])
    pixels = numpy.load(clips)
    clips, labels = ata.wrap(pixels), ata.wrap(numpy.arange(len(pixels)))
    return (lambda: ata.train_step(trainer, clips, labels, RATE)), {"Ata": ata.version()}


def make_pytorch_step(model, clips, threads, precision, compiled):
    import numpy
    torch = load_pytorch(threads)
    from timesformer import adamw, train_step
    network = load_timesformer(model).train()
    pixels = torch.from_numpy(numpy.load(clips))
    labels = torch.arange(len(pixels))
    call = torch.compile(network, dynamic=False) if compiled else network
    optimizer = adamw(network, RATE, fused=True)
    return (lambda: train_step(call, network, optimizer, pixels, labels, precision)), {"PyTorch": torch.__version__}


# --- assignment: greatest totals of similarities f32 [count, N, N], a file of NumPy's

def make_ata_assignment(library, similarities, threads):
    import numpy
    from libata import Ata
    ata = Ata(library, threads)
    values = numpy.load(similarities)
    tensor = ata.wrap(values)
    return lambda: ata.assign(tensor, len(values))[1], {"Ata": ata.version()}


def make_scipy_assignment(similarities):
    import scipy
    from scipy.optimize import linear_sum_assignment
    return over_costs(similarities, lambda costs: linear_sum_assignment(costs)[1]), {"SciPy": scipy.__version__}


def make_lap_assignment(similarities):
    import lap
    return over_costs(similarities, lambda costs: lap.lapjv(costs, return_cost=False)[0]), {"lap": lap.__version__}


def over_costs(similarities, solve):
    """Both solve costs in f64: they get them, so that they need not convert."""
    import numpy
    values = numpy.load(similarities)
    problems = -values.astype(numpy.float64)
    rows = numpy.arange(values.shape[1])
    return lambda: numpy.array([-costs[rows, solve(costs)].sum() for costs in problems])


# --- what several need

def config_of(model):
    """The configuration of a checkpoint."""
    return json.loads(metadata_of(model)["config"])


def metadata_of(model):
    with open(model, "rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]


def load_pytorch(threads):
    import torch
    torch.set_num_threads(threads)
    return torch


def load_timesformer(model):
    import torch
    from safetensors.torch import load_file
    from timesformer import Config, TimeSformer
    with torch.device("meta"):
        network = TimeSformer(Config.from_metadata(metadata_of(model)))
    network.load_state_dict(load_file(model), assign=True)
    return network


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def main():
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields):
        print(json.dumps(fields), file=answers, flush=True)

    request = json.loads(sys.argv[1])
    work, versions = globals()[request.pop("maker")](**request)
    answer(versions=versions)
    for _ in [""] if sys.argv[2:] == ["--once"] else sys.stdin:
        start = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - start
        answer(seconds=seconds, result=[float(value) for value in result], peak_bytes=peak_bytes())


if __name__ == "__main__":
    main()
