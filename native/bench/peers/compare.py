#!/usr/bin/env python3
"""Compares Ata with PyTorch, ONNX Runtime, SciPy and lap: run.sh beside it makes what this needs, and starts it.

Each contender is a process of its own (contenders.py). Of one piece of work all are started and warmed up, their
answers are compared with Ata's, and then they take turns, round after round. A round of short work is as many
calls as take a quarter of a second, and their median.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, ".."))

import report
from contenders import metadata_of
from libata import Ata

PARTS = {
    "forward": "a forward pass of ViT-B/16, one clip of 8 x 224 x 224, f32 and bf16",
    "train": "a training step of it",
    "assignment": "exact assignment, 49 to 784 patches",
    "start": "from nothing to the first prediction, and the memory of that",
    "small": "a forward pass and a training step of ViT-Ti/16, 8 x 96 x 96",
    "batch": "a forward pass of ViT-B/16, 8 clips of 8 x 224 x 224",
    "long": "a forward pass of ViT-B/16, one clip of 96 x 224 x 224",
}
USUAL = ["forward", "train", "assignment", "start"]
WARM_UPS = 2
HEAVY_ROUNDS = 3  # At most, after one call to warm up, of work that takes many seconds.
LEAST_SECONDS = 0.25  # Of a round.
REST_SECONDS = 0.2  # Between turns: threads of the one before may spin a while, waiting for work.
COMPARED = 5  # So many first answers are compared: training steps depend on those before.
TOLERANCE = {"f32": 1e-4, "bf16": 5e-2, "totals": 1e-6}

BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:4.0f} s] {text}", file=sys.stderr, flush=True)


class ContenderFailed(Exception):
    pass


class Contender:
    """A name, and a request to contenders.py, which is served while it is started."""

    def __init__(self, name, **request):
        self.name, self.request = name, request
        self.process = self.log = None
        self.samples, self.answers, self.peaks = [], [], []

    def command(self, *options):
        return [sys.executable, os.path.join(FOLDER, "contenders.py"), json.dumps(self.request), *options]

    def start(self, settings):
        self.log = tempfile.TemporaryFile("w+", dir=settings.folder)
        self.process = subprocess.Popen(self.command(), env=settings.environment, text=True, stderr=self.log,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        settings.versions.update(self.receive()["versions"])

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise ContenderFailed(self.last_words() or f"it ended with {self.process.returncode}")
        return json.loads(line)

    def last_words(self):
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        return lines[-1] if lines else ""

    def work(self):
        """Does the work once, and returns the seconds."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It has ended, and there is no answer.
        return self.take(self.receive())

    def take(self, answer):
        self.peak_bytes = answer["peak_bytes"]
        if len(self.answers) < COMPARED:
            self.answers.append(answer["result"])
        return answer["seconds"]

    def warm_up(self, calls):
        for _ in range(calls):
            self.work()

    def round(self):
        time.sleep(REST_SECONDS)
        seconds = []
        while sum(seconds) < LEAST_SECONDS:
            seconds.append(self.work())
        self.samples.append(float(np.median(seconds)))
        self.peaks.append(self.peak_bytes)

    def whole_process(self, settings):
        """Starts a process that does the work once, and returns the seconds until it has ended."""
        time.sleep(REST_SECONDS)
        begin = time.perf_counter()
        done = subprocess.run(self.command("--once"), env=settings.environment, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True)
        seconds = time.perf_counter() - begin
        if done.returncode != 0:
            raise ContenderFailed((done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1])
        versions, answer = map(json.loads, done.stdout.splitlines())
        settings.versions.update(versions["versions"])
        self.take(answer)
        return seconds

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.process = None


class Settings:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.rounds, self.threads = arguments.rounds, arguments.threads
        self.versions = {"Python": platform.python_version()}
        # Compiled anew in every run, without a GPU.
        self.environment = dict(os.environ, OMP_NUM_THREADS=str(self.threads), CUDA_VISIBLE_DEVICES="",
                                TORCHINDUCTOR_CACHE_DIR=os.path.join(folder, "inductor"))

    def path(self, name):
        return os.path.join(self.folder, name)


