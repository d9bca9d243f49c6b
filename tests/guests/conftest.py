"""Ends a run of the guests' suites with a table of what passed, of which version, and why what did not was skipped."""

from __future__ import annotations

from collections import Counter, defaultdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

PACKAGES = {
    "datasette": "datasette",
    "django": "django",
    "haystack": "haystack-ai",
    "langchain": "langchain-core",
    "langgraph": "langgraph-checkpoint",
    "llamaindex": "llama-index-core",
    "llm": "llm",
    "mcp": "mcp",
    "sqlalchemy": "sqlalchemy",
    "sqlite_utils": "sqlite-utils",
}
# The hosts' own; all others are ours.
SUITES = {"haystack": "haystack.testing, ours", "langchain": "langchain-tests, ours"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, set[str]] = defaultdict(set)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            path = Path(report.nodeid.partition("::")[0])
            if path.parts[:2] != ("tests", "guests"):
                continue
            guest = path.stem.removeprefix("test_")
            counts[guest][outcome] += getattr(report, "when", "") in ("call", "collect") or outcome != "passed"
            if outcome == "skipped" and isinstance(report.longrepr, tuple):
                reasons[guest].add(report.longrepr[2].removeprefix("Skipped: "))
    if not any(counted["passed"] or counted["failed"] for counted in counts.values()):
        return
    terminalreporter.write_sep("-", "guests")
    terminalreporter.write_line(f"{'guest':13}{'version':10}{'suite':23}{'passed':>7}{'failed':>7}{'skipped':>8}  why")
    for guest, counted in sorted(counts.items()):
        failed = counted["failed"] + counted["error"]
        line = f"{guest:13}{_version(guest):10}{SUITES.get(guest, 'ours'):23}{counted['passed']:7}{failed:7}{counted['skipped']:8}"
        terminalreporter.write_line(f"{line}  {'; '.join(sorted(reasons[guest]))}".rstrip())


def _version(guest: str) -> str:
    try:
        return version(PACKAGES[guest])
    except (KeyError, PackageNotFoundError):
        return "–"
