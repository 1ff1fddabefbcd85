"""A failing test is named when it fails, not at the end; a run may have an end of its own."""

from __future__ import annotations

import time

import pytest

LATE = "not reached in time"


class Herald:
    """Prints a line for each failure as it comes, also for those of other workers.

    And names, at the end, what was not reached in time.
    """

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal
        self.late: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = f": {crash.message.splitlines()[0]}" if crash and crash.message else ""
            self.terminal.write_line(f"\nFAILED {report.nodeid} ({report.when}){reason}", red=True)
        elif report.skipped and LATE in str(report.longrepr):
            self.late.append(report.nodeid)

    def pytest_terminal_summary(self) -> None:
        if self.late:
            self.terminal.section(f"{len(self.late)} tests were {LATE}")
            for name in sorted(self.late):
                self.terminal.write_line(name)


class Clock:
    """Skips the tests that begin too late."""

    def __init__(self, minutes: float) -> None:
        self.minutes, self.begun = minutes, time.monotonic()

    @pytest.hookimpl(tryfirst=True)  # before a fixture is made
    def pytest_runtest_setup(self) -> None:
        if time.monotonic() - self.begun > self.minutes * 60:
            pytest.skip(f"{LATE}: {self.minutes:g} minutes are over")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minutes",
        type=float,
        help="skip the tests that begin later, and name them at the end",
    )


@pytest.hookimpl(trylast=True)  # once the terminal has its reporter
def pytest_configure(config: pytest.Config) -> None:
    if config.option.minutes is not None:
        config.pluginmanager.register(Clock(config.option.minutes))
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # a worker has none: it tells the first process
        config.pluginmanager.register(Herald(terminal))
