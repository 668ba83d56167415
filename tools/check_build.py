"""Say what `make` would miss here, before minutes of downloads.

    python3 tools/check_build.py        nothing, or a sentence per missing part and exit status 1

Runs on any Python 3, so that an old one gets a sentence too.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def missing(python):
    """Sentences about what is not here; `python` is the command that was used."""
    version = sys.version_info[:2]
    if version < (3, 11):
        have = ".".join(map(str, version))
        yield f"darter needs Python 3.11 or newer; {python} is {have}. Try: make PYTHON=python3.12"
        return
    name = "python" + ".".join(map(str, version))
    try:
        import ensurepip  # noqa: F401  Debian has it in a package of its own
        import venv  # noqa: F401
    except ImportError:
        yield (
            f"{python} cannot make environments. On Debian and Ubuntu: "
            f"sudo apt-get install {name}-venv"
        )
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        yield (
            f"{header} is not here, and the compiled core needs it. On Debian and Ubuntu: "
            f"sudo apt-get install {name}-dev; on Fedora: sudo dnf install python3-devel"
        )
    compilers = [os.environ.get("CXX"), "c++", "g++", "clang++"]
    if not any(shutil.which(each.split()[0]) for each in compilers if each):
        yield "There is no C++ compiler here. On Debian and Ubuntu: sudo apt-get install g++"


if __name__ == "__main__":
    found = list(missing(Path(sys.executable).name))
    for sentence in found:
        print(sentence, file=sys.stderr)
    sys.exit(bool(found))