def moving_clips(batch, frames, size):
    """f32 [B, 3, T, H, W]: smooth textures that move by 5 pixels a frame, with noise, in which alignment finds
    what it finds in videos."""
    random = np.random.default_rng(3)
    clips = 0.1 * random.standard_normal((batch, 3, frames, size, size), dtype=np.float32)
    t, y, x = (axis.astype(np.float32) for axis in np.ogrid[:frames, :size, :size])
    for clip in clips:
        for frequency_x, frequency_y, phase, amplitude in random.standard_normal((24, 4)).astype(np.float32):
            for channel, pixels in enumerate(clip):
                pixels += 0.3 * amplitude * np.sin(0.1 * frequency_x * (x - 5 * t) + 0.1 * frequency_y * (y + 3 * t) +
                                                   6.28 * phase * (channel + 1))
    return clips


class Comparison:
    def __init__(self, settings):
        self.settings = settings
        self.ata = Ata(settings.arguments.library, settings.threads)
        self.rows = []
        self.kept = {}

    # --- what is worked on

    def once(self, name, make):
        """The path of a file that several parts need."""
        path = self.settings.path(name)
        if name not in self.kept:
            make(path)
            self.kept[name] = path
        return path

    def model(self, size, frames, image_size):
        """A checkpoint in which nothing is zero: a new model's temporal steps and biases are."""
        def make(path):
            from safetensors.numpy import load_file, save_file
            model = self.ata.create_model(size, 1, frames=frames, image_size=image_size)
            self.ata.save_model(model, path)
            self.ata.library.ata_model_release(model)
            metadata, tensors = metadata_of(path), load_file(path)
            random = np.random.default_rng(1)
            for name in sorted(tensors):
                if name.endswith(".bias") or name.endswith("temporal_fc.weight"):
                    noise = random.standard_normal(tensors[name].shape, dtype=np.float32)
                    tensors[name] = tensors[name] + np.float32(0.02) * noise
            save_file(tensors, path, metadata)
        return self.once(f"{size}-{frames}x{image_size}.safetensors", make)

    def clips(self, batch, frames, image_size):
        return self.once(f"clips-{batch}x{frames}x{image_size}.npy",
                         lambda path: np.save(path, moving_clips(batch, frames, image_size)))

    def onnxruntime(self, title, model, clips):
        """The contender, if the network can be exported."""
        threads = self.settings.threads

        def make(path):
            say("the network is exported to ONNX")
            export = Contender("export", maker="make_onnx_export", model=model, clips=clips, onnx=path,
                               threads=threads)
            try:
                export.start(self.settings)
                export.work()
            finally:
                export.stop()
        try:
            onnx = self.once(f"{os.path.basename(model)}-{os.path.basename(clips)}.onnx", make)
        except ContenderFailed as error:
            self.fail(title, "ONNX Runtime", f"the export: {error}")
            return []
        return [Contender("ONNX Runtime", maker="make_onnxruntime_forward", clips=clips, onnx=onnx, threads=threads)]

    # --- turns

    def take_turns(self, title, contenders, heavy=False):
        """The contenders that did the work, of the first of which are the right answers. Others are noted."""
        running, first = [], contenders[0]
        try:
            for contender in contenders:
                say(f"{title}: {contender.name} starts")
                begin = time.monotonic()
                try:
                    contender.start(self.settings)
                    contender.warm_up(1 if heavy else WARM_UPS)
                except ContenderFailed as error:
                    self.fail(title, contender.name, str(error))
                    contender.stop()
                    if contender is first:
                        return []
                    continue
                running.append(contender)
                say(f"{title}: {contender.name} is warm after {time.monotonic() - begin:.0f} s")
            rounds = min(self.settings.rounds, HEAVY_ROUNDS) if heavy else self.settings.rounds
            for number in range(rounds):
                # Each is first once in a while: what follows a long wait may be slower.
                turn = number % len(running)
                for contender in running[turn:] + running[:turn]:
                    try:
                        contender.round()
                    except ContenderFailed as error:
                        self.fail(title, contender.name, str(error))
                        running.remove(contender)
                if first not in running:
                    return []
                say(f"{title}: round {number + 1} of {rounds}: " +
                    "; ".join(f"{contender.name} {report.quantity(contender.samples[-1:])}" for contender in running))
            return running
        finally:
            for contender in contenders:
                contender.stop()

    def fail(self, title, name, why):
        say(f"{title}: {name} FAILED: {why}")
        self.rows.append(report.Row(title, name, [], [], "", failure=why))

    def add_row(self, title, ours, theirs, tolerance, note=""):
        """`tolerance` is None where the two compute different things."""
        answers, failure = "another network", ""
        if tolerance is not None:
            count = min(len(ours.answers), len(theirs.answers))
            right, found = np.asarray(ours.answers[:count]), np.asarray(theirs.answers[:count])
            difference = float(np.abs(found - right).max() / np.abs(right).max())
            answers = f"{difference:.0e}" if difference else "0"
            if not difference <= tolerance:
                failure = f"the answers differ by {difference:.1e}, and {tolerance:.0e} is allowed"
                say(f"{title}: {theirs.name} FAILED: {failure}")
        self.rows.append(report.Row(title, theirs.name, ours.samples, theirs.samples, answers, failure=failure,
                                    note=note))

    def add_memory_row(self, title, ours, theirs):
        self.rows.append(report.Row(title, theirs.name, ours.peaks, theirs.peaks, "", unit="bytes"))

    def compare_models(self, title, kind, model, clips, precision, compiled=False, exact=False, memory=False,
                       heavy=False):
        """Ata in mode `divided`, which is the peers' network, and with `exact` alignment, too."""
        common = dict(model=model, clips=clips, threads=self.settings.threads, precision=precision)
        ours = dict(common, maker=f"make_ata_{kind}", library=self.settings.arguments.library)
        theirs = dict(common, maker=f"make_pytorch_{kind}")
        title = f"{title}, {precision}"
        divided = Contender("Ata, divided", temporal="divided", **ours)
        aligned = [Contender("Ata, exact alignment", temporal="ata", **ours)] if exact else []
        peers = [Contender("PyTorch, eager", compiled=False, **theirs)]
        if compiled:
            peers.append(Contender("PyTorch, compiled", compiled=True, **theirs))
        if kind == "forward" and precision == "f32":
            peers += self.onnxruntime(title, model, clips)
        running = self.take_turns(title, [divided, *aligned, *peers], heavy)
        if divided not in running:
            return
        peers = [peer for peer in peers if peer in running]
        for peer in peers:
            self.add_row(title, divided, peer, TOLERANCE[precision])
        for contender in aligned:
            if contender in running:
                title_of_aligned = f"{title}, with exact alignment"
                self.add_row(title_of_aligned, contender, divided, None, note="the price of alignment")
                for peer in peers:
                    self.add_row(title_of_aligned, contender, peer, None)
        for peer in peers:
            # A compiler's memory is not the work's.
            if memory and peer.name != "PyTorch, compiled":
                self.add_memory_row(f"{title}: most memory", divided, peer)

    # --- parts

    def forward(self):
        model, clips = self.model("vit-base", 8, 224), self.clips(1, 8, 224)
        for precision in ("f32", "bf16"):
            self.compare_models("forward", "forward", model, clips, precision, compiled=True, exact=True)

    def train(self):
        model, clips = self.model("vit-base", 8, 224), self.clips(1, 8, 224)
        for precision in ("f32", "bf16"):
            self.compare_models("training step", "step", model, clips, precision, compiled=self.settings.arguments.all,
                                exact=True, memory=True)

    def small(self):
        model, clips = self.model("vit-tiny", 8, 96), self.clips(1, 8, 96)
        for precision in ("f32", "bf16"):
            self.compare_models("ViT-Ti/16, 96 pixels: forward", "forward", model, clips, precision, compiled=True)
            self.compare_models("ViT-Ti/16, 96 pixels: training step", "step", model, clips, precision)

    def batch(self):
        model, clips = self.model("vit-base", 8, 224), self.clips(8, 8, 224)
        for precision in ("f32", "bf16"):
            self.compare_models("8 clips: forward", "forward", model, clips, precision, memory=True, heavy=True)

    def long(self):
        model, clips = self.model("vit-base", 96, 224), self.clips(1, 96, 224)
        for precision in ("f32", "bf16"):
            self.compare_models("96 frames: forward", "forward", model, clips, precision, memory=True, heavy=True)

    def assignment(self):
        from assignment_vs_scipy import make_problem
        kinds = ("vit", "s0.5", "uni", "lr4", "clu") if self.settings.arguments.all else ("vit",)
        for side, count in ((7, 40), (14, 40), (28, 5)):
            for kind in kinds:
                random = np.random.default_rng(7)
                path = self.settings.path("similarities.npy")
                np.save(path, np.stack([make_problem(random, kind, side) for _ in range(count)]))
                title = f"assignment, {side * side} patches, {kind}, {count} problems, one thread"
                contenders = [
                    Contender("Ata", maker="make_ata_assignment", similarities=path, threads=1,
                              library=self.settings.arguments.library),
                    Contender("SciPy, linear_sum_assignment", maker="make_scipy_assignment", similarities=path),
                    Contender("lap, lapjv", maker="make_lap_assignment", similarities=path)]
                running = self.take_turns(title, contenders)
                for peer in running[1:]:
                    self.add_row(title, running[0], peer, TOLERANCE["totals"])

    def start(self):
        model, clips = self.model("vit-base", 8, 224), self.clips(1, 8, 224)
        common = dict(clips=clips, threads=self.settings.threads)
        title = "start to the first prediction, f32"
        contenders = [
            Contender("Ata, divided", maker="make_ata_forward", library=self.settings.arguments.library, model=model,
                      precision="f32", temporal="divided", **common),
            Contender("PyTorch, eager", maker="make_pytorch_forward", model=model, precision="f32", compiled=False,
                      **common),
            *self.onnxruntime(title, model, clips)]
        running = list(contenders)
        # The first round fills the system's cache of files, and does not count.
        for number in range(self.settings.rounds + 1):
            for contender in list(running):
                try:
                    seconds = contender.whole_process(self.settings)
                except ContenderFailed as error:
                    self.fail(title, contender.name, str(error))
                    running.remove(contender)
                    continue
                if number > 0:
                    contender.samples.append(seconds)
                    contender.peaks.append(contender.peak_bytes)
            say(f"{title}: round {number} of {self.settings.rounds}")
        if contenders[0] in running:
            for peer in running[1:]:
                self.add_row(title, running[0], peer, TOLERANCE["f32"])
            for peer in running[1:]:
                self.add_memory_row("most memory until the first prediction, f32", running[0], peer)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    names = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(names.get("flags", "").split())
    special = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{names.get('model name', platform.machine())} ({', '.join(special) or 'no AVX2'})"


