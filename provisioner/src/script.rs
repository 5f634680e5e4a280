//! The one script that installs, repairs, upgrades and removes: readable from top to bottom, for whoever is asked to run
//! it as root.

use std::fmt::Write as _;

use wardkeep_proto::digest::Digest;

use crate::binary::Binary;
use crate::params::InstallParams;
use crate::step::STEPS;
use crate::{config, layout, unit};

/// A rendered script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What the hub serves under [`crate::params::script_path`]; nothing in it is secret.
    pub text: String,
    /// SHA-256 of the text, pinned by [`mod@crate::one_liner`].
    pub sha256: Digest,
}

/// Renders the script; equal parameters give equal text.
#[must_use]
pub fn render(params: &InstallParams) -> Script {
    let mut text = include_str!("steps/head.sh").to_owned();
    text.push_str(&settings(params));
    text.push_str(include_str!("steps/library.sh"));
    for step in STEPS {
        let _ = write!(text, "\n# --- {}: {} ---\n\n{}", step.name, step.title, step.text);
    }
    text.push('\n');
    text.push_str(include_str!("steps/engine.sh"));
    let sha256 = Digest::plain(text.as_bytes());
    Script { text, sha256 }
}

/// Everything that differs from hub to hub. Single quotes are enough: [`InstallParams`] admits no quote.
fn settings(params: &InstallParams) -> String {
    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    let reversed: Vec<&str> = names.iter().rev().copied().collect();
    let cases = |text: fn(usize) -> &'static str| {
        (0..STEPS.len()).fold(String::new(), |cases, index| {
            format!("{cases}        {}) echo '{}' ;;\n", STEPS[index].name, text(index))
        })
    };
    format!(
        "\
# --- What this hub installs -------------------------------------------------------------------------------------------

VERSION='{version}'
WEB_URL='{web}'
LINK_ADDRESS='{link}'
STEPS='{steps}'
STEPS_REVERSED='{reversed}'
STEP_COUNT={count}

title() {{
    case \"$1\" in
{titles}    esac
}}

hint() {{
    case \"$1\" in
{hints}    esac
}}

# The program for this machine, by its SHA-256.
choose_binary() {{
    case \"$(uname -m)\" in
{binaries}        *) die \"there is no build for this machine, $(uname -m); the hub offers {offered}\" ;;
    esac
}}

config_text() {{
    cat <<'END_OF_CONFIG'
{config}END_OF_CONFIG
}}

unit_text() {{
    cat <<'END_OF_UNIT'
{unit}END_OF_UNIT
}}

helper_unit_text() {{
    cat <<'END_OF_UNIT'
{helper}END_OF_UNIT
}}

lock_unit_text() {{
    cat <<'END_OF_UNIT'
{lock}END_OF_UNIT
}}

",
        version = params.version(),
        web = params.web_url(),
        link = params.link_address(),
        steps = names.join(" "),
        reversed = reversed.join(" "),
        count = STEPS.len(),
        titles = cases(|index| STEPS[index].title),
        hints = cases(|index| STEPS[index].hint),
        binaries = params.binaries().iter().map(|binary| choice(params, binary)).collect::<String>(),
        offered = params.binaries().iter().map(|binary| binary.arch.as_str()).collect::<Vec<_>>().join(" and "),
        config = config::text(params.link_address()),
        unit = unit::text(params.limits(), unit::KEY_PLACE),
        helper = unit::HELPER,
        lock = unit::LOCK,
    )
}

fn choice(params: &InstallParams, binary: &Binary) -> String {
    format!(
        "        {arch})
            BINARY_SHA256={sha256}
            BINARY_SIZE={size}
            BINARY_DIR={versions}/{version}-{short}
            NEEDS_GLIBC={glibc}
            ;;
",
        arch = binary.arch.as_str(),
        sha256 = binary.sha256,
        size = binary.size,
        versions = layout::VERSIONS_DIR,
        version = params.version(),
        short = binary.sha256.short(),
        glibc = binary.glibc.map_or_else(|| "''".to_owned(), |glibc| glibc.to_string()),
    )
}

#[cfg(test)]
mod tests;
