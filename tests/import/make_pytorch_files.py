"""Makes the files of tests/data/pytorch: what torch.save() writes, in all its forms.

The suite reads these files and does not need this script. To make them again:

    pip install torch numpy safetensors
    python tests/import/make_pytorch_files.py

weights_<form>.pt hold the tensors of expected.safetensors (those of floating-point numbers), through
views, strides, shared storages and parameters; in training_<form>.pt they lie under "model_state"
beside what training programs keep. The others are files that must be refused, or hold nothing but
what their names say.
"""

import argparse
import collections
import io
import os
import pathlib
import shutil
import warnings
import zipfile

import numpy
import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "pytorch"


class Call:
    """Pickled as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch a-pickle-ran-a-command",)


class Unseekable(io.RawIOBase):
    """A stream, behind whose entries a zip archive keeps their sizes."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)


def weights():
    base = torch.randn(6, 8)
    with_attribute = torch.nn.Parameter(torch.randn(4))
    with_attribute.note = "kept beside the numbers"
    tensor_with_attribute = torch.randn(4)
    tensor_with_attribute.note = {"a": 1}
    normalised = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    state = collections.OrderedDict(
        matrix=torch.randn(3, 4),
        shared=base,
        transposed=base.t(),
        part=base[2:5, 1:7:2],
        expanded=torch.randn(1, 5).expand(4, 5),
        channels_last=torch.randn(1, 3, 4, 4).to(memory_format=torch.channels_last),
        half=torch.tensor([1.5, -2.0, 6e-8, 65504.0]).half(),
        half_transposed=torch.randn(3, 2).half().t(),
        bfloat16=torch.randn(2, 3).bfloat16(),
        double=torch.randn(2, 2).double(),
        parameter=torch.nn.Parameter(torch.randn(3)),
        parameter_with_attribute=with_attribute,
        tensor_with_attribute=tensor_with_attribute,
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 4),
        long=torch.arange(3),
        boolean=torch.tensor([True, False]),
    )
    state.update(normalised.state_dict())
    state._metadata = normalised.state_dict()._metadata
    return state


def training(state):
    model = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return {
        "epoch": 5, "model_state": state, "optimizer_state": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1, sizes=[1, 2]), "cfg": "x" * 500, "best": numpy.float64(3.5),
        "random": torch.get_rng_state(), "device": torch.device("cpu"), "type": torch.float16,
        "size": torch.Size([1, 2]), "set": {1}, "huge": 1 << 100, "array": numpy.arange(3),
        "none": None, "yes": True, "loss": 0.25, "a.b": {"c": {"w": torch.tensor([7.0])}}}


def repack(source, target, byte_swapped=False, **options):
    """Writes an archive of PyTorch's again, as other programs would."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w", **options) as out:
        for info in archive.infolist():
            data = archive.read(info)
            if byte_swapped and info.filename.endswith("/byteorder"):
                data = b"big"
            with out.open(info.filename, "w", force_zip64=True) as entry:
                entry.write(data)


def main():
    warnings.simplefilter("ignore")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    torch.manual_seed(0)
    state = weights()
    save_file({k: v.detach().float().contiguous().clone() for k, v in state.items()
               if v.is_floating_point()}, FOLDER / "expected.safetensors")

    for protocol in (2, 4, 5):
        torch.save(state, FOLDER / f"weights_zip_{protocol}.pt", pickle_protocol=protocol)
    for protocol in (1, 2, 4):
        torch.save(state, FOLDER / f"weights_legacy_{protocol}.pt", pickle_protocol=protocol,
                   _use_new_zipfile_serialization=False)
    torch.save(training(state), FOLDER / "training_zip.pt")
    torch.save(training(state), FOLDER / "training_legacy.pt", _use_new_zipfile_serialization=False)

    first = FOLDER / "weights_zip_2.pt"
    repack(first, FOLDER / "weights_zip64.pt")
    with open(FOLDER / "weights_streamed.pt", "wb") as file:
        repack(first, Unseekable(file))
    repack(first, FOLDER / "compressed.pt", compression=zipfile.ZIP_DEFLATED)
    # Numbers with the highest byte first, as a big-endian machine writes them.
    swapped = collections.OrderedDict(
        (k, torch.from_numpy(v.detach().numpy().byteswap().copy())) for k, v in state.items()
        if v.dtype in (torch.float32, torch.float64) and v.is_contiguous() and v.numel() > 0)
    torch.save(swapped, FOLDER / "little_endian.pt")
    repack(FOLDER / "little_endian.pt", FOLDER / "big_endian.pt", byte_swapped=True)
    (FOLDER / "little_endian.pt").unlink()

    plain = {"w": torch.ones(3)}
    torch.save({"student": plain, "teacher": dict(plain), "epoch": 1}, FOLDER / "student_teacher.pt")
    torch.save({"a": Call(), **plain}, FOLDER / "call_among_weights.pt")
    torch.save({"model": plain, "a": Call()}, FOLDER / "call_beside_weights.pt")
    torch.save({"s": torch.ones(3).to_sparse(), **plain}, FOLDER / "sparse.pt")
    torch.save({"q": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), **plain},
               FOLDER / "quantized.pt")
    torch.save({"n": numpy.ones(3), **plain}, FOLDER / "numpy_array.pt")
    torch.save({"f8": torch.ones(3).to(torch.float8_e4m3fn), **plain}, FOLDER / "float8.pt")
    torch.save({"n": torch._neg_view(torch.ones(3)), **plain}, FOLDER / "negated.pt")
    torch.save(torch.ones(3), FOLDER / "tensor.pt")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pt")
    # The old format keeps the source of the classes too, and where it was.
    torch.serialization.get_source_lines_and_file = lambda of: (["class Linear:\n"], 1, "linear.py")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module_legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(torch.nn.Linear(2, 2)).save(FOLDER / "torchscript.pt")
    numpy.savez(FOLDER / "arrays.npz", a=numpy.ones(3))
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} files, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