def facts_of(settings, load):
    """What a reader of the table must know."""
    busy = " (OTHERS USE THIS MACHINE: threads that spin suffer most, and ratios say little)" if load > 0.5 else ""
    return [
        f"Processor: {processor()}, {settings.threads} threads; load when it began: {load:.1f}{busy}",
        f"Versions: {', '.join(f'{name} {version}' for name, version in settings.versions.items())}; "
        f"{platform.system()} {platform.release()}",
        f"Rounds: {settings.rounds}, in turns, after {WARM_UPS} calls to warm up ({HEAVY_ROUNDS} after one of 8 clips and "
        "of 96 frames); medians (the best in brackets); ratios: the peer's over Ata's",
        "Answers: logits; loss and norm of the gradient, step by step; totals. Greatest difference, relative to the "
        "greatest value",
        "bf16: Ata keeps residual stream and norms in f32. PyTorch's forward pass is bf16 throughout, its training step "
        "autocast",
    ]


def parse(words):
    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__.split("\n")[0])
    parser.add_argument("library", help="path of libata.so")
    parser.add_argument("output", help="folder for table.md, and for what is needed on the way")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default=",".join(USUAL), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--all", action="store_true", help="every part, and every kind of similarities")
    arguments = parser.parse_args(words)
    arguments.parts = list(PARTS) if arguments.all else [part for part in arguments.only.split(",") if part]
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"--only: there is no part '{part}'; there are: {', '.join(PARTS)}")
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads must be above 0")
    return arguments


def main():
    arguments = parse(sys.argv[1:])
    # So that what was made on the way is removed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    load = os.getloadavg()[0]
    table = os.path.join(arguments.output, "table.md")
    with tempfile.TemporaryDirectory(dir=arguments.output) as folder:
        settings = Settings(arguments, folder)
        comparison = Comparison(settings)
        for part in arguments.parts:
            say(f"{part}: {PARTS[part]}")
            getattr(comparison, part)()
            with open(table, "w", encoding="utf-8") as file:
                file.write(report.markdown(facts_of(settings, load), comparison.rows))
    print(report.text(facts_of(settings, load), comparison.rows))
    print(f"The same as Markdown: {table}")
    return 1 if any(row.failure for row in comparison.rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, RuntimeError) as error:  # No library, another version of it, no space left.
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)
