probe_unit() {
    unit_text | sed "s|^@VAULT_KEY@\$|$(key_line)|" | cmp -s - "$ROOT/etc/systemd/system/$UNIT"
}

apply_unit() {
    unit_text | sed "s|^@VAULT_KEY@\$|$(key_line)|" | put "$ROOT/etc/systemd/system/$UNIT" 0644
    systemctl daemon-reload
}

undo_unit() {
    unput "$ROOT/etc/systemd/system/$UNIT"
    systemctl daemon-reload
}

remove_unit() {
    rm -f "$ROOT/etc/systemd/system/$UNIT"
    if [ "$PURGE" = yes ]; then rm -rf "$ROOT/etc/systemd/system/$UNIT.d"; fi
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null || true
}
