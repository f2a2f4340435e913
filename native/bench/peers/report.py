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
    note: str = ""  # What the row tells, where it does not tell who is ahead.

    def ratios(self):
        """The peer's over Ata's: of the medians, and of the best."""
        return (statistics.median(self.theirs) / statistics.median(self.ours), min(self.theirs) / min(self.ours))

    def verdict(self):
        if self.failure:
            return f"FAILED: {self.failure}"
        if self.note:
            return self.note
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


UNITS = {"seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "bytes": ((1e9, "GB"), (1e6, "MB"))}


def quantity(samples, unit="seconds"):
    """Median and best of samples, in a unit that suits them: "1.72 s (1.68)"."""
    median, best = statistics.median(samples), min(samples)
    scale, name = next(((s, n) for s, n in UNITS[unit] if median >= s), UNITS[unit][-1])
    text = f"{three_digits(median / scale)} {name}"
    return text if len(samples) == 1 else f"{text} ({three_digits(best / scale)})"


def three_digits(value):
    """1.72, 17.2, 172, 1720."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


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
