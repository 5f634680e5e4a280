probe_heartbeat() {
    return 1
}

apply_heartbeat() {
    if ! timeout 90 runuser -u wardkeep -- "$AGENT" status --wait-online 60; then
        "$OPERATOR_COMMAND" doctor || true
        journalctl --no-pager --lines 20 --unit "$UNIT" || true
        die "the daemon runs, but the hub has not answered it within a minute"
    fi
}

undo_heartbeat() {
    :
}

remove_heartbeat() {
    :
}
