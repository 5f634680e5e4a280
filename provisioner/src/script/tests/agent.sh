#!/bin/sh
# Stands in for wardkeep-agent.
printf 'wardkeep-agent %s\n' "$*" >>"$FAKE/calls"
if [ -n "$FAIL" ] && [ ! -e "$FAKE/failed" ]; then
    case "wardkeep-agent $*" in
        *"$FAIL"*) : >"$FAKE/failed" && exit 1 ;;
    esac
fi
state="$WARDKEEP_ROOT/var/lib/wardkeep"
case "$1" in
    --version) echo "wardkeep-agent 1.2.3" ;;
    enrol)
        IFS= read -r token
        printf '%s\n' "$token" >>"$FAKE/tokens"
        env >>"$FAKE/environment"
        mkdir -p "$state/identity"
        echo '{}' >"$state/identity/tenant.json"
        ;;
    vault) echo sealed >"$state/vault.db" ;;
    status | doctor) echo online ;;
    *) exit 2 ;;
esac
