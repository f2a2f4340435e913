#!/usr/bin/env python3
"""Tries native/bench/peers without peers and without a network: its table, and how run.sh takes options and says
what is missing."""

import os
import subprocess
import sys
import tempfile
import unittest

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../native/bench/peers")
sys.path.insert(0, PEERS)
sys.dont_write_bytecode = True
import report


class Table(unittest.TestCase):
    def row(self, ours, theirs, **fields):
        return report.Row("work", "peer", ours, theirs, "1e-06", **fields)

    def test_ratios_are_of_medians_and_of_the_best(self):
        self.assertEqual(self.row([2.0, 1.0, 9.0], [3.0, 4.0, 8.0]).ratios(), (2.0, 3.0))

    def test_who_is_ahead(self):
        self.assertEqual(self.row([1.0], [2.0]).verdict(), "")
        self.assertEqual(self.row([2.0], [1.0]).verdict(), "the peer is ahead")
        self.assertEqual(self.row([1.0, 3.0, 3.0], [2.0, 2.0, 2.0]).verdict(), "about equal")
        self.assertEqual(self.row([2.0], [1.0], note="a price").verdict(), "a price")
        self.assertEqual(self.row([1.0], [2.0], failure="wrong").verdict(), "FAILED: wrong")

    def test_quantities_have_a_unit_that_suits_them(self):
        for samples, unit, wanted in [([1.715, 1.6, 2.0], "seconds", "1.72 s (1.60)"), ([0.0172], "seconds", "17.2 ms"),
                                      ([3e-5], "seconds", "30.0 µs"), ([2e-8], "seconds", "0.02 µs"),
                                      ([638e6], "bytes", "638 MB"), ([1.352e9], "bytes", "1.35 GB")]:
            self.assertEqual(report.quantity(samples, unit), wanted)

    def test_conclusion_names_peers_that_are_ahead_and_counts_failures(self):
        rows = [self.row([2.0], [1.0]), self.row([1.0], [2.0]), self.row([], [], failure="no compiler")]
        self.assertEqual(report.conclusion(rows), "Peers that are ahead: peer (work). 1 of 3 rows FAILED.")
        self.assertEqual(report.conclusion(rows[1:2]), "No peer is ahead.")

    def test_markdown_has_as_many_cells_in_every_row(self):
        rows = [self.row([1.0], [2.0]), self.row([], [], failure="a | b\\c")]
        table = [line for line in report.markdown(["a fact"], rows).splitlines() if line.startswith("|")]
        self.assertEqual({line.replace("\\|", "").count("|") for line in table}, {len(report.HEADINGS) + 1})
        self.assertIn("| work | peer | 1.00 s | 2.00 s | 2.00 | 2.00 | 1e-06 |  |", table)

    def test_text_is_aligned(self):
        lines = report.text(["a fact"], [self.row([1.0], [2.0]), self.row([1.0], [20.0])]).splitlines()
        self.assertEqual(lines[0], "a fact")
        self.assertEqual(lines[2].index("ratio"), lines[4].index("2.00  "))
        self.assertEqual(lines[2].index("ratio"), lines[5].index("20.00"))


class Script(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.put("build/lib/libata.so", "")

    def put(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def run_script(self, *options, python=None):
        """Its exit status and last line on stderr; with `python` in the place of python3."""
        path = os.environ["PATH"]
        if python:
            self.put("bin/python3", "#!/bin/sh\n" + python)
            path = os.path.join(self.folder, "bin") + ":" + path
        done = subprocess.run([os.path.join(PEERS, "run.sh"), *options], env=dict(os.environ, PATH=path), text=True,
                              cwd=self.folder, capture_output=True, check=False)
        return done.returncode, done.stderr.strip().splitlines()[-1]

    def expect(self, words, *options, python=None):
        status, line = self.run_script(*options, python=python)
        self.assertEqual(status, 2, line)
        self.assertIn(words, line)

    def test_bad_options(self):
        self.expect("there is no option '--nonsense'", "--nonsense")
        self.expect("--only: there is no part 'nonsense'", "--only", "forward,nonsense")
        self.expect("--only: nothing is named", "--only", ",")
        self.expect("--rounds is '0'", "--rounds", "0")
        self.expect("--threads is 'two'", "--threads", "two")
        self.expect("--rounds needs a value", "--rounds")
        self.expect("--upgrade is for the environment", "--upgrade", "--environment", "here")

    def test_what_is_missing(self):
        build = "--build", "build", "--output", "output"
        self.expect("elsewhere/lib/libata.so' is not there", "--build", "elsewhere", "--output", "output")
        self.expect("output' cannot be made", "--build", "build", "--output", "build/lib/libata.so/output")
        self.expect("elsewhere/bin/python' is not there", *build, "--environment", "elsewhere")
        self.expect("install python3-venv", *build, python="echo ensurepip is not available; exit 1")
        self.put("environment/bin/python", "#!/bin/sh\necho 'Traceback' >&2; echo 'No module named torch' >&2; exit 1")
        self.expect("incomplete: No module named torch", *build, "--environment", "environment")
        self.expect("(is there a network?): ERROR: no torch", *build, python='''
            mkdir -p "$3/bin"
            printf '#!/bin/sh\\necho ERROR: no torch\\nexit 1\\n' >"$3/bin/pip"
            chmod +x "$3/bin/pip"''')


if __name__ == "__main__":
    unittest.main()
