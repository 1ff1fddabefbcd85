"""A failing test is named when it fails, not at the end."""

from __future__ import annotations

import pytest


class Herald:
    """Prints a line for each failure as it comes, also for those of other workers."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = f": {crash.message.splitlines()[0]}" if crash and crash.message else ""
            self.terminal.write_line(f"\nFAILED {report.nodeid} ({report.when}){reason}", red=True)


@pytest.hookimpl(trylast=True)  # once the terminal has its reporter
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # a worker has none: it tells the first process
        config.pluginmanager.register(Herald(terminal))
