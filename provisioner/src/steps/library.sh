# --- Words that all steps use -----------------------------------------------------------------------------------------

set -eu
umask 022
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL PATH
# Only tests set it: builds the same tree in a folder.
ROOT="${WARDKEEP_ROOT:-}"
UNIT=wardkeep-agent.service
HELPER=wardkeep-helper.service
LOCK=wardkeep-lock.service
HELPER_STATE="$ROOT/var/lib/wardkeep-helper"
STATE="$ROOT/var/lib/wardkeep"
AGENT="$ROOT/usr/local/bin/wardkeep-agent"
MANIFEST="$ROOT/etc/wardkeep/installed"
# Standard output of a step goes to a log; people are spoken to on descriptor 3.
exec 3>&1

say() {
    printf '%s\n' "$*" >&3
}

# Ends the run with a reason; what was done is then undone.
die() {
    WHY="$*"
    exit 1
}

# Replaces file $1 by standard input, mode $2, in one rename, and remembers what was there for `unput`.
put() {
    mkdir -p "$WORK/before$(dirname "$1")"
    if [ -e "$1" ]; then cp -p "$1" "$WORK/before$1"; fi
    cat >"$1.new"
    chmod "$2" "$1.new"
    : >"$WORK/before$1.put"
    mv -f "$1.new" "$1"
    CHANGED=yes
}

# Takes back what `put` did to file $1 in this run; does nothing when it was never called.
unput() {
    rm -f "$1.new"
    if [ ! -e "$WORK/before$1.put" ]; then return 0; fi
    if [ -e "$WORK/before$1" ]; then mv -f "$WORK/before$1" "$1"; else rm -f "$1"; fi
}

# Remembers on this server that the installer made $2, so that `uninstall --purge` removes that and no more.
note() {
    mkdir -p "$ROOT/etc/wardkeep"
    printf '%s %s\n' "$1" "$2" >>"$MANIFEST"
}

noted() {
    [ -e "$MANIFEST" ] && grep -qx "$1 $2" "$MANIFEST"
}

unnote() {
    if noted "$1" "$2"; then
        { grep -vx "$1 $2" "$MANIFEST" || true; } >"$MANIFEST.new"
        mv -f "$MANIFEST.new" "$MANIFEST"
    fi
    if [ ! -s "$MANIFEST" ]; then rm -f "$MANIFEST"; fi
}

as_daemon() {
    runuser -u wardkeep -- "$@"
}

enrolled() {
    [ -e "$STATE/identity/tenant.json" ]
}

# The token is the only secret here: read from standard input or a private file into a variable that is not exported, and
# given on through a pipe. It is never an argument of a program.
read_token() {
    TOKEN=
    if [ -n "$TOKEN_FILE" ]; then
        case "$(stat -c %a "$TOKEN_FILE")" in
            *00) IFS= read -r TOKEN <"$TOKEN_FILE" || true ;;
            *) die "others may read $TOKEN_FILE: chmod 600 it, and think about a new token" ;;
        esac
    elif [ -t 0 ]; then
        printf 'Enrolment token (not shown): ' >&3
        ECHO_OFF=yes
        stty -echo
        IFS= read -r TOKEN || true
        stty echo
        ECHO_OFF=no
        say ''
    else
        IFS= read -r TOKEN || true
    fi
    case "$TOKEN" in
        *[!A-Za-z0-9._-]*) die "this is not an enrolment token" ;;
        wke1.?*) ;;
        '') die "no enrolment token came on standard input" ;;
        *) die "this is not an enrolment token" ;;
    esac
}
