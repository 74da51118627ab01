"""One module for each command: `command` is what it does, its docstring the help."""
