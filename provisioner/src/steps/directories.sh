# Only root makes and renames workspaces: whoever writes in one could else put a link in its place.
DIRECTORIES='/etc/wardkeep root:root 0755
/opt/wardkeep root:root 0755
/var/lib/wardkeep wardkeep:wardkeep-work 0700
/srv/agents root:wardkeep-work 2750
/srv/agents/assistant root:wardkeep-work 2770'

# With an owner that is wrong, `apply` mends it.
probe_directories() {
    printf '%s\n' "$DIRECTORIES" | while read -r path owner mode; do
        [ "$(stat -c '%U:%G %a' "$ROOT$path")" = "$owner ${mode#0}" ] || exit 1
    done
}

apply_directories() {
    printf '%s\n' "$DIRECTORIES" | while read -r path owner mode; do
        if [ ! -d "$ROOT$path" ]; then
            printf '%s\n' "$path" >>"$WORK/directories"
            mkdir -p "$ROOT$path"
        fi
        chown "$owner" "$ROOT$path"
        chmod "$mode" "$ROOT$path"
    done
}

undo_directories() {
    if [ ! -e "$WORK/directories" ]; then return 0; fi
    # Made by this run, so nothing in it is older than this run.
    if grep -qx /var/lib/wardkeep "$WORK/directories"; then rm -rf "$STATE"; fi
    for path in /srv/agents/assistant /srv/agents /opt/wardkeep /etc/wardkeep; do
        if grep -qx "$path" "$WORK/directories" && [ -d "$ROOT$path" ]; then
            rmdir --ignore-fail-on-non-empty "$ROOT$path"
        fi
    done
}

remove_directories() {
    if [ "$PURGE" = yes ]; then
        rm -rf "$STATE" "$ROOT/etc/wardkeep"
        for path in /srv/agents/assistant /srv/agents; do
            if [ -d "$ROOT$path" ]; then rmdir --ignore-fail-on-non-empty "$ROOT$path"; fi
        done
        if [ -d "$ROOT/srv/agents" ]; then say "       kept: /srv/agents, there is work in it"; fi
    else
        say "       kept: /var/lib/wardkeep, /etc/wardkeep and /srv/agents; uninstall --purge removes them"
    fi
}
