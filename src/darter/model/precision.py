"""In how many bits a model file runs: as its user says, or as the file does where the CPU can."""

from dataclasses import dataclass

from darter.errors import ModelFileError
from darter.kernels import BFLOAT16, FLOAT32, PRECISIONS, has_bfloat16


@dataclass(frozen=True)
class Asked:
    """given: by the user, None for what the file says.   of_file: `darter.precision` of a file."""

    given: str | None = None
    of_file: str = FLOAT32

    @property
    def taken(self) -> str:
        """What to run in, on a runtime that knows all of them."""
        if self.given is not None:
            return self.given
        return FLOAT32 if self.of_file == BFLOAT16 and not has_bfloat16() else self.of_file

    def why(self, runtime: str, precision: str) -> str:
        """A sentence about what runs. precision: of the runtime that was taken in the end."""
        if self.given is not None:
            return f"{precision}, as asked for"
        if precision == self.of_file:
            says = "the file asks for it" if precision != FLOAT32 else "the file asks for no other"
            return f"{precision}: {says}"
        if runtime != "darter":
            lacks = "ONNX Runtime has no other"
        else:
            lacks = "this CPU, or the instruction set in use, has no such numbers"
        return (
            f"{precision}, though the file asks for {self.of_file}: {lacks}. Answers are as exact, "
            "and take longer than its records say"
        )

    def note(self, runtime: str, precision: str) -> str | None:
        """The sentence, where the file asks for something and the user has not decided."""
        if self.given is not None or self.of_file == FLOAT32:
            return None
        return f"runs in {self.why(runtime, precision)}"


def check_precision(name: str, path: object) -> str:
    """The name. ModelFileError where it is none that darter knows."""
    if name in PRECISIONS:
        return name
    raise ModelFileError(
        f"{path}: metadata darter.precision must be {' or '.join(PRECISIONS)}; got {name[:60]!r}. "
        "If a later darter wrote the file, use that one"
    )
