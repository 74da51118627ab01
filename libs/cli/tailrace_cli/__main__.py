"""`python -m tailrace_cli` is `tailrace`."""

from tailrace_cli.main import main

main()
