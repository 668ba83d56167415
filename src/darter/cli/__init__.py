"""The command line: each command parses, calls one public function and prints."""

from darter.cli.app import main

__all__ = ["main"]
