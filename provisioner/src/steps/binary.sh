# `choose_binary` at the top of this script sets NEEDS_GLIBC, BINARY_SHA256, BINARY_SIZE and BINARY_DIR.

probe_binary() {
    [ "$(readlink "$AGENT")" = "$ROOT$BINARY_DIR/wardkeep-agent" ] &&
        echo "$BINARY_SHA256  $ROOT$BINARY_DIR/wardkeep-agent" | sha256sum -c --status -
}

apply_binary() {
    BINARY_BEFORE=$(readlink "$AGENT" || true)
    download="$ROOT/opt/wardkeep/.download"
    curl --fail --silent --show-error --location --globoff --retry 3 --connect-timeout 15 \
        --max-filesize "$BINARY_SIZE" --output "$download" "$WEB_URL/install/wardkeep-agent/$BINARY_SHA256"
    echo "$BINARY_SHA256  $download" | sha256sum -c --status - ||
        die "the downloaded binary is not the one that this script names (SHA-256 differs); nothing of it was run"
    chmod 0755 "$download"
    # Before anything points at it: does it start here at all?
    "$download" --version
    if [ ! -d "$ROOT$BINARY_DIR" ]; then BINARY_DIR_MADE=yes; fi
    mkdir -p "$ROOT$BINARY_DIR"
    mv -f "$download" "$ROOT$BINARY_DIR/wardkeep-agent"
    sync "$ROOT$BINARY_DIR/wardkeep-agent"
    mkdir -p "$ROOT/usr/local/bin"
    point_binary "$ROOT$BINARY_DIR/wardkeep-agent"
    CHANGED=yes
}

# Switches the version in one rename: at no moment is there no binary.
point_binary() {
    ln -sfn "$1" "$AGENT.new"
    mv -fT "$AGENT.new" "$AGENT"
}

undo_binary() {
    rm -f "$ROOT/opt/wardkeep/.download" "$AGENT.new"
    if [ -n "$BINARY_BEFORE" ]; then point_binary "$BINARY_BEFORE"; else rm -f "$AGENT"; fi
    if [ "$BINARY_DIR_MADE" = yes ]; then rm -rf "$ROOT${BINARY_DIR:?}"; fi
}

remove_binary() {
    rm -f "$AGENT"
    rm -rf "$ROOT/opt/wardkeep"
}
