#!/bin/sh
# Stands in for every program that would change this machine. Its name says which one it plays; $FAKE is its memory.
name=${0##*/}
printf '%s %s\n' "$name" "$*" >>"$FAKE/calls"
if [ -n "$FAIL" ] && [ ! -e "$FAKE/failed" ]; then
    case "$name $*" in
        *"$FAIL"*)
            : >"$FAKE/failed"
            if [ -n "$FAIL_BY_SIGNAL" ]; then kill -s "$FAIL_BY_SIGNAL" "$PPID"; fi
            echo "$name: made to fail" >&2
            exit 1
            ;;
    esac
fi

real() {
    PATH=/usr/bin:/bin
    exec "$name" "$@"
}

last() {
    for word in "$@"; do :; done
    printf '%s' "$word"
}

case "$name" in
    uname) echo "${UNAME:-x86_64}" ;;
    getconf) echo "glibc ${GLIBC:-2.36}" ;;
    apt-get)
        case "$*" in
            *" install "*)
                mkdir -p "$WARDKEEP_ROOT/etc/ssl/certs"
                : >"$WARDKEEP_ROOT/etc/ssl/certs/ca-certificates.crt"
                ;;
            *" purge "*) rm -r "$WARDKEEP_ROOT/etc/ssl" ;;
        esac
        ;;
    dpkg-query) [ ! -e "$WARDKEEP_ROOT/etc/ssl" ] || printf 'install ok installed' ;;
    getent) grep -qx "group $2" "$FAKE/accounts" ;;
    id)
        case "$1" in
            -u) echo "${UID_IS:-0}" ;;
            -nG) sed -n "s/^member $2 //p" "$FAKE/accounts" ;;
            *) grep -qx "user $1" "$FAKE/accounts" ;;
        esac
        ;;
    groupadd) echo "group $(last "$@")" >>"$FAKE/accounts" ;;
    useradd)
        echo "user $(last "$@")" >>"$FAKE/accounts"
        case "$*" in *--create-home*) mkdir -p "$WARDKEEP_ROOT/home/$(last "$@")" ;; esac
        ;;
    usermod) echo "member $(last "$@") wardkeep-work" >>"$FAKE/accounts" ;;
    userdel | groupdel)
        who=$(last "$@")
        case "$*" in --remove*) rm -r "$WARDKEEP_ROOT/home/$who" ;; esac
        grep -Evx "(user|group) $who|member $who .*" "$FAKE/accounts" >"$FAKE/accounts.new"
        mv "$FAKE/accounts.new" "$FAKE/accounts"
        ;;
    chown) echo "$2 $1" >>"$FAKE/owners" ;;
    stat)
        # Owners as `chown` was told, modes as they are.
        case "$2" in
            *%U*)
                [ -e "$3" ] || exit 1
                owner=$(grep "^$3 " "$FAKE/owners" | tail -n 1)
                echo "${owner#* } $(/usr/bin/stat -c %a "$3")"
                ;;
            *) real "$@" ;;
        esac
        ;;
    curl)
        out=$(printf '%s\n' "$@" | sed -n '/^--output$/{n;p;}')
        cp "$FAKE/download" "$out"
        ;;
    systemctl)
        case "$1" in
            --version) echo "systemd ${SYSTEMD:-252} (252.39)" ;;
            enable | disable) echo "$1" >"$FAKE/enabled" ;;
            start | restart | stop)
                echo "$1" >"$FAKE/active"
                # As StateDirectory= has it.
                case "$*" in "restart wardkeep-helper.service") mkdir -p "$WARDKEEP_ROOT/var/lib/wardkeep-helper" ;; esac
                ;;
            is-enabled) grep -qx enable "$FAKE/enabled" ;;
            is-active) grep -qx restart "$FAKE/active" ;;
        esac
        ;;
    systemd-creds)
        if [ -n "$NO_SEAL" ]; then exit 1; fi
        case "$1" in
            encrypt) rev >"$(last "$@")" ;;
            decrypt) rev <"$3" ;;
        esac
        ;;
    systemd-run)
        while [ "${1#-}" != "$1" ]; do shift; done
        program=$1
        shift
        exec "$WARDKEEP_ROOT$program" "$@"
        ;;
    runuser)
        shift 3
        exec "$@"
        ;;
    nft | journalctl) ;;
    head | mv) real "$@" ;;
    *) echo "no such fake: $name" >&2 && exit 99 ;;
esac
