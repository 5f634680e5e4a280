probe_start() {
    [ "$CHANGED" = no ] && systemctl is-enabled --quiet "$UNIT" && systemctl is-active --quiet "$UNIT"
}

# Type=notify: comes back when the daemon serves, or with its failure.
apply_start() {
    systemctl enable "$UNIT"
    if ! systemctl restart "$UNIT"; then
        journalctl --no-pager --lines 20 --unit "$UNIT" || true
        die "the daemon does not start"
    fi
}

undo_start() {
    if [ "$WAS_ACTIVE" = yes ]; then return 0; fi
    systemctl disable "$UNIT" || true
    stop_all
}

remove_start() {
    systemctl disable "$UNIT" 2>/dev/null || true
    stop_all
}

# The unit leaves runners of permitted commands alive; for good means for good.
stop_all() {
    mkdir -p "$ROOT/run/systemd/system/$UNIT.d"
    printf '[Service]\nKillMode=control-group\n' >"$ROOT/run/systemd/system/$UNIT.d/stop-all.conf"
    systemctl daemon-reload
    systemctl stop "$UNIT" || true
    rm -rf "$ROOT/run/systemd/system/$UNIT.d"
    systemctl daemon-reload
}
