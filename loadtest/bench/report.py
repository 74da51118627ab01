"""The report."""
from pathlib import Path
from bench.rows import Row
from bench.runs import Run

def format_line(row: Row) -> str:
    if row.error:
        return f"{row.scenario:10} {row.case:14} {row.contender:13} FAILED {row.error}"
    shown = " ".join(f"{name}={value:,.4g}" for name, value in row.figures.items())
    return f"{row.scenario:10} {row.case:14} {row.contender:13} {shown} {'; '.join(row.notes)}"

def write(run: Run, folder: Path) -> Path:
    return folder
