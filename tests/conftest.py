"""Before any test imports PyTorch: its threads shall not spin on cores that tests share."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
