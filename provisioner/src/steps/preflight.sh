probe_preflight() {
    return 1
}

apply_preflight() {
    [ "$(id -u)" = 0 ] || die "only root can install"
    command -v apt-get || die "this installer knows Debian and Ubuntu only"
    grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' "$ROOT/etc/os-release" || die "this installer knows Debian and Ubuntu only"
    [ -d "$ROOT/run/systemd/system" ] || die "systemd does not run this server"
    systemd=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${systemd:-0}" -ge 247 ] || die "systemd ${systemd:-of no known version} is too old: 247 or newer is needed"
    choose_binary
    if [ -n "$NEEDS_GLIBC" ]; then
        has=$(getconf GNU_LIBC_VERSION | sed 's/^glibc //')
        older=$(printf '%s\n%s\n' "$has" "$NEEDS_GLIBC" | sort -V | head -n 1)
        [ "$older" = "$NEEDS_GLIBC" ] || die "glibc $has is too old: this build needs $NEEDS_GLIBC"
    fi
    if [ -e "$AGENT" ] && [ ! -L "$AGENT" ]; then die "$AGENT is not of this installer's making: move it away"; fi
    free=$(df -Pk "$ROOT/" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge 524288 ] || die "less than 512 MiB are free on the disk"
    if [ -e "$STATE/vault.db" ] && ! probe_vault_key; then
        die "$STATE/vault.db has no key in /etc/wardkeep: restore vault-key.cred or vault.key from a backup"
    fi
    enrolled || read_token
    exec </dev/null
}

undo_preflight() {
    :
}

remove_preflight() {
    :
}
