VAULT_COMMAND="$ROOT/usr/local/sbin/wardkeep-vault"

vault_command_text() {
    cat <<END
#!/bin/sh
# wardkeep-agent vault ..., as the daemon's user and with the vault's key, which systemd opens for it.
# To import a file, give it on standard input.
exec systemd-run --quiet --collect --wait --pipe --pty --service-type=exec --unit="wardkeep-vault-\$\$" \\
    --property=User=wardkeep --property=$(key_line) --property=LimitCORE=0 --property=MemorySwapMax=0 \\
    /usr/local/bin/wardkeep-agent vault "\$@"
END
}

probe_vault() {
    [ -s "$STATE/vault.db" ] && vault_command_text | cmp -s - "$VAULT_COMMAND"
}

apply_vault() {
    mkdir -p "$ROOT/usr/local/sbin"
    vault_command_text | put "$VAULT_COMMAND" 0755
    if [ ! -s "$STATE/vault.db" ]; then
        VAULT_MADE=yes
        "$VAULT_COMMAND" init
    fi
}

undo_vault() {
    unput "$VAULT_COMMAND"
    if [ "$VAULT_MADE" = yes ]; then rm -f "$STATE/vault.db" "$STATE/vault.db-wal" "$STATE/vault.db-shm"; fi
}

remove_vault() {
    rm -f "$VAULT_COMMAND"
}
