"""Nets arranged well: blocks of small filters, and trained nets rewritten smaller and faster."""

from darter.arrange.effective import effective_fields
from darter.arrange.module import GraphModule
from darter.arrange.named import make_net, to_file

__all__ = ["GraphModule", "effective_fields", "make_net", "to_file"]
