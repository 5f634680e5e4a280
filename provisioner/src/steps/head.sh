#!/bin/sh
# Installs wardkeep-agent, the daemon of one Wardkeep tenant, on a Debian or Ubuntu server with systemd.
#
# Read it before you run it: settings first, then one section for each step, then the few lines that run them in order.
# Every step has four functions: `probe_` finds out whether there is anything to do and changes nothing, `apply_` does it,
# `undo_` takes back what this run did, `remove_` is its part of an uninstallation. When a step fails, this and all steps
# before it are undone in reverse order. Running the script again is safe. `--dry-run` changes nothing, `--help` tells more.

