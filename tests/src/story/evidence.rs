//! What can be seen afterwards of a runtime at work: the audit log, what the provider was told, what lies in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::stage::Stage;

impl Stage {
    /// The last rows of the audit log, oldest first.
    ///
    /// # Errors
    /// The daemon does not show them.
    pub async fn audit(&self) -> anyhow::Result<Vec<Value>> {
        let text = self.tenant.cli(&["audit", "show", "--last", "2000", "--json"]).await?;
        let mut rows: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        rows.sort_by_key(|row| row["number"].as_u64());
        Ok(rows)
    }

    /// Whether the provider was told this.
    #[must_use]
    pub fn told(&self, text: &str) -> bool {
        self.llm.requests().iter().any(|one| memchr::memmem::find(&one.body, text.as_bytes()).is_some())
    }

    /// Where a value stands, as it is or as JSON has it: files beneath `roots`, and requests to the provider.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn leaks(&self, value: &str, roots: &[PathBuf]) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        let quoted = Value::from(value).to_string();
        for form in [value, quoted.trim_matches('"')] {
            for root in roots {
                walk(root, &mut |path, content| {
                    if memchr::memmem::find(content, form.as_bytes()).is_some() {
                        found.push(path.display().to_string());
                    }
                })?;
            }
            if self.told(form) {
                found.push("a request to the provider".to_owned());
            }
        }
        Ok(found)
    }

    /// Takes the daemon away for good.
    ///
    /// # Errors
    /// Its configuration cannot be moved, or it cannot be killed.
    pub async fn kill_daemon(&self) -> anyhow::Result<()> {
        let config = self.setting.folder.join("tenant/agent.toml");
        fs::rename(&config, config.with_extension("away"))?;
        self.tenant.service.kill()?;
        while !self.tenant.service.ended() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// Shows every file beneath `path`, links not followed; what is not there has none.
///
/// # Errors
/// A folder cannot be read.
pub fn walk(path: &Path, see: &mut impl FnMut(&Path, &[u8])) -> anyhow::Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), see)?;
        }
    } else if meta.is_file() {
        see(path, &fs::read(path).unwrap_or_default());
    }
    Ok(())
}
