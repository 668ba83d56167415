import os
import shlex
import signal
import subprocess
import sys
import time
import warnings

import pytest
from PIL import Image

from darter import __version__
from darter.cli import app as cli
from darter.errors import DataError, MissingExtraError
from darter.extras import install_line

DARTER = [sys.executable, "-m", "darter"]


def run(*arguments, **options):
    return subprocess.run([*DARTER, *arguments], capture_output=True, text=True, **options)


def test_help_lists_every_command():
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_help_breaks_lines_where_the_terminal_ends():
    done = run("evaluate", "--help", env=os.environ | {"COLUMNS": "70", "TERMINAL_WIDTH": "70"})
    lines = [line.strip() for line in done.stdout.splitlines()]
    begins = next(n for n, line in enumerate(lines) if line.startswith("Accuracy with"))
    ends = lines.index("", begins)
    assert min(map(len, lines[begins : ends - 1])) > 50


def test_help_loads_no_room():
    code = (
        "import sys; sys.argv = ['darter', '--help']\n"
        "from darter.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'torch', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_version():
    assert run("--version").stdout == f"darter {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["pedict"], "pedict"), (["--verbosity"], "--verbosity"), (["predict", "--tpo"], "--tpo")],
)
def test_unknown_words_exit_2_without_traceback(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def ends_with(monkeypatch, capfd, command):
    """Exit status and stderr of a command `audit` that is `command`."""
    monkeypatch.setattr(cli, "_load", lambda where: cli._guarded(command))
    with pytest.raises(SystemExit) as end:
        cli.main(["audit"])
    return end.value.code, capfd.readouterr().err


def test_darter_error_is_one_line(monkeypatch, capfd):
    def command() -> None:
        raise DataError("photos/: no pictures")

    assert ends_with(monkeypatch, capfd, command) == (2, "darter: photos/: no pictures\n")


def test_a_part_that_is_not_installed_is_one_line(monkeypatch, capfd):
    def load(where):
        raise MissingExtraError('training needs PyTorch: pip install "darter[train]"')

    monkeypatch.setattr(cli, "_load", load)
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "photos"])
    assert end.value.code == 2
    assert capfd.readouterr().err == (
        'darter: training needs PyTorch: pip install "darter[train]"\n'
    )


def test_ctrl_c_is_130(monkeypatch, capfd):
    def command() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    assert ends_with(monkeypatch, capfd, command) == (130, "")


def test_a_defect_keeps_its_traceback(monkeypatch):
    def command() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_load", lambda where: cli._guarded(command))
    with pytest.raises(ZeroDivisionError):
        cli.main(["audit"])


def test_reader_that_goes_away_is_quiet():
    code = (
        "from darter.cli import app as cli\n"
        "def command() -> None:\n    print('line\\n' * 100_000)\n"
        "cli._load = lambda where: cli._guarded(command)\n"
        "cli.main(['audit'])"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    done.stdout.read(5)
    done.stdout.close()
    assert done.stderr.read() == ""
    assert done.wait() == 141


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("audit", "photos", "--json")])
def test_output_that_cannot_be_written_is_a_sentence(tmp_path, arguments, unbuffered):
    write_pictures(tmp_path / "photos")
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*DARTER, *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment,
        )  # fmt: skip
    assert done.stderr.strip() == "darter: cannot write the output: No space left on device."
    assert done.returncode == 2


def test_closed_output_is_a_sentence(tmp_path):
    write_pictures(tmp_path / "photos")
    command = f"{shlex.quote(sys.executable)} -m darter audit photos >&-"
    done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.stderr == "darter: the output is closed; nothing can be written to it\n"
    assert done.returncode == 2


def write_pictures(root):
    for number, color in enumerate(("red", "green", "blue", "white")):
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), color).save(root / "ab"[number % 2] / f"{number}.png")


def test_an_error_cannot_forge_another_line(monkeypatch, capfd):
    def command() -> None:
        raise DataError("no picture: a\x1b[2J\ndarter: all is well\u202e.jpg")

    assert ends_with(monkeypatch, capfd, command) == (
        2, "darter: no picture: a\\x1b[2J\\ndarter: all is well\\u202e.jpg\n"
    )  # fmt: skip


def test_a_warning_is_one_line(monkeypatch, capfd):
    def command() -> None:
        warnings.warn("the cache is full", stacklevel=1)
        raise DataError("end")

    assert ends_with(monkeypatch, capfd, command)[1] == "note: the cache is full\ndarter: end\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself_without_torch(name):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"from darter.cli import main; main([{name!r}, '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout


@pytest.mark.parametrize("command", [["doctor", "."], ["train", "."], ["demo"]])
def test_what_needs_torch_says_so_where_it_is_absent(command, tmp_path):
    code = (
        f"import sys; sys.modules['torch'] = None\nfrom darter.cli import main; main({command!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith("darter: ") and install_line("train") in done.stderr
    assert done.stderr.count("\n") == 1


def completions(line):
    environment = os.environ | {
        "_DARTER_COMPLETE": "complete_bash", "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - (not line.endswith(" "))),
    }  # fmt: skip
    return run(env=environment).stdout.split()


def test_a_shell_can_ask_what_comes_next():
    assert "darter" in run("--show-completion", "bash").stdout
    assert {"train", "predict"} <= set(completions("darter "))
    assert "--strategy" in completions("darter train --st")
