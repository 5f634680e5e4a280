probe_users() {
    getent group wardkeep-work && id wardkeep && id agent && id -nG agent | grep -qw wardkeep-work
}

apply_users() {
    if ! getent group wardkeep-work; then
        groupadd --system wardkeep-work
        note group wardkeep-work
    fi
    if ! id wardkeep; then
        useradd --system --gid wardkeep-work --home-dir /var/lib/wardkeep --no-create-home \
            --shell /usr/sbin/nologin wardkeep
        note user wardkeep
    fi
    if ! id agent; then
        useradd --system --user-group --home-dir /home/agent --create-home --shell /usr/sbin/nologin agent
        note user agent
        chmod 0700 "$ROOT/home/agent"
    fi
    usermod --append --groups wardkeep-work agent
}

undo_users() {
    # Only what this run made: an older installation is in the manifest's copy from before.
    made_in_this_run user agent && { userdel --remove agent; unnote user agent; }
    made_in_this_run user wardkeep && { userdel wardkeep; unnote user wardkeep; }
    made_in_this_run group wardkeep-work && { groupdel wardkeep-work; unnote group wardkeep-work; }
    rmdir --ignore-fail-on-non-empty "$ROOT/etc/wardkeep" 2>/dev/null || true
}

made_in_this_run() {
    noted "$1" "$2" && ! { [ -e "$WORK/manifest" ] && grep -qx "$1 $2" "$WORK/manifest"; }
}

remove_users() {
    [ "$PURGE" = yes ] || return 0
    case "$WAS_MADE" in *"user agent;"*) userdel --remove agent ;; esac
    case "$WAS_MADE" in *"user wardkeep;"*) userdel wardkeep ;; esac
    case "$WAS_MADE" in *"group wardkeep-work;"*) groupdel wardkeep-work ;; esac
}
