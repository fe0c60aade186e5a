"""``python -m fervid`` is the command line."""

from fervid.cli.app import main

main()
