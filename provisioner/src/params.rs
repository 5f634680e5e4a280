//! What differs between one hub's installation script and another's.

use wardkeep_proto::digest::Digest;

use crate::binary::Binary;

/// Everything the script needs to know; checked once, so that each part is safe inside a shell word.
///
/// The same for all tenants of a hub: what makes a server *this* tenant travels in the enrolment token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallParams {
    web_url: String,
    link_address: String,
    version: String,
    binaries: Vec<Binary>,
    limits: Limits,
}

/// Ceilings of the daemon's unit, runners of permitted commands included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mebibytes; `MemoryMax=`.
    pub memory_max_mib: u32,
    /// Processes and threads; `TasksMax=`.
    pub tasks_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_max_mib: 1024, tasks_max: 512 }
    }
}

/// A parameter that must not stand in a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParams {
    /// Not an absolute `http` or `https` address of plain characters.
    #[error("{what} must be an http:// or https:// address without user, query or fragment, got {got:?}")]
    Address {
        /// Which of the addresses.
        what: &'static str,
        /// What was given, cut to 200 characters.
        got: String,
    },
    /// Not a version as Cargo writes it.
    #[error("a version is 1 to 40 of 0-9, A-Z, a-z, dot, plus and hyphen, got {0:?}")]
    Version(String),
    /// The hub has nothing to install.
    #[error("there is no agent binary to install: give the hub one for each architecture of your servers")]
    NoBinary,
    /// Two binaries claim one architecture.
    #[error("two agent binaries for {0}: keep one")]
    TwoBinaries(&'static str),
    /// A limit under which the daemon could not start.
    #[error("limits are at least 128 MiB and 64 tasks")]
    Limits,
}

impl InstallParams {
    /// Checks and keeps the parts.
    ///
    /// * `web_url`: where the hub's pages are reached from a customer's server, e.g. `https://hub.example.com`.
    /// * `link_address`: where the daemon connects to, e.g. `https://hub.example.com:7443`.
    /// * `version`: of the daemon being installed.
    /// * `binaries`: at most one for each architecture.
    ///
    /// # Errors
    /// [`InvalidParams`] names the part.
    pub fn new(web_url: &str, link_address: &str, version: &str, binaries: Vec<Binary>) -> Result<Self, InvalidParams> {
        if !is_version(version) {
            return Err(InvalidParams::Version(version.chars().take(80).collect()));
        }
        if binaries.is_empty() {
            return Err(InvalidParams::NoBinary);
        }
        for (index, binary) in binaries.iter().enumerate() {
            if binaries[..index].iter().any(|other| other.arch == binary.arch) {
                return Err(InvalidParams::TwoBinaries(binary.arch.as_str()));
            }
        }
        Ok(Self {
            web_url: address("the hub's web address", web_url)?,
            link_address: address("the hub's link address", link_address)?,
            version: version.to_owned(),
            binaries,
            limits: Limits::default(),
        })
    }

    /// The same with other ceilings for the unit.
    ///
    /// # Errors
    /// [`InvalidParams::Limits`] when the daemon could not live under them.
    pub fn with_limits(mut self, limits: Limits) -> Result<Self, InvalidParams> {
        if limits.memory_max_mib < 128 || limits.tasks_max < 64 {
            return Err(InvalidParams::Limits);
        }
        self.limits = limits;
        Ok(self)
    }

    /// Where scripts and binaries are downloaded from, without a slash at the end.
    #[must_use]
    pub fn web_url(&self) -> &str {
        &self.web_url
    }

    /// Where the daemon connects to.
    #[must_use]
    pub fn link_address(&self) -> &str {
        &self.link_address
    }

    /// Version of the daemon.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What can be installed.
    #[must_use]
    pub fn binaries(&self) -> &[Binary] {
        &self.binaries
    }

    /// Ceilings of the unit.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

/// Path under which the hub serves the script with this digest.
#[must_use]
pub fn script_path(script: &Digest) -> String {
    format!("/install/{script}.sh")
}

/// Path under which the hub serves the binary with this digest.
#[must_use]
pub fn binary_path(binary: &Digest) -> String {
    format!("/install/wardkeep-agent/{binary}")
}

fn is_version(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
}

/// Letters that mean nothing to a shell, to curl's globbing (`[]` of IPv6 hosts is switched off there) or to TOML.
fn address(what: &'static str, text: &str) -> Result<String, InvalidParams> {
    let invalid = || InvalidParams::Address { what, got: text.chars().take(200).collect() };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(invalid)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/' | b'[' | b']');
    let starts_with_host = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    if text.len() > 200 || !starts_with_host || !rest.bytes().all(plain) || rest.contains("//") || rest.contains("..") {
        return Err(invalid());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::samples;

    #[test]
    fn nothing_that_a_shell_would_act_on_passes() {
        let bad = [
            "",
            "hub.example.com",
            "ftp://hub",
            "https://",
            "https:///x",
            "https://-oProxy",
            "https://hub/$(id)",
            "https://hub/`id`",
            "https://hub;id",
            "https://hub'x",
            "https://hub\"x",
            "https://hub x",
            "https://hub\nx",
            "https://hub?x",
            "https://hub#x",
            "https://user@hub",
            "https://hub/../x",
            "https://hub\\x",
        ];
        for text in bad {
            for (web, link) in [(text, "https://hub:7443"), ("https://hub", text)] {
                assert!(InstallParams::new(web, link, "1.0.0", vec![samples::x86_64()]).is_err(), "{text:?}");
            }
        }
        for version in ["", "v1", "1 0", "1;0", "1/0", "$x", &"1".repeat(41)] {
            let params = InstallParams::new("https://hub", "https://hub", version, vec![samples::x86_64()]);
            assert!(matches!(params, Err(InvalidParams::Version(_))), "{version:?}");
        }
    }

    #[test]
    fn one_binary_for_each_architecture() {
        let with = |binaries| InstallParams::new("https://hub", "https://hub", "1.0.0", binaries);
        assert_eq!(with(vec![]), Err(InvalidParams::NoBinary));
        let twice = vec![samples::x86_64(), samples::x86_64()];
        assert_eq!(with(twice), Err(InvalidParams::TwoBinaries("x86_64")));
        assert!(with(vec![samples::x86_64(), samples::aarch64()]).is_ok());
    }

    #[test]
    fn limits_leave_room_to_start() {
        let params = samples::params();
        let low = Limits { memory_max_mib: 16, tasks_max: 512 };
        assert_eq!(params.clone().with_limits(low), Err(InvalidParams::Limits));
        assert!(params.with_limits(Limits { memory_max_mib: 128, tasks_max: 64 }).is_ok());
    }

    #[test]
    fn a_slash_at_the_end_is_dropped() {
        let params = InstallParams::new("http://[::1]:8080/", "https://hub/", "1.0.0", vec![samples::x86_64()]);
        let params = params.expect("valid");
        assert_eq!((params.web_url(), params.link_address()), ("http://[::1]:8080", "https://hub"));
    }
}
