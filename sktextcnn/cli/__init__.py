"""The command line: train a model on a table, apply it to another, evaluate and explain it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sktextcnn import __version__
from sktextcnn.cli import demo, evaluation, prediction, training
from sktextcnn.cli.console import Console, silence_stdout
from sktextcnn.cli.options import Parser

#: Exit statuses.
FAILED, INTERRUPTED, NOBODY_READS = 2, 130, 141

#: Name -> what it does, in a line; the function that adds its arguments; and the one that runs it.
COMMANDS = {
    "fit": ("train on a table and save the model", training.add_fit, training.fit),
    "predict": ("add labels to the rows of a table", prediction.add_predict, prediction.predict),
    "evaluate": ("compare predictions with labels", evaluation.add_evaluate, evaluation.evaluate),
    "report": ("write an evaluation as an HTML page", evaluation.add_report, evaluation.report),
    "explain": ("name the n-grams behind labels", prediction.add_explain, prediction.explain),
    "search": ("cross-validate a grid of parameters", training.add_search, training.search),
    "demo": ("see it at work on 722 sentences", demo.add_demo, demo.demo),
}
EXAMPLES = {
    "fit": "train.csv --text message --labels tags --model model",
    "predict": "new.csv --model model --output tagged.csv",
    "evaluate": "test.csv --model model",
    "report": "test.csv --model model --output report.html",
    "explain": '"a late goal" --model model',
    "search": "train.csv --text message --labels tags --param filters=64,128",
    "demo": "",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = Parser("sktextcnn", description="Label texts with a convolutional network.")
    parser.add_argument("--version", action="version", version=f"sktextcnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (about, add_arguments, run) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"example: sktextcnn {name} {EXAMPLES[name]}",
        )
        add_arguments(command)
        command.set_defaults(run=run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0; 2 after an error; 130 after Ctrl-C; 141 if nobody reads the output any more.
    """
    console = Console()
    try:
        parser = build_parser()
        args = parser.parse_args(argv)
        if args.command is None:
            parser.print_help(sys.stderr)
            return FAILED
        console = Console(quiet=args.quiet, as_json=args.json)
        with console.listening():
            args.run(args, console)
    except KeyboardInterrupt:
        console.error("interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        return NOBODY_READS
    except (ValueError, TypeError, OSError, ImportError) as error:
        console.error(str(error))
        return FAILED
    return 0
