OPERATOR_COMMAND="$ROOT/usr/local/sbin/wardkeep"

operator_command_text() {
    cat <<END
#!/bin/sh
# wardkeep-agent ..., as the daemon's user and with the vault's key, which systemd opens for it: wardkeep vault set NAME,
# wardkeep doctor. A file to import comes on standard input: wardkeep vault import - < .env
exec systemd-run --quiet --collect --wait --pipe --pty --service-type=exec --unit="wardkeep-command-\$\$" \\
    --property=User=wardkeep --property=$(key_line) --property=LimitCORE=0 --property=MemorySwapMax=0 --property=LimitMEMLOCK=infinity \\
    /usr/local/bin/wardkeep-agent "\$@"
END
}

probe_vault() {
    [ -s "$STATE/vault.db" ] && operator_command_text | cmp -s - "$OPERATOR_COMMAND"
}

apply_vault() {
    operator_command_text | put "$OPERATOR_COMMAND" 0755
    if [ ! -s "$STATE/vault.db" ]; then
        VAULT_MADE=yes
        "$OPERATOR_COMMAND" vault init
    fi
}

undo_vault() {
    unput "$OPERATOR_COMMAND"
    if [ "$VAULT_MADE" = yes ]; then rm -f "$STATE/vault.db" "$STATE/vault.db-wal" "$STATE/vault.db-shm"; fi
}

remove_vault() {
    rm -f "$OPERATOR_COMMAND"
}
