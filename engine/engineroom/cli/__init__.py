"""The command line: `main` runs a command, `render` alone writes, one file a command.

A command module has `HELP` (half a sentence), `configure(parser)`, which declares its
arguments, and `run(arguments, render)`, which returns the exit code. It is imported
only when its command is used.
"""
