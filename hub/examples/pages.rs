//! Writes every page with made-up rows into a folder, to be looked at: `cargo run -p wardkeep-hub --example pages -- FOLDER`,
//! then serve the folder (`python3 -m http.server -d FOLDER`), because pages name their assets from the root.

use std::path::PathBuf;

use anyhow::Context;
use wardkeep_hub::pages::shell::Theme;
use wardkeep_hub::pages::{assets, samples};

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("which folder?")?);
    std::fs::create_dir_all(folder.join("assets"))?;
    for theme in [Theme::Light, Theme::Dark] {
        for sample in samples::all(theme)? {
            std::fs::write(folder.join(format!("{}.{theme}.html", sample.name)), sample.html)?;
        }
    }
    for asset in assets::ALL.iter() {
        std::fs::write(folder.join("assets").join(asset.file()), asset.bytes())?;
        if asset.name() == "icon.svg" {
            std::fs::write(folder.join("favicon.svg"), asset.bytes())?;
        }
    }
    Ok(())
}
