//! `vault …`, in words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wardkeep_proto::ids::SecretName;
use wardkeep_vault::Context;

/// `vault …`
#[derive(Debug, Args)]
#[command(
    after_long_help = "There is no command that shows a value: the daemon reads them, people replace them. `vault export` \
                             writes them all into one encrypted file. Exit code: 0 done, 1 not done (the reason is on \
                             standard error), 2 wrong usage."
)]
pub struct VaultArgs {
    /// Read the vault's passphrase from this file or descriptor (/dev/fd/3) instead of the terminal.
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_from: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: VaultCommand,
}

/// Where a value comes from, and what holds for it.
#[derive(Debug, Args)]
pub struct ValueArgs {
    /// For a short or common value: redact it only after one of these words, e.g. --context pin,"door code".
    #[arg(long, value_name = "KEYWORD,…")]
    pub context: Option<Context>,
    /// Not given from then on: a date (2027-01-31, its beginning in UTC), a time (RFC 3339), or from now: 90d, 12h, 2w.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Make the value: so many random letters and digits. It is never shown.
    #[arg(long, value_name = "LENGTH", value_parser = clap::value_parser!(u16).range(16..=1024))]
    pub generate: Option<u16>,
}

/// What to do with the vault.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Make the vault and, where none is, its key file.
    Init {
        /// No key on this server: the vault opens with a passphrase that its owner keeps (`vault unlock`).
        #[arg(long)]
        passphrase: bool,
        /// Begin again although there was a vault here and its file is gone: what it held is lost.
        #[arg(long)]
        anew: bool,
    },
    /// Store a secret; its value comes from standard input or a prompt, never from the command line.
    #[command(
        after_long_help = "Examples:\n  wardkeep-agent vault set anthropic_api_key --to host:api.anthropic.com\n  \
        pass show db | wardkeep-agent vault set db_password --to tool:shell/psql --expires 90d\n  \
        wardkeep-agent vault set door --context pin,\"door code\"\n  wardkeep-agent vault set webhook_key --generate 40"
    )]
    Set {
        /// Its name, as in `SECRET_REF(name)`.
        name: SecretName,
        /// Where it may go: host:api.example.com, host:*.example.com:443, tool:shell/psql. Repeatable; replaces what was.
        #[arg(long = "to", value_name = "BINDING")]
        to: Vec<String>,
        /// The value.
        #[command(flatten)]
        value: ValueArgs,
    },
    /// Give a secret a new value; where it may go stays. The old value is still redacted for a week.
    Rotate {
        /// Which.
        name: SecretName,
        /// The value.
        #[command(flatten)]
        value: ValueArgs,
    },
    /// List names, bindings, ends and last use; never values.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Everything about one secret but its value.
    Show {
        /// Which.
        name: SecretName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What happened to one secret, oldest first; also to one that is gone.
    History {
        /// Which.
        name: SecretName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a secret. Its value is still redacted for a week.
    Rm {
        /// Which.
        name: SecretName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Allow a secret to go somewhere.
    Bind {
        /// Which.
        name: SecretName,
        /// Where: host:api.example.com, host:*.example.com:443, tool:shell/psql.
        #[arg(required = true, value_name = "BINDING")]
        to: Vec<String>,
    },
    /// Take such a permission back.
    Unbind {
        /// Which.
        name: SecretName,
        /// Where.
        #[arg(required = true, value_name = "BINDING")]
        to: Vec<String>,
    },
    /// Set when a secret ends; it is then given no more, and still redacted.
    Expire {
        /// Which.
        name: SecretName,
        /// As for `vault set --expires`, or `never`.
        when: String,
    },
    /// Store what another password store exported: .env, JSON, 1Password (1PUX, CSV, op), Bitwarden (JSON, also with a password, CSV), age.
    ///
    /// Names become lower case and differ. Existing secrets of the same name get a new version. Nothing is bound unless
    /// --bind; the file is left alone. The exit code is 1 when anything was left out, after the rest is stored.
    #[command(after_long_help = "Examples:\n  wardkeep-agent vault import --dry-run export.1pux\n  \
        op item list --format json | op item get - --format json | wardkeep-agent vault import -\n  \
        wardkeep-agent vault import backup.age --identity key.txt")]
    Import {
        /// The file, or - for standard input.
        file: PathBuf,
        /// Only say what would be stored, where its addresses would bind it, and what would be left out.
        #[arg(long)]
        dry_run: bool,
        /// Bind each secret to the addresses that stand beside it in the file.
        #[arg(long)]
        bind: bool,
        /// Of an age file: the file with its identity (AGE-SECRET-KEY-1…); without it, its passphrase is asked for.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Write all present values into one file that only its reader opens (age, age-encryption.org).
    #[command(
        after_long_help = "Examples:\n  wardkeep-agent vault export --encrypted backup.age --recipient age1…\n  \
        wardkeep-agent vault export --encrypted backup.age --passphrase"
    )]
    Export {
        /// The file to make; never overwritten.
        #[arg(long, value_name = "FILE", required = true)]
        encrypted: PathBuf,
        /// Who can read it: age1…, as `age-keygen -y` prints it. Repeatable.
        #[arg(long, value_name = "AGE1…", required_unless_present = "passphrase")]
        recipient: Vec<String>,
        /// Whoever knows a passphrase, which is asked for twice.
        #[arg(long, conflicts_with = "recipient")]
        passphrase: bool,
        /// Read that passphrase from this file or descriptor.
        #[arg(long, value_name = "FILE", requires = "passphrase")]
        new_passphrase_from: Option<PathBuf>,
    },
    /// Give the vault another key: a new key file, its owner's passphrase, or a systemd credential.
    ///
    /// The vault is written anew and exchanged in one step; a crash leaves it with the old key or the new one.
    #[command(
        after_long_help = "Examples:\n  wardkeep-agent vault rekey                    # a new key in the configured key file\n  \
        wardkeep-agent vault rekey --to-passphrase    # the key leaves this server\n  \
        wardkeep-agent vault rekey --to-credential vault-key.new"
    )]
    Rekey {
        /// The key is made from a passphrase, which is asked for twice, and stands in no file.
        #[arg(long, conflicts_with = "to_credential")]
        to_passphrase: bool,
        /// Read that passphrase from this file or descriptor.
        #[arg(long, value_name = "FILE", requires = "to_passphrase")]
        new_passphrase_from: Option<PathBuf>,
        /// The key in this credential that systemd handed over.
        #[arg(long, value_name = "NAME")]
        to_credential: Option<String>,
    },
    /// Give the running daemon the owner's key, made from the passphrase; it stays in memory.
    #[command(after_long_help = "Examples:\n  wardkeep-agent vault unlock\n  \
        wardkeep-agent vault unlock --passphrase-from /dev/stdin < passphrase")]
    Unlock,
    /// Take the owner's key back from the running daemon. Reads go on and are redacted.
    Lock {
        /// Forget the redaction index, too: then nothing at all is allowed until it is unlocked.
        #[arg(long)]
        forget: bool,
    },
}
