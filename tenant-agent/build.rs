//! Puts the functions that run on the way to rest beside each other.
//!
//! The system maps 64 KiB of a program around each place that is touched. Spread over the program, the functions of a start
//! bring nearly all of it into memory; side by side a third. `order.txt` names them, `./dev order` writes it; names that no
//! longer exist do nothing.

use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=order.txt");
    println!("cargo::rerun-if-env-changed=WARDKEEP_LINK_MAP");
    let get = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    let here = (get("CARGO_CFG_TARGET_OS"), get("CARGO_CFG_TARGET_ENV"), get("PROFILE"));
    // Known to work with lld, which Rust brings, and with GNU ld; who chose another linker is left alone.
    let chosen = !get("RUSTC_LINKER").is_empty() || get("CARGO_ENCODED_RUSTFLAGS").contains("fuse-ld");
    if here != ("linux".into(), "gnu".into(), "release".into()) || chosen {
        return Ok(());
    }
    // One section as always, so that tools find the program's code.
    let mut script = String::from("SECTIONS {\n  .text : {\n");
    for name in std::fs::read_to_string("order.txt")?.lines().filter(|line| !line.starts_with('#')) {
        // What the compiler holds for cold, such as making room in a list, runs at a start as well.
        script.push_str(&format!("    *(.text.{name} .text.unlikely.{name})\n"));
    }
    script.push_str("    *(.text .text.*)\n  }\n} INSERT BEFORE .init;\n");
    let path = PathBuf::from(get("OUT_DIR")).join("order.ld");
    std::fs::write(&path, script)?;
    println!("cargo::rustc-link-arg-bin=wardkeep-agent=-Wl,-T,{}", path.display());
    // 57,000 places of the program hold addresses that the loader has to correct. Listed one by one they are 1.3 MB that are
    // read once and stay mapped; packed, 0.1. The C library does it since 2.36, the installer asks for that (decision 23).
    println!("cargo::rustc-link-arg-bin=wardkeep-agent=-Wl,-z,pack-relative-relocs");
    // Unwinding, of which only a crash's report makes use, from an archive: as a file of its own (libgcc_s) it has 0.26 MiB at
    // rest. Where there is no such archive, the file stays.
    // The compiler asked is the one of this machine.
    if get("HOST") == get("TARGET")
        && let Some(archive) = archive_of_unwinding()
    {
        println!("cargo::rustc-link-search=native={}", archive.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
    // For `./dev order`: where each function came to stand.
    if let Some(map) = std::env::var_os("WARDKEEP_LINK_MAP") {
        println!("cargo::rustc-link-arg-bin=wardkeep-agent=-Wl,-Map={}", map.display());
    }
    Ok(())
}

/// The folder of `libgcc_eh.a`, if the C compiler has one: it answers with a path then, and with the bare name otherwise.
fn archive_of_unwinding() -> Option<PathBuf> {
    let said = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    path.is_absolute().then(|| path.parent().map(PathBuf::from)).flatten()
}
