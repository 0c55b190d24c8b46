"""The subcommands of `zoo`: one module each, found by the command line on its own.

A module here has `register(app: typer.Typer) -> None` and imports nothing heavy (no torch) before its command runs, so
that `zoo --help` and shell completion answer at once. Another package adds commands through the entry-point group
`zoo.commands`, whose entries name a function of the same signature; `export` does.
"""
