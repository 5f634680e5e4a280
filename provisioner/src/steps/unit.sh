probe_unit() {
    unit_text | sed "s|^@VAULT_KEY@\$|$(key_line)|" | cmp -s - "$ROOT/etc/systemd/system/$UNIT" &&
        helper_unit_text | cmp -s - "$ROOT/etc/systemd/system/$HELPER" &&
        lock_unit_text | cmp -s - "$ROOT/etc/systemd/system/$LOCK"
}

apply_unit() {
    unit_text | sed "s|^@VAULT_KEY@\$|$(key_line)|" | put "$ROOT/etc/systemd/system/$UNIT" 0644
    helper_unit_text | put "$ROOT/etc/systemd/system/$HELPER" 0644
    lock_unit_text | put "$ROOT/etc/systemd/system/$LOCK" 0644
    systemctl daemon-reload
}

undo_unit() {
    for unit in "$UNIT" "$HELPER" "$LOCK"; do unput "$ROOT/etc/systemd/system/$unit"; done
    systemctl daemon-reload
}

remove_unit() {
    for unit in "$UNIT" "$HELPER" "$LOCK"; do
        rm -f "$ROOT/etc/systemd/system/$unit"
        if [ "$PURGE" = yes ]; then rm -rf "$ROOT/etc/systemd/system/$unit.d"; fi
    done
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" "$HELPER" "$LOCK" 2>/dev/null || true
}
