"""What each `tailor` command does, one file a command; `cli.py` has their options.

Each has `run(...) -> Result`; imports of torch and the like stay inside `run`, so that `tailor --help` is quick.
"""
