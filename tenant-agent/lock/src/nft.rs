//! The program `nft`: the one place that starts it.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::listing::{Listing, ListingError};
use crate::ruleset::TABLE;

/// More than a slow machine needs; a transaction takes milliseconds.
const WITHIN: Duration = Duration::from_secs(20);

/// How `nft` is started.
#[derive(Clone, Debug)]
pub struct Nft {
    words: Vec<OsString>,
}

/// Why the kernel's rules could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// Not installed.
    #[error("the program {0} is missing; install it with `apt-get install nftables`")]
    Missing(String),
    /// It did not start or could not be spoken to.
    #[error("nft cannot be run")]
    Io(#[from] io::Error),
    /// It said no.
    #[error("nft refused: {0}")]
    Refused(String),
    /// It hangs.
    #[error("nft did not end within {} seconds", WITHIN.as_secs())]
    TimedOut,
    /// Its list cannot be read.
    #[error(transparent)]
    Listing(#[from] ListingError),
}

impl Default for Nft {
    /// The system's own.
    fn default() -> Self {
        Self::command(["nft"])
    }
}

impl Nft {
    /// Another way to start it: the tests' network namespace, or a name that is not there.
    #[must_use]
    pub fn command<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect() }
    }

    /// One transaction: all of `text` or nothing of it.
    ///
    /// # Errors
    /// All of [`NftError`] but `Listing`.
    pub async fn apply(&self, text: &str) -> Result<(), NftError> {
        self.run(&["-f", "-"], text).await.map(drop)
    }

    /// Our table, if it is there.
    ///
    /// # Errors
    /// All of [`NftError`].
    pub async fn list(&self) -> Result<Option<Listing>, NftError> {
        match self.run(&["--json", "--numeric", "list", "table", TABLE[0], TABLE[1]], "").await {
            Ok(json) => Ok(Some(Listing::parse(&json)?)),
            Err(NftError::Refused(why)) if why.contains("No such file or directory") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes our table away; no error when it is not there.
    ///
    /// # Errors
    /// All of [`NftError`] but `Listing`.
    pub async fn remove(&self) -> Result<(), NftError> {
        let [family, name] = TABLE;
        self.apply(&format!("table {family} {name}\ndelete table {family} {name}\n")).await
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<Vec<u8>, NftError> {
        let (program, before) = self.words.split_first().ok_or_else(|| NftError::Missing("nft".to_owned()))?;
        let mut child = Command::new(program)
            .args(before)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => NftError::Missing(program.to_string_lossy().into_owned()),
                _ => NftError::Io(error),
            })?;
        let exchange = async {
            if let Some(mut stdin) = child.stdin.take() {
                // It may end without reading; what it says then is better than that.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(WITHIN, exchange).await.map_err(|_| NftError::TimedOut)??;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(NftError::Refused(String::from_utf8_lossy(&output.stderr).trim().chars().take(500).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_named_with_its_package() {
        let error = Nft::command(["wardkeep-no-such-nft"]).apply("").await.expect_err("not there");
        assert!(matches!(error, NftError::Missing(_)) && error.to_string().contains("apt-get install nftables"));
    }

    #[tokio::test]
    async fn what_it_says_is_passed_on_and_a_table_that_is_not_there_is_no_error() {
        let refusing = |says: &str| Nft::command(["sh", "-c", &format!("echo 'Error: {says}' >&2; exit 1")]);
        let error = refusing("Operation not permitted").list().await.expect_err("refused");
        assert!(error.to_string().contains("Operation not permitted"), "{error}");
        assert_eq!(refusing("No such file or directory").list().await.expect("an answer"), None);
        let garbage = Nft::command(["sh", "-c", "echo hello"]).list().await.expect_err("no JSON");
        assert!(matches!(garbage, NftError::Listing(ListingError::NoJson(_))));
    }
}
