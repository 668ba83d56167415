# The compiled core. Its functions are private; darter.kernels gives each a typed face.
from typing import Any

def __getattr__(name: str) -> Any: ...
