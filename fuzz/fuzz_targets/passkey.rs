//! What a hub relays of passkeys, read by the daemon: nothing breaks, and nothing that nobody signed counts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wardkeep_passkey::soft::try_hostile(bytes));
