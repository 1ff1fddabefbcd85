"""minutes: at the end of a run, how many minutes each model's cells took."""

from collections import Counter

from mmbench import hookimpl


class Minutes:
    """Adds up what cells took, and prints it when the run ends."""

    def __init__(self):
        self.seconds = Counter()

    @hookimpl
    def cell_finished(self, result):
        self.seconds[result["label"]] += result["seconds"]

    @hookimpl
    def run_finished(self):
        for label, seconds in self.seconds.most_common():
            print(f"{seconds / 60:6.1f} min  {label}")
