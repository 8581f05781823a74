"""The command line: what `./tailorbird COMMAND` runs, and `up`, which runs the whole line on one machine."""
