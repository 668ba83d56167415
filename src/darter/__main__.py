"""`python -m darter` is the command `darter`."""

from darter.cli.app import main

if __name__ == "__main__":
    main()
