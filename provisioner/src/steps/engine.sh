# --- How the steps are run --------------------------------------------------------------------------------------------

usage() {
    cat <<END
Usage: sh $0 [install] [--dry-run] [--keep-on-failure] [--token-file FILE]
       sh $0 uninstall [--purge] [--dry-run]

Installs wardkeep-agent $VERSION and connects it with the hub at $LINK_ADDRESS.
The enrolment token comes on standard input. Running it again changes only what is not as it should be.

  --dry-run          say what would be done, change nothing
  --keep-on-failure  leave everything as it is when a step fails
  --token-file FILE  read the token from FILE (mode 0600) instead
  uninstall          remove service and program, keep state, keys and users
  --purge            remove those as well: vault, audit log and identity are lost for good
END
}

main() {
    MODE=install DRY_RUN=no PURGE=no KEEP=no TOKEN_FILE='' ELEVATE="$*"
    while [ $# -gt 0 ]; do
        case "$1" in
            install | uninstall) MODE=$1 ;;
            --dry-run) DRY_RUN=yes ;;
            --purge) PURGE=yes ;;
            --keep-on-failure) KEEP=yes ;;
            --token-file)
                [ $# -gt 1 ] || { usage >&2 && exit 2; }
                TOKEN_FILE=$2
                shift
                ;;
            -h | --help) usage && exit 0 ;;
            *) usage >&2 && exit 2 ;;
        esac
        shift
    done
    DONE='' STEP='' NUMBER=0 CHANGED=no WAS_ACTIVE=no WHY='' REMARK='' WORK='' ECHO_OFF=no
    BINARY_BEFORE='' BINARY_DIR_MADE=no VAULT_MADE=no ENROLLED_NOW=no HELPER_STATE_MADE=no
    STARTED=$(date +%s)
    trap 'leave $?' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ "$DRY_RUN" = yes ]; then
        describe
        exit 0
    fi
    begin
    if [ "$MODE" = install ]; then install_all; else uninstall_all; fi
}

# Root, alone, with a private place for the log and for what the files were before.
begin() {
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "run this as root"
        # Standard input, and the token in it, goes along; sudo asks for a password on the terminal.
        # shellcheck disable=SC2086 # the words of this script's own command line; no path with a blank is supported
        exec sudo -- sh "$0" $ELEVATE
    fi
    mkdir -p "$ROOT/run"
    exec 9>"$ROOT/run/wardkeep-install.lock"
    flock -n 9 || die "another installation is running on this server"
    WORK=$(mktemp -d)
    LOG="$WORK/log"
    : >"$LOG"
    if [ -e "$MANIFEST" ]; then cp "$MANIFEST" "$WORK/manifest"; fi
}

announce() {
    NUMBER=$((NUMBER + 1))
    printf '%2d/%d  %s ... ' "$NUMBER" "$STEP_COUNT" "$(title "$1")" >&3
}

install_all() {
    say "Installing wardkeep-agent $VERSION"
    if systemctl is-active --quiet "$UNIT" 2>/dev/null; then WAS_ACTIVE=yes; fi
    for STEP in $STEPS; do
        announce "$STEP"
        if "probe_$STEP" >>"$LOG" 2>&1; then
            say "already"
            continue
        fi
        # Before it is applied: half a step is undone as well.
        DONE="$STEP $DONE"
        "apply_$STEP" >>"$LOG" 2>&1
        say "done"
    done
    STEP=''
    sync
    if [ -n "$REMARK" ]; then say "Note: $REMARK."; fi
    say ""
    say "This server is online, after $(($(date +%s) - STARTED)) s. What you need from here on:"
    say "  wardkeep status                             how it is; wardkeep doctor says what to do"
    say "  wardkeep vault set NAME --to host:...       keep a secret, asked for or from standard input"
    say "  journalctl --unit wardkeep-agent            what it says"
}

# Runs at every end of this script. Descriptor 3: the step's own output goes to the log.
leave() {
    status=$1
    trap '' HUP INT TERM
    trap - EXIT
    set +e
    if [ "$ECHO_OFF" = yes ]; then stty echo; fi
    if [ "$status" != 0 ] && [ -n "$STEP" ] && [ "$MODE" = install ]; then
        say "FAILED"
        undo_all
    elif [ -n "$WHY" ]; then
        say "Not done: $WHY."
    fi
    if [ -n "$WORK" ]; then rm -rf "$WORK"; fi
    exit "$status"
}

undo_all() {
    say ""
    sed 's/^/    | /' "$LOG" | tail -n 25 >&3
    say "Step '$(title "$STEP")' failed${WHY:+: $WHY}."
    if [ "$KEEP" = yes ]; then
        say "Left as it is (--keep-on-failure)."
    else
        for step in $DONE; do
            if [ "$step" != preflight ]; then say "  undoing: $(title "$step")"; fi
            "undo_$step" >>"$LOG" 2>&1 || say "           this did not succeed; look at it by hand"
        done
        if [ "$WAS_ACTIVE" = yes ] && [ "$CHANGED" = yes ]; then
            if [ -e "$ROOT/etc/systemd/system/$HELPER" ]; then
                systemctl restart "$HELPER" >>"$LOG" 2>&1 || say "  the former helper does not start: systemctl status $HELPER"
            fi
            systemctl restart "$UNIT" >>"$LOG" 2>&1 || say "  the former daemon does not start: systemctl status $UNIT"
        fi
    fi
    say ""
    say "What to do next: $(hint "$STEP")"
    if [ "$ENROLLED_NOW" = yes ] && [ "$KEEP" = no ]; then
        say "The token may be spent; make a new command on the hub for the next try."
    fi
}

uninstall_all() {
    say "Removing wardkeep-agent"
    WAS_MADE=$(if [ -e "$MANIFEST" ]; then tr '\n' ';' <"$MANIFEST"; fi)
    TROUBLE=no
    for STEP in $STEPS_REVERSED; do
        say "  $(title "$STEP")"
        # Whatever one step meets, the others go on.
        if ! "remove_$STEP" >>"$LOG" 2>&1; then
            TROUBLE=yes
            say "       this did not succeed:"
            tail -n 5 "$LOG" | sed 's/^/    | /' >&3
        fi
    done
    rm -f "$ROOT/run/wardkeep-install.lock"
    if [ "$TROUBLE" = yes ]; then
        say "Something is left; see above, then run this again."
        exit 1
    fi
    say "Removed. The hub still lists this tenant until you remove it there."
}

describe() {
    if [ "$MODE" = uninstall ]; then
        say "Would remove, in this order (nothing is changed now):"
        for STEP in $STEPS_REVERSED; do say "  $(title "$STEP")"; done
        return 0
    fi
    say "Would install wardkeep-agent $VERSION (nothing is changed now):"
    choose_binary
    for STEP in $STEPS; do
        announce "$STEP"
        if "probe_$STEP" >/dev/null 2>&1; then say "already"; else say "to do"; fi
    done
}

main "$@"
