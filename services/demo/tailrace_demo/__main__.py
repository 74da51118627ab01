"""`python -m tailrace_demo` runs the demo."""

from tailrace_demo.main import main

main()
