probe_enrol() {
    enrolled
}

# `printf` is the shell's own, so the token is in no process list.
apply_enrol() {
    ENROLLED_NOW=yes
    printf '%s\n' "$TOKEN" | as_daemon "$AGENT" enrol
}

undo_enrol() {
    rm -rf "$STATE/identity"
}

remove_enrol() {
    :
}
