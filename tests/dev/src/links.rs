//! Links between our own documents: the file exists, and the heading in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Looks at every Markdown file under version control, and at those that are about to be.
pub(crate) fn check() -> anyhow::Result<()> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"];
    let output = Command::new("git").args(list).output()?;
    anyhow::ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let (mut broken, mut count) = (Vec::new(), 0);
    for file in String::from_utf8(output.stdout)?.lines().map(Path::new).filter(|file| file.exists()) {
        let text = std::fs::read_to_string(file)?;
        for link in links(&text) {
            count += 1;
            if let Err(reason) = follow(file, &text, link) {
                broken.push(format!("{}: {link}: {reason}", file.display()));
            }
        }
    }
    anyhow::ensure!(broken.is_empty(), "{} of {count} links are broken:\n   {}", broken.len(), broken.join("\n   "));
    Ok(())
}

/// Targets of `[text](target)` and `![text](target)` outside code.
fn links(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        for prose in line.split('`').step_by(2) {
            let ends = prose.match_indices("](").map(|(at, _)| &prose[at + 2..]);
            found.extend(ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    found
}

fn follow(from: &Path, own: &str, link: &str) -> Result<(), &'static str> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return Ok(());
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target: PathBuf = from.parent().unwrap_or(Path::new("")).join(path);
    if !path.is_empty() && !target.exists() {
        return Err("no such file");
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text =
        if path.is_empty() { own.to_owned() } else { std::fs::read_to_string(target).map_err(|_| "not readable")? };
    if anchors(&text).contains(heading) { Ok(()) } else { Err("no such heading") }
}

/// Headings as GitHub names them: lower case, blanks to hyphens, other marks dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let plain = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_none() {
        let text = "[a](b.md) and ![c](d.png)\n`[e](f)` [g](h#i)\n```\n[j](k)\n```\n[l](m)";
        assert_eq!(links(text), ["b.md", "d.png", "h#i", "m"]);
    }

    #[test]
    fn a_file_and_its_heading_must_exist() {
        let dir = std::env::temp_dir().join(format!("wardkeep-links-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join("b.md"), "# One: two, three\n").expect("written");
        let from = dir.join("a.md");
        for good in ["b.md", "b.md#one-two-three", "#here", "https://example.com/none", "."] {
            assert_eq!(follow(&from, "## Here\n", good), Ok(()), "{good}");
        }
        for bad in ["c.md", "b.md#two", "#there", "c.md#x"] {
            assert!(follow(&from, "## Here\n", bad).is_err(), "{bad}");
        }
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
