"""Before any test imports PyTorch or numpy: threads shall not spin on cores that tests share."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
