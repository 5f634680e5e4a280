# An operator's changes are kept: the file is written once.
probe_config() {
    [ -s "$ROOT/etc/wardkeep/agent.toml" ]
}

apply_config() {
    config_text | put "$ROOT/etc/wardkeep/agent.toml" 0644
    CHANGED=yes
}

undo_config() {
    unput "$ROOT/etc/wardkeep/agent.toml"
}

remove_config() {
    if [ "$PURGE" = yes ]; then rm -f "$ROOT/etc/wardkeep/agent.toml"; fi
}
