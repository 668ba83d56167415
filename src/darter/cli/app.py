"""The command `darter`: one table of commands, and what becomes of errors.

Exit status: 0 done; 2 a mistake of the user or unusable input (a DarterError or a wrong option), or
an output that cannot be written; 130 stopped with Ctrl-C; 141 the reader of the output went away;
1 with a traceback: a defect.
"""

import atexit
import errno
import functools
import gc
import inspect
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

from darter.errors import DarterError
from darter.names import visible

# name: (module:function, what `darter --help` says). Only the command that is asked for is
# imported, so that help, typing errors and small commands answer at once.
COMMANDS = {
    "demo": ("darter.cli.demo:demo", "Train on handwritten digits, to see the whole way work."),
    "audit": ("darter.cli.audit:audit", "Say what is wrong with a folder of pictures."),
    "train": ("darter.cli.train:train", "Make a classifier and its report from a folder."),
    "pack": ("darter.cli.pack:pack", "Pack a folder of pictures for a slow disk."),
    "predict": ("darter.cli.predict:predict", "Say what is in pictures, with a trained model."),
    "detect": ("darter.cli.detect:detect", "Find and count things in pictures."),
    "caption": ("darter.cli.caption:caption", "Write a sentence about each picture."),
    "evaluate": ("darter.cli.evaluate:evaluate", "Measure a model on labelled pictures."),
    "export": ("darter.cli.export:export", "Write a model for another runtime."),
    "doctor": ("darter.cli.doctor:doctor", "Say what limits training on this machine."),
    "analyze": ("darter.cli.analyze:analyze", "Say what each layer of a net costs and sees."),
    "factorize": (
        "darter.cli.factorize:factorize",
        "Rewrite a trained model smaller and faster.",
    ),
    "quantize": ("darter.cli.quantize:quantize", "Write a trained model in 8 bits."),
    "precision": (
        "darter.cli.precision:precision",
        "Compare a model in 32, 16 and 8 bits on your pictures.",
    ),
    "bench": ("darter.cli.bench:bench", "Measure this machine against today's libraries."),
    "report": ("darter.cli.report:report", "Write the page of a training run again."),
}

# What writing raises where it fails; an error in opening a file has the file's name with it.
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

# Objects made before Python looks for cycles among them. What is imported makes tens of thousands,
# all of which stay: looking after every 700 takes a fifteenth of a first answer.
YOUNG = 50_000

COMPLETION = "_DARTER_COMPLETE"  # set where a shell asks what could come next

ABOUT = """From a folder of pictures to an accurate, small, fast CNN, on the computer you have.

darter train photos/ makes a model and a report; darter predict model.onnx new.jpg uses it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit status."""
    gc.set_threshold(YOUNG)
    atexit.register(gc.freeze)  # or Python looks through everything once more as it ends
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Threads of PyTorch and of numpy (OpenBLAS) spin while they wait for each other, unless told
    # otherwise before they load; where anything else wants a core, all becomes many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its notes are for programmers
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Letters that a terminal's encoding lacks are spelled; see also darter.names.
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _note
    with _ends():
        try:
            _app(arguments)(args=arguments, prog_name="darter")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()


def _app(arguments: Sequence[str]) -> Any:
    import typer

    app = typer.Typer(
        help=ABOUT,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    ) -> None:
        if version:
            import darter

            print(f"darter {darter.__version__}")
            raise typer.Exit

    wanted = next((a for a in _words(arguments) if not a.startswith("-")), None)
    for name, (where, about) in COMMANDS.items():
        command = _load(where) if name == wanted else _unused
        app.command(name, help=_help(command) if name == wanted else about)(command)
    return app


def _help(command: Callable[..., None]) -> str:
    """What a command says of itself, each paragraph on one line, for terminals of any width."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _words(arguments: Sequence[str]) -> Sequence[str]:
    """What is on the command line; a shell that asks for completions tells it by a variable."""
    for name in ("_TYPER_COMPLETE_ARGS", "COMP_WORDS"):
        if COMPLETION in os.environ and os.environ.get(name):
            return os.environ[name].split()[1:]
    return arguments


def _load(where: str) -> Callable[..., None]:
    module, function = where.split(":")
    return _guarded(getattr(import_module(module), function))


def _unused() -> None:
    """Stands in the help for a command that was not asked for."""


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, ending before the argument parser can turn Ctrl-C into something else."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with _ends():
            if sys.stdout is None:
                raise OutputError("the output is closed; nothing can be written to it")
            command(*args, **kwargs)
            sys.stdout.flush()

    return run


class OutputError(DarterError):
    """Standard output takes nothing."""


@contextmanager
def _ends() -> Iterator[None]:
    """Expected ends become exit statuses (see the top of this file)."""
    try:
        yield
    except DarterError as error:
        _fail(str(error))
    except KeyboardInterrupt as stop:
        if str(stop):  # what was saved, and how to go on
            print(f"\ndarter: {visible(stop)}", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        _drop_output()
        raise SystemExit(141) from None
    except OSError as error:
        if error.filename is not None or error.errno not in _NOT_WRITTEN:
            raise
        _drop_output()
        _fail(f"cannot write the output: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    with suppress(OSError):
        print(f"darter: {visible(message)}", file=sys.stderr)
    raise SystemExit(2) from None


def _drop_output() -> None:
    """The interpreter flushes stdout once more at exit; let it write into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning is one line for a person, without the place in the code that gives it."""
    with suppress(OSError):
        print(f"note: {visible(message)}", file=sys.stderr)
