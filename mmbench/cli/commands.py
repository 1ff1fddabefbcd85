"""The commands: parse, call, print. Heavy imports wait inside each command."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from mmbench.cli import completion
from mmbench.cli.cache import cache_app
from mmbench.cli.cell import cell
from mmbench.cli.check import check
from mmbench.cli.compare import compare
from mmbench.cli.data import data_app
from mmbench.cli.data_fetch import draw, fetch_data
from mmbench.cli.export import export, recommend
from mmbench.cli.fetch import fetch
from mmbench.cli.leaderboard import leaderboard
from mmbench.cli.new import new_app
from mmbench.cli.options import Json
from mmbench.cli.replay import replay
from mmbench.cli.run import demo, run
from mmbench.cli.show import show
from mmbench.cli.standing import status
from mmbench.cli.tune import tune
from mmbench.cli.vet import vet
from mmbench.problems import Stop, UserError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts in half the time of the boxed one
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data")
data_app.command("fetch")(fetch_data)
data_app.command("draw")(draw)
app.add_typer(new_app, name="new")
app.add_typer(cache_app, name="cache")
app.command("run")(run)
app.command("demo")(demo)
app.command("cell")(cell)
app.command("status")(status)
app.command("tune")(tune)
app.command("check")(check)
app.command("fetch")(fetch)
app.command("replay")(replay)
app.command("leaderboard")(leaderboard)
app.command("show")(show)
app.command("compare")(compare)
app.command("export")(export)
app.command("recommend")(recommend)
app.command("vet")(vet)


def main() -> None:
    """Entry point: turns errors that are the user's to mend into one line and exit code 2."""
    _heed_signals()
    try:
        _main()
    except SystemExit as end:
        _leave_plugins(end.code)
        raise


def _main() -> None:
    try:
        app()
    except UserError as error:
        _say(f"error: {error}")
        sys.exit(2)
    except Stop:
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _say(f"error: {error.strerror or error}{where}{_cure(error)}")
        sys.exit(1)


def _leave_plugins(code: object) -> None:
    """End at once where a plugin's thread is at work: Python's end under it aborts the process."""
    from mmbench.grid.channel import PLUGIN_THREAD

    if any(thread.name == PLUGIN_THREAD for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _heed_signals() -> None:
    """End in order at each signal that asks to; those that are ignored, as under nohup, stay so."""
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def stop(number: int, frame: FrameType | None) -> None:
        for gone in (terminal for terminal in terminals if not os.isatty(terminal)):
            os.dup2(os.open(os.devnull, os.O_WRONLY), gone)  # it was closed: nobody reads on
        raise Stop

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)  # Windows has but two of them
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)


def _cure(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ". Make room and give the same command again: it goes on from what is finished"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ". Choose another folder with --out (for prepared data: MMBENCH_CACHE)"
    return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        from mmbench import __version__

        print(f"mmbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A benchmark harness for multimodal sequential recommendation.

    It fixes the split, the candidates and the metrics, runs every model on every dataset,
    and writes a leaderboard.

    \b
    Examples:
      mmbench demo
      mmbench ls models
      mmbench run --models pop,sasrec --data beauty --seeds 3
      mmbench leaderboard results
    """


@app.command()
def audit(
    table: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, help="Published figures."),
    ],
    as_json: Json = False,
) -> None:
    """Hold published figures against arithmetic: which rows can no ranking have?

    The file has the columns paper, table, dataset, protocol, model, metric, value.

    \b
    Examples:
      mmbench audit published.csv
      mmbench audit published.csv --json
    """
    from mmbench.audit.published import audit as audit_rows
    from mmbench.audit.published import read_published
    from mmbench.cli.screen import audit_json, audit_lines, make_console

    found = audit_rows(read_published(table))
    if as_json:
        print(json.dumps(audit_json(found), indent=1))
    else:
        make_console().print(audit_lines(found))


@app.command("ls")
def list_things(
    what: Annotated[
        str,
        typer.Argument(
            help="models, data, protocols or observers.",
            autocompletion=completion.listed,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(help="A model or observer: all of it.", autocompletion=completion.models),
    ] = None,
    brief: Annotated[
        bool, typer.Option("--names", help="Models as packages name them; none is asked.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", "-r", help="Stored rows that tell what a model costs."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is installed or known; or tell all of a model: settings, presets, papers, costs.

    Models are asked what they are in processes of their own, once: the answers are kept until
    their code changes. Of an observer its options are told.

    \b
    Examples:
      mmbench ls models
      mmbench ls models vlm2rec
      mmbench ls models sasrec-ce --results leaderboards/results --json
      mmbench ls data --json
      mmbench ls protocols
      mmbench ls observers
      mmbench ls observers jsonl
    """
    from mmbench.cli import listing, model_card, observer_card
    from mmbench.cli.screen import make_console, show_status

    if what not in listing.LISTS:
        raise typer.BadParameter(f"say one of: {', '.join(listing.LISTS)}", param_hint="WHAT")
    if what not in ("models", "observers") and name:
        raise typer.BadParameter(f"NAME goes with models and observers, not with {what}")
    if what != "models" and (brief or results):
        raise typer.BadParameter(f"--names and --results go with models, not with {what}")
    console = make_console()
    with show_status(make_console(stderr=True), "reading") as say:
        if name is not None and what == "observers":
            card = observer_card.observer_card(name)
        elif name is not None:
            card = model_card.model_card(name, results, say)
        else:
            rows = (listing.names if brief else listing.LISTS[what])(say)
    if as_json:
        print(json.dumps(card if name is not None else rows, indent=1))
    elif name is not None:
        cards = observer_card if what == "observers" else model_card
        console.print(cards.card_lines(card))
    elif not rows:
        console.print(listing.EMPTY.get(what, f"no {what}"), markup=False)
    elif what == "models" and not brief:
        console.print(listing.model_table(rows))
        console.print("mmbench ls models NAME tells all of one", markup=False)
        for line in listing.misdeclared():
            console.print(line, markup=False)
    else:
        console.print(listing.table(rows))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at this installation: what is here, which plugins load, and why the others do not.

    The JSON is for bug reports; it names no folder of yours but as below ~. Exit code 1 where a
    plugin is broken.

    \b
    Examples:
      mmbench doctor
      mmbench doctor --json > doctor.json
    """
    from mmbench import doctor as doctors
    from mmbench.cli.screen import make_console, show_status

    with show_status(make_console(stderr=True), "asking every plugin"):
        report = doctors.examine()
    if as_json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        make_console().print(doctors.render(report), soft_wrap=True)
    if report["broken"]:
        raise typer.Exit(1)
