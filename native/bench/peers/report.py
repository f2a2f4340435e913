"""The table of a comparison, as text and as Markdown. Needs nothing but Python."""

import dataclasses
import statistics

HEADINGS = ["work", "peer", "Ata", "peer's", "ratio", "of the best", "answers differ by", ""]


@dataclasses.dataclass
class Row:
    work: str
    peer: str
    ours: list  # Seconds, or bytes, of each round.
    theirs: list  # The same of the peer; empty if it failed.
    answers: str  # By how much the results differ, or why they are not compared.
    unit: str = "seconds"
    failure: str = ""  # Why there are no times, or what is wrong with the answers.

    def ratios(self):
        """The peer's over Ata's: of the medians, and of the best."""
        return (statistics.median(self.theirs) / statistics.median(self.ours), min(self.theirs) / min(self.ours))

    def verdict(self):
        if self.failure:
            return f"FAILED: {self.failure}"
        ahead = [ratio < 1 for ratio in self.ratios()]
        if all(ahead):
            return "the peer is ahead"
        return "about equal" if any(ahead) else ""

    def cells(self):
        if not self.theirs:
            return [self.work, self.peer, "", "", "", "", "", self.verdict()]
        medians, best = self.ratios()
        return [self.work, self.peer, quantity(self.ours, self.unit), quantity(self.theirs, self.unit),
                f"{medians:.2f}", f"{best:.2f}", self.answers, self.verdict()]


def quantity(samples, unit):
    """Median and best of samples, in a unit that suits them: "1.72 s (1.68)"."""
    median, best = statistics.median(samples), min(samples)
    units = {"seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "bytes": ((1e9, "GB"), (1e6, "MB"))}[unit]
    scale, name = next(((s, n) for s, n in units if median >= s), units[-1])
    return f"{median / scale:.3g} {name} ({best / scale:.3g})"


def markdown(facts, rows):
    """`facts` are lines that tell what was measured, on what, by which versions."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for row in rows:
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |")
    return "\n".join([*(f"- {fact}" for fact in facts), "", *lines, "", conclusion(rows)]) + "\n"


def text(facts, rows):
    table = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in table]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join([*facts, "", *lines, "", conclusion(rows)]) + "\n"


def conclusion(rows):
    ahead = [f"{row.peer} ({row.work})" for row in rows if row.verdict() == "the peer is ahead"]
    failed = sum(bool(row.failure) for row in rows)
    return ((f"Peers that are ahead: {'; '.join(ahead)}." if ahead else "No peer is ahead.") +
            (f" {failed} of {len(rows)} rows FAILED." if failed else ""))
