SEALED_KEY="$ROOT/etc/wardkeep/vault-key.cred"
PLAIN_KEY="$ROOT/etc/wardkeep/vault.key"

probe_vault_key() {
    [ -s "$SEALED_KEY" ] || [ -s "$PLAIN_KEY" ]
}

# 32 bytes as hex digits. Made in pipes: no file and no argument ever holds an unsealed key, unless systemd cannot seal.
new_key() {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

seal_key() {
    command -v systemd-creds || return 1
    new_key | systemd-creds encrypt --name=vault-key - "$SEALED_KEY.new" || return 1
    [ "$(systemd-creds decrypt --name=vault-key "$SEALED_KEY.new" - | wc -c)" = 64 ] || return 1
    chmod 0600 "$SEALED_KEY.new" && mv -f "$SEALED_KEY.new" "$SEALED_KEY"
}

apply_vault_key() {
    if seal_key; then return 0; fi
    rm -f "$SEALED_KEY.new"
    (umask 077 && new_key >"$PLAIN_KEY.new")
    [ "$(wc -c <"$PLAIN_KEY.new")" = 64 ] || die "no vault key could be made"
    mv -f "$PLAIN_KEY.new" "$PLAIN_KEY"
    REMARK="systemd-creds cannot seal here: the vault's key is a file that root alone reads"
}

# Applied only when there was no key and no vault, so no value depends on this one.
undo_vault_key() {
    rm -f "$SEALED_KEY" "$SEALED_KEY.new" "$PLAIN_KEY" "$PLAIN_KEY.new"
}

remove_vault_key() {
    if [ "$PURGE" = yes ]; then rm -f "$SEALED_KEY" "$PLAIN_KEY"; fi
}

key_line() {
    if [ -s "$SEALED_KEY" ]; then
        echo "LoadCredentialEncrypted=vault-key:/etc/wardkeep/vault-key.cred"
    else
        echo "LoadCredential=vault-key:/etc/wardkeep/vault.key"
    fi
}
