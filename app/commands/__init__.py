"""The subcommands of `cellar` that work on the catalogue, one subject a module; `app.cli` puts them together."""
