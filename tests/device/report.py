#!/usr/bin/env python3
"""Makes one table of what run.sh left in a folder of results.

    report.py RESULTS [--emulated]

Exits with 1 where a phase failed, 3 where all ran and something that is asked for was not reached or not measured,
else with 0. With --emulated nothing is asked for but that phases pass.
"""

import argparse
import json
import os
import sys


class Results:
    def __init__(self, folder):
        self.folder = folder
        self.phases = [line.split("\t") for line in self.text("phases.tsv").splitlines()]
        self.benchmarks, self.context, self.errors = {}, {}, []
        for name in ("assignment", "operations", "models"):
            self.read_benchmarks(name)
        self.times, self.checks, self.notes = {}, {}, []
        for name in ("pytorch-forward", "pytorch-step"):
            found = self.json(name)
            self.times.update(found.get("times", {}))
            self.checks.update(found.get("checks", {}))
            self.notes += found.get("notes", [])
            self.errors += found.get("failures", [])

    def text(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def json(self, name):
        text = self.text(name + ".json")
        if not text:
            return {}
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            # Google Benchmark was cut short: what it had written is whole up to the last entry.
            end = text.rfind("    }")
            try:
                return json.loads(text[:end + 5] + "\n  ]\n}")
            except json.JSONDecodeError:
                self.errors.append(f"{name}.json is no JSON")
                return {}

    def read_benchmarks(self, name):
        found = self.json(name)
        self.context.update(found.get("context", {}))
        for entry in found.get("benchmarks", []):
            case = entry["name"].split("/iterations:")[0]
            if entry.get("error_occurred"):
                self.errors.append(f"{case}: {entry.get('error_message')}")
            else:
                self.benchmarks[case] = entry

    def median(self, case):
        return self.benchmarks.get(case, {}).get("median_ms")


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def asked_for(results):
    """What is asked for, what was found (or None), and whether that is enough."""
    def rate(value, limit, text, at_least=True):
        if value is None:
            return text, "not measured", False
        reached = value >= limit if at_least else value <= limit
        return text, f"{value:.3g}", reached

    rows = []
    for kind, limit in (("easy", 0.4), ("hard", 1.2)):
        rows.append(rate(results.median(f"assignment/{kind}"), limit,
                         f"2,000 assignments of 196 x 196, {kind}: at most {limit} ms", at_least=False))
        ratio = results.times.get(f"assignment, {kind}", {}).get("ratios", {}).get("torch-linear-assignment")
        rows.append(rate(ratio, 10, f"the same: at least 10 times torch-linear-assignment, {kind}"))
    for frames in (8, 16, 32):
        entry = results.benchmarks.get(f"operation/temporal_attention/bf16/{frames}_frames", {})
        rows.append(rate(entry.get("of_bandwidth"), 0.7,
                         f"temporal attention, bf16, T = {frames}: at least 0.7 of the bandwidth"))
    for what in ("forward", "step"):
        for batch in (1, 16):
            ratios = results.times.get(f"{what}, batch {batch}", {}).get("ratios", {})
            for peer, limit in (("eager", 1.5), ("compiled", 1.1)):
                rows.append(rate(ratios.get(peer), limit,
                                 f"{what}, bf16, batch {batch}: at least {limit} times PyTorch, {peer}"))
    for batch in (1, 16):
        aligned = results.median(f"forward/ata/bf16/8_frames/batch_{batch}")
        plain = results.median(f"forward/divided/bf16/8_frames/batch_{batch}")
        share = (aligned - plain) / aligned if aligned and plain else None
        rows.append(rate(share, 0.1, f"alignment, batch {batch}: at most 0.1 of the forward pass", at_least=False))
    outcomes = {phase[0]: phase[1] for phase in results.phases}
    for tool in ("memcheck", "racecheck", "synccheck", "initcheck"):
        parts = [outcomes.get(f"{tool}-{part}", "not run") for part in ("ops", "cuda")]
        clean = parts == ["passed", "passed"]
        found = "clean" if clean else "defects" if "FAILED" in parts else "not measured"
        rows.append((f"compute-sanitizer, {tool}: no defect", found, clean))
    return rows


def measured_rows(results):
    for case, entry in results.benchmarks.items():
        median = entry.get("median_ms")
        yield (f"`{case}`", f"{entry['bytes'] * 1e-6:.4g}", f"{entry['operations'] * 1e-9:.4g}",
               f"{entry['bound_ms']:.4g}",
               "not measured" if median is None else f"{median:.4g}",
               "" if median is None else f"{100 * entry['of_bound']:.0f} %",
               "" if median is None else f"{100 * entry['of_bandwidth']:.0f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results")
    parser.add_argument("--emulated", action="store_true")
    arguments = parser.parse_args()
    results = Results(arguments.results)

    print("# Results\n\n```\n" + results.text("machine.txt") + "```\n")
    if arguments.emulated:
        print("**NOTHING WAS MEASURED: the GPU is emulated.**\n")
    passes = results.text("passes.log")
    if passes:
        print("## Entry by entry\n\n" + passes)
    if results.benchmarks:
        ceilings = [f"{1e-12 * float(results.context.get(key, 'nan')):.4g} {unit}" for key, unit in (
            ("bytes_per_second", "TB/s"), ("bf16_operations_per_second", "TFLOP/s in bf16"),
            ("f32_operations_per_second", "in f32"))]
        kind = "of an H200" if arguments.emulated else "measured here"
        print(f"## Cases\n\nCeilings, {kind}: {', '.join(ceilings)}.\n")
        print(table(("case", "MB", "GFLOP", "bound, ms", "median, ms", "of bound", "of bandwidth"),
                    measured_rows(results)) + "\n")
    if results.times:
        print("## In turns with others\n")
        print(table(("what", "ms", "times Ata's"), [
            (what, ", ".join(f"{n} {1e3 * s:.3g}" for n, s in entry["seconds"].items()),
             ", ".join(f"{n} {r:.2f}" for n, r in entry["ratios"].items())) for what, entry in results.times.items()
        ]) + "\n")
    if results.checks:
        print("## Compared results\n")
        print(table(("what", "relative difference", "allowed"), [
            (name, f"{check['error']:.1e}", f"{check['tolerance']:.0e}") for name, check in results.checks.items()
        ]) + "\n")
    asked = [] if arguments.emulated else asked_for(results)
    if asked:
        print("## Asked for\n")
        print(table(("what", "found", ""), [
            (text, found, "reached" if reached else "" if found == "not measured" else "**MISSED**")
            for text, found, reached in asked]) + "\n")
    print("## Phases\n")
    print(table(("phase", "outcome", "s", ""), results.phases))
    for note in results.notes:
        print(f"\n- {note}")
    for error in results.errors:
        print(f"\n- **FAILED**: {error}")
    failed = results.errors or not results.phases or any(phase[1] == "FAILED" for phase in results.phases)
    if arguments.emulated:
        failed = failed or any(phase[1] == "CUT" for phase in results.phases)
    reached = all(reached for _, _, reached in asked)
    print("\n" + ("FAILED" if failed else "Nothing failed; nothing was measured" if arguments.emulated else
                  "All that is asked for was reached" if reached else
                  "Nothing failed; not all that is asked for was reached or measured"))
    return 1 if failed else 0 if reached else 3


if __name__ == "__main__":
    sys.exit(main())
