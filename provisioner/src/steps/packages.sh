missing_packages() {
    MISSING=
    command -v curl || MISSING="$MISSING curl"
    command -v nft || MISSING="$MISSING nftables"
    [ -e "$ROOT/etc/ssl/certs/ca-certificates.crt" ] || MISSING="$MISSING ca-certificates"
}

probe_packages() {
    missing_packages
    [ -z "$MISSING" ]
}

apply_packages() {
    missing_packages
    # A broken third-party source must not stop us while Debian's own works.
    apt-get -q -o DPkg::Lock::Timeout=120 update || true
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $MISSING
}

undo_packages() {
    for package in $MISSING; do
        if dpkg-query --show --showformat='${Status}' "$package" | grep -q ' installed$'; then
            DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 purge "$package"
        fi
    done
}

# They are of use to everybody.
remove_packages() {
    :
}
