//! Packs the shipped rules: as they are written they would be 280 KB of constants that are read once and stay mapped.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::ZlibEncoder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=rules");
    let out = std::env::var_os("OUT_DIR").ok_or("cargo names no folder")?;
    for file in fs::read_dir("rules")? {
        let file = file?;
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&fs::read(file.path())?)?;
        fs::write(Path::new(&out).join(file.file_name()), packed.finish()?)?;
    }
    Ok(())
}
