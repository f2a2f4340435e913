#!/usr/bin/env python3
"""Times Ata beside PyTorch, in turns in one run, on the same network, weights and shapes.

    compare_with_pytorch.py CUDA_BENCH RESULT.json [--what forward,step,assignment] [--device cuda]
                            [--small] [--seconds N]

The network is native/bench/peers/timesformer.py as ViT-B/16; Ata reads its checkpoint in mode `divided`. Before
anything is timed, logits and the losses of a few training steps of both are compared. Then PyTorch (as it is,
`eager`, and by torch.compile) and Ata take turns, round after round; ratios are of the medians over the rounds.
Inference runs in bf16 throughout, training steps by autocast to bf16 with f32 weights and fused AdamW. Ata's logits
and losses are on the host at the end of each call, and so are PyTorch's.

`assignment` compares exact assignment with torch-linear-assignment (`batch_linear_assignment`), where that is
installed, and totals with scipy's.

CUDA_BENCH is native/bench/cuda's program; on an emulated GPU (ATA_CUDA_PLUGIN) results are compared and nothing is
timed. RESULT.json is written anew after every step, so that what was found is there however the run ends. Exits
with 1 where results differ or something failed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

import numpy
import torch
from safetensors.torch import save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../native/bench/peers"))
from timesformer import Config, TimeSformer, adamw, train_step

ROUNDS = 5
BATCHES = (1, 16)
SMALL = Config(image_size=24, patch_size=8, dim=32, depth=2, heads=2, frames=3, classes=5)


class Ata:
    """cuda_bench --serve: one request and one answer a line."""

    def __init__(self, program, small):
        self.process = subprocess.Popen([program, "--serve"] + (["--small"] if small else []), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and there is no answer
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"cuda_bench ended with {self.process.wait()} at {request}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"cuda_bench: {answer['error']}")
        return answer


class Comparison:
    def __init__(self, arguments):
        self.arguments = arguments
        self.end = time.monotonic() + arguments.seconds
        self.device = torch.device(arguments.device)
        self.times_it = self.device.type == "cuda"
        self.config = SMALL if arguments.small else Config()
        self.ata = Ata(arguments.cuda_bench, arguments.small)
        self.folder = tempfile.TemporaryDirectory()
        # A later run of one RESULT.json keeps what an earlier one found of other things.
        try:
            with open(arguments.result, encoding="utf-8") as file:
                self.result = json.load(file)
        except FileNotFoundError:
            self.result = {"checks": {}, "times": {}, "notes": [], "failures": []}
        self.result["torch"] = torch.__version__
        torch.manual_seed(1)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.network = TimeSformer(self.config)
        self.model_path = os.path.join(self.folder.name, "model.safetensors")
        save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, self.model_path,
                  self.config.metadata())
        self.ata.ask(do="load", model=self.model_path)

    def note(self, text):
        self.result["notes"].append(text)
        print(text, flush=True)
        self.write()

    def fail(self, text):
        self.result["failures"].append(text)
        print("FAILED:", text, flush=True)
        self.write()

    def write(self):
        partial = self.arguments.result + ".part"
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(self.result, file, indent=1)
        os.replace(partial, self.arguments.result)

    def clips(self, batch):
        size = self.config.image_size
        return torch.randn(batch, 3, self.config.frames, size, size, generator=torch.Generator().manual_seed(batch))

    def check(self, name, found, wanted, tolerance):
        found, wanted = numpy.asarray(found, numpy.float64), numpy.asarray(wanted, numpy.float64)
        error = float(numpy.linalg.norm(found - wanted) / numpy.linalg.norm(wanted))
        self.result["checks"][name] = {"error": error, "tolerance": tolerance}
        print(f"{name}: relative difference {error:.2e}, allowed {tolerance:.0e}", flush=True)
        if not error <= tolerance:
            self.fail(f"{name}: Ata and PyTorch differ by {error:.2e}, and {tolerance:.0e} is allowed")
        self.write()

    def check_logits(self):
        clips = self.clips(2)
        path = os.path.join(self.folder.name, "clips.f32")
        clips.numpy().tofile(path)
        with torch.no_grad():
            wanted = self.network(clips).numpy().ravel()
        for precision, tolerance in (("f32", 1e-4), ("bf16", 2e-2)):
            found = self.ata.ask(do="logits", precision=precision, clips=path, batch=2)["logits"]
            self.check(f"logits, {precision}", found, wanted, tolerance)

    def check_losses(self):
        clips, labels = self.clips(2), torch.tensor([1, 3])
        path = os.path.join(self.folder.name, "clips.f32")
        clips.numpy().tofile(path)
        network = self.copy().float()
        optimizer = adamw(network, 1e-4, fused=False)
        wanted = [train_step(network, network, optimizer, clips, labels, "f32")[0] for _ in range(3)]
        for precision, tolerance in (("f32", 1e-3), ("bf16", 2e-2)):
            found = self.ata.ask(do="losses", precision=precision, clips=path, batch=2, labels=labels.tolist(),
                                 rate=1e-4, steps=3)["losses"]
            self.check(f"losses of three AdamW steps, {precision}", found, wanted, tolerance)

    def copy(self):
        network = TimeSformer(self.config)
        network.load_state_dict(self.network.state_dict())
        return network

    def seconds_of(self, run):
        """Median of a call; each is waited for."""
        for _ in range(3):
            run()
        samples, begin = [], time.perf_counter()
        while len(samples) < 5 or time.perf_counter() - begin < 0.2:
            start = time.perf_counter()
            run()
            torch.cuda.synchronize()
            samples.append(time.perf_counter() - start)
        return statistics.median(samples)

    def forward_of(self, network, batch):
        clips = self.clips(batch).to(self.device, torch.bfloat16)

        def run():
            with torch.inference_mode():
                return network(clips).float().cpu()
        return run

    def step_of(self, network, call, batch):
        clips = self.clips(batch).to(self.device)
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        optimizer = adamw(network, 1e-5, fused=self.times_it)
        return lambda: train_step(call, network, optimizer, clips, labels, "bf16")

    def take_turns(self, what):
        """Rounds of eager, compiled and Ata, for each batch; compiled comes when there is time for it."""
        for batch in BATCHES:
            variants = {}
            if what == "forward":
                network = self.copy().to(self.device, torch.bfloat16).eval()
                variants["eager"] = self.forward_of(network, batch)
            else:
                network = self.copy().to(self.device)
                variants["eager"] = self.step_of(network, network, batch)
            if not self.times_it:
                # The program itself is tried; on the CPU torch.compile would need a compiler and a minute.
                variants["eager"]()
                continue
            variants["ata"] = lambda: self.ata.ask(do=what, mode="divided", precision="bf16", batch=batch)
            self.rounds(what, batch, variants)
            if time.monotonic() > self.end - 30:
                self.note(f"{what}, batch {batch}: no time was left for torch.compile")
                continue
            torch.compiler.reset()
            begin = time.monotonic()
            if what == "forward":
                variants["compiled"] = self.forward_of(torch.compile(network, dynamic=False), batch)
            else:
                variants["compiled"] = self.step_of(network, torch.compile(network, dynamic=False), batch)
            try:
                variants["compiled"]()
            except Exception as error:  # torch.compile's own failures are of no class
                self.fail(f"{what}, batch {batch}: torch.compile failed: {str(error).splitlines()[0]}")
                continue
            self.note(f"{what}, batch {batch}: torch.compile took {time.monotonic() - begin:.0f} s")
            self.rounds(what, batch, variants)

    def rounds(self, what, batch, variants):
        samples = {name: [] for name in variants}
        for _ in range(ROUNDS):
            for name, run in variants.items():
                samples[name].append(run()["seconds"] if name == "ata" else self.seconds_of(run))
        medians = {name: statistics.median(values) for name, values in samples.items()}
        entry = {"samples": samples, "seconds": medians,
                 "ratios": {name: value / medians["ata"] for name, value in medians.items() if name != "ata"}}
        self.result["times"][f"{what}, batch {batch}"] = entry
        print(f"{what}, batch {batch}:", ", ".join(f"{n} {1e3 * s:.2f} ms" for n, s in medians.items()), flush=True)
        self.write()

    def assignment(self):
        count, size = (20, 49) if self.arguments.small else (2000, 196)
        try:
            from torch_linear_assignment import batch_linear_assignment
        except ImportError as error:
            batch_linear_assignment = None
            self.note(f"torch-linear-assignment is not there ({error}): exact assignment is not compared with it")
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError as error:
            linear_sum_assignment = None
            self.note(f"scipy is not there ({error}): totals are not compared with it")
        for kind in ("easy", "hard"):
            path = os.path.join(self.folder.name, "values.f32")
            request = {"do": "assignment", "kind": kind, "count": count, "size": size, "values": path}
            answer = self.ata.ask(**request)
            values = numpy.fromfile(path, numpy.float32).reshape(count, size, size)
            if linear_sum_assignment:
                some = range(0, count, max(1, count // 50))
                wanted = [values[i][linear_sum_assignment(values[i], maximize=True)].astype(numpy.float64).sum()
                          for i in some]
                self.check(f"totals, {kind}", [answer["totals"][i] for i in some], wanted, 1e-6)
            if not batch_linear_assignment or not self.times_it:
                continue
            costs = -torch.from_numpy(values).to(self.device)
            samples = {"ata": [], "torch-linear-assignment": []}
            for _ in range(3):
                start = time.perf_counter()
                matching = batch_linear_assignment(costs)
                torch.cuda.synchronize()
                samples["torch-linear-assignment"].append(time.perf_counter() - start)
                samples["ata"].append(self.ata.ask(**request)["seconds"])
            theirs = -torch.gather(costs, 2, matching.long()[:, :, None]).double().sum((1, 2)).cpu().numpy()
            # Theirs may fall short of the optimum; ours may not fall short of theirs.
            ours = numpy.asarray(answer["totals"])
            ahead = float(((theirs - ours) / abs(ours)).max())
            self.note(f"assignment, {kind}: torch-linear-assignment's worst total falls short of Ata's by "
                      f"{float(((ours - theirs) / abs(ours)).max()):.1e}, its best is ahead by {max(ahead, 0):.1e}")
            if not ahead <= 1e-6:
                self.fail(f"assignment, {kind}: torch-linear-assignment found totals greater by {ahead:.1e}")
            medians = {name: statistics.median(times) for name, times in samples.items()}
            self.result["times"][f"assignment, {kind}"] = {
                "samples": samples, "seconds": medians,
                "ratios": {"torch-linear-assignment": medians["torch-linear-assignment"] / medians["ata"]}}
            self.write()

    def run(self):
        for what in self.arguments.what.split(","):
            try:
                if what == "assignment":
                    self.assignment()
                    continue
                self.check_logits() if what == "forward" else self.check_losses()
                self.take_turns(what)
            except Exception:  # of one part; the others go on
                self.fail(f"{what}: {traceback.format_exc().strip().splitlines()[-1]}")
                traceback.print_exc()
        if not self.times_it:
            self.note("no GPU: results were compared, and NOTHING WAS MEASURED")
        self.write()
        return 1 if self.result["failures"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cuda_bench")
    parser.add_argument("result")
    parser.add_argument("--what", default="forward,step,assignment")
    parser.add_argument("--device", default="cuda", help="PyTorch's: cuda, or cpu, where nothing is timed")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    unknown = set(arguments.what.split(",")) - {"forward", "step", "assignment"}
    if unknown:
        parser.error(f"--what: {', '.join(sorted(unknown))}")
    try:
        return Comparison(arguments).run()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
