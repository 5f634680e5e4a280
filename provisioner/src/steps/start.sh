probe_start() {
    [ "$CHANGED" = no ] || return 1
    for unit in "$UNIT" "$HELPER"; do
        systemctl is-enabled --quiet "$unit" || return 1
        systemctl is-active --quiet "$unit" || return 1
    done
}

# Type=notify: comes back when helper and daemon serve, or with their failure.
apply_start() {
    if [ ! -e "$HELPER_STATE" ]; then HELPER_STATE_MADE=yes; fi
    systemctl enable "$UNIT" "$HELPER" "$LOCK"
    if ! systemctl restart "$HELPER"; then
        journalctl --no-pager --lines 20 --unit "$HELPER" || true
        die "the helper does not start"
    fi
    if ! systemctl restart "$UNIT"; then
        journalctl --no-pager --lines 20 --unit "$UNIT" || true
        die "the daemon does not start"
    fi
}

undo_start() {
    if [ "$WAS_ACTIVE" = yes ]; then return 0; fi
    systemctl disable "$UNIT" "$HELPER" "$LOCK" || true
    stop_all
    # Made by this run, so nothing is locked by it.
    if [ "$HELPER_STATE_MADE" = yes ]; then rm -rf "$HELPER_STATE"; fi
}

# Without the helper nobody could take the network lock away; what is saved of it comes back with another installation.
remove_start() {
    systemctl disable "$UNIT" "$HELPER" "$LOCK" 2>/dev/null || true
    stop_all
    nft delete table inet wardkeep 2>/dev/null || true
    if [ "$PURGE" = yes ]; then rm -rf "$HELPER_STATE"; fi
}

# The unit leaves runners of permitted commands alive; for good means for good.
stop_all() {
    mkdir -p "$ROOT/run/systemd/system/$UNIT.d"
    printf '[Service]\nKillMode=control-group\n' >"$ROOT/run/systemd/system/$UNIT.d/stop-all.conf"
    systemctl daemon-reload
    systemctl stop "$UNIT" || true
    # Commands that were under way.
    systemctl stop 'wardkeep-run-*.service' || true
    systemctl stop "$HELPER" "$LOCK" || true
    rm -rf "$ROOT/run/systemd/system/$UNIT.d"
    systemctl daemon-reload
}
