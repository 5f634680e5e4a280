//! Facts about a daemon binary, read from the file itself, so that nobody has to type them.

use std::fmt;
use std::str::FromStr;

use wardkeep_proto::digest::Digest;

/// One binary that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Machine it runs on.
    pub arch: Arch,
    /// SHA-256 of the whole file.
    pub sha256: Digest,
    /// Bytes; bounds the download.
    pub size: u64,
    /// Oldest GNU C library it starts with; `None` for a static binary.
    pub glibc: Option<Glibc>,
}

/// A machine architecture that we build for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit Intel and AMD.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

/// Version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc {
    /// `2` of `2.36`.
    pub major: u32,
    /// `36` of `2.36`.
    pub minor: u32,
}

/// The file is not a Linux program that we can install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABinary {
    /// No ELF file at all, or cut off.
    #[error("this is not a complete 64-bit little-endian ELF program; build wardkeep-agent for Linux")]
    NotElf,
    /// ELF for another machine.
    #[error("this program is for ELF machine {0}; wardkeep-agent is built for x86_64 and aarch64")]
    Machine(u16),
}

impl Binary {
    /// Reads the facts out of a whole file.
    ///
    /// # Errors
    /// [`NotABinary`] when it could not run on any server that we support.
    pub fn inspect(file: &[u8]) -> Result<Self, NotABinary> {
        let elf = Elf(file);
        if file.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(NotABinary::NotElf);
        }
        let arch = match elf.u16(18)? {
            62 => Arch::X86_64,
            183 => Arch::Aarch64,
            other => return Err(NotABinary::Machine(other)),
        };
        Ok(Self { arch, sha256: Digest::plain(file), size: file.len() as u64, glibc: elf.glibc()? })
    }
}

impl Arch {
    /// As `uname -m` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Glibc {
    type Err = ();

    /// Reads the symbol version `GLIBC_2.36`; a third number (`GLIBC_2.2.5`) says nothing that we need. A program whose
    /// relocations are packed says so by a name without a number.
    fn from_str(symbol_version: &str) -> Result<Self, ()> {
        if symbol_version == PACKED_RELOCATIONS {
            return Ok(READS_PACKED_RELOCATIONS);
        }
        let mut numbers = symbol_version.strip_prefix("GLIBC_").ok_or(())?.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(()),
        }
    }
}

/// An ELF64 little-endian file; every read is checked.
struct Elf<'a>(&'a [u8]);

/// What a linker has a program need beside its packed relocations, so that an older loader refuses it instead of starting it
/// with addresses that are wrong.
const PACKED_RELOCATIONS: &str = "GLIBC_ABI_DT_RELR";
/// Reads them. Source: NEWS of glibc 2.36, "Support for DT_RELR relative relocation format".
const READS_PACKED_RELOCATIONS: Glibc = Glibc { major: 2, minor: 36 };

/// `SHT_GNU_verneed`: which symbol versions the program needs. Source: Linux Standard Base, "Symbol Versioning".
const VERSION_NEEDS: u32 = 0x6fff_fffe;
/// A need without which the program still starts.
const WEAK: u16 = 2;
/// No real binary has more; keeps a damaged file from sending us round in circles.
const MOST_NEEDS: usize = 10_000;

impl Elf<'_> {
    fn glibc(&self) -> Result<Option<Glibc>, NotABinary> {
        let sections = self.word(40)?;
        let (entry, count) = (usize::from(self.u16(58)?), usize::from(self.u16(60)?));
        let mut newest = None;
        for header in (0..count).map(|index| sections.saturating_add(index * entry)) {
            if self.u32(header + 4)? == VERSION_NEEDS {
                let strings = sections.saturating_add(self.index(header + 40)?.saturating_mul(entry));
                newest = newest.max(self.newest_need(self.word(header + 24)?, self.word(strings + 24)?)?);
            }
        }
        Ok(newest)
    }

    /// Walks the chains `Elf64_Verneed` → `Elf64_Vernaux`.
    fn newest_need(&self, first: usize, strings: usize) -> Result<Option<Glibc>, NotABinary> {
        let (mut newest, mut need, mut seen) = (None, first, 0);
        loop {
            let mut version = need.saturating_add(self.index(need + 8)?);
            for _ in 0..self.u16(need + 2)? {
                seen += 1;
                if seen > MOST_NEEDS {
                    return Err(NotABinary::NotElf);
                }
                if self.u16(version + 4)? & WEAK == 0 {
                    let name = self.text(strings.saturating_add(self.index(version + 8)?))?;
                    newest = newest.max(name.parse().ok());
                }
                version = version.saturating_add(self.index(version + 12)?);
            }
            match self.index(need + 12)? {
                0 => return Ok(newest),
                next => need = need.saturating_add(next),
            }
            seen += 1;
        }
    }

    fn text(&self, at: usize) -> Result<&str, NotABinary> {
        let tail = self.0.get(at..).ok_or(NotABinary::NotElf)?;
        let end = tail.iter().take(256).position(|&b| b == 0).ok_or(NotABinary::NotElf)?;
        std::str::from_utf8(&tail[..end]).map_err(|_| NotABinary::NotElf)
    }

    fn u16(&self, at: usize) -> Result<u16, NotABinary> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, NotABinary> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn index(&self, at: usize) -> Result<usize, NotABinary> {
        usize::try_from(self.u32(at)?).map_err(|_| NotABinary::NotElf)
    }

    /// A file offset; one that could overflow in sums is damage.
    fn word(&self, at: usize) -> Result<usize, NotABinary> {
        let word = self.array(at).map(u64::from_le_bytes)?;
        usize::try_from(word).ok().filter(|&offset| offset <= self.0.len()).ok_or(NotABinary::NotElf)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], NotABinary> {
        let end = at.checked_add(N).ok_or(NotABinary::NotElf)?;
        self.0.get(at..end).and_then(|bytes| bytes.try_into().ok()).ok_or(NotABinary::NotElf)
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::InstallParams;

    pub(crate) fn x86_64() -> Binary {
        let glibc = Some(Glibc { major: 2, minor: 34 });
        Binary { arch: Arch::X86_64, sha256: Digest::plain(b"x86_64"), size: 6, glibc }
    }

    pub(crate) fn aarch64() -> Binary {
        Binary { arch: Arch::Aarch64, sha256: Digest::plain(b"aarch64"), size: 7, glibc: None }
    }

    pub(crate) fn params() -> InstallParams {
        let binaries = vec![x86_64(), aarch64()];
        InstallParams::new("https://hub.example.com", "https://hub.example.com:7443", "1.2.3", binaries).expect("valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_is_refused() {
        let mut machine = b"\x7fELF\x02\x01".to_vec();
        machine.resize(64, 0);
        machine[18] = 3;
        assert_eq!(Binary::inspect(&machine), Err(NotABinary::Machine(3)));
        for bad in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x01\x01", b"\x7fELF\x02\x01", &machine[..18]] {
            assert_eq!(Binary::inspect(bad), Err(NotABinary::NotElf), "{bad:?}");
        }
    }

    #[test]
    fn the_running_test_names_its_library() {
        let file = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        let binary = Binary::inspect(&file).expect("a program");
        assert_eq!(binary.arch.as_str(), std::env::consts::ARCH);
        assert_eq!((binary.size, binary.sha256), (file.len() as u64, Digest::plain(&file)));
        // Rust's own floor on GNU targets is 2.17; a static target (musl) names none.
        let floor = Glibc { major: 2, minor: 17 };
        assert_eq!(binary.glibc.is_some_and(|glibc| glibc >= floor), cfg!(target_env = "gnu"), "{:?}", binary.glibc);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let file = std::fs::read("/bin/sh").expect("a shell");
        assert!(Binary::inspect(&file).is_ok());
        for cut in (0..file.len()).step_by(file.len() / 200) {
            let _ = Binary::inspect(&file[..cut]);
        }
        for at in 0..64 {
            let mut damaged = file.clone();
            damaged[at] = !damaged[at];
            let _ = Binary::inspect(&damaged);
        }
        let elf = Elf(&file);
        let sections = elf.word(40).expect("offset");
        for at in sections..file.len() {
            let mut damaged = file.clone();
            damaged[at] = 0xff;
            let _ = Binary::inspect(&damaged);
        }
    }

    #[test]
    fn versions_sort_as_numbers() {
        let parse = |text: &str| text.parse::<Glibc>();
        assert!(parse("GLIBC_2.9").expect("valid") < parse("GLIBC_2.36").expect("valid"));
        assert_eq!(parse("GLIBC_2.2.5").expect("valid").to_string(), "2.2");
        for bad in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_X86_64_PLT", "GCC_3.0", "GLIBC_2", ""] {
            assert_eq!(parse(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn packed_relocations_need_the_library_that_reads_them() {
        let needs = |versions: &[&str]| {
            Binary::inspect(&program(versions)).expect("a program").glibc.map(|glibc| glibc.to_string())
        };
        assert_eq!(needs(&["GLIBC_2.34", "GLIBC_2.2.5"]).as_deref(), Some("2.34"));
        assert_eq!(needs(&["GLIBC_2.34", "GLIBC_ABI_DT_RELR"]).as_deref(), Some("2.36"));
        assert_eq!(needs(&["GLIBC_ABI_DT_RELR", "GLIBC_2.2.5"]).as_deref(), Some("2.36"));
        assert_eq!(needs(&["GLIBC_ABI_DT_RELR", "GLIBC_2.39"]).as_deref(), Some("2.39"));
        assert_eq!(needs(&["GLIBC_PRIVATE"]), None);
    }

    /// The headers of a program that needs these symbol versions of one library, and nothing else of it.
    fn program(versions: &[&str]) -> Vec<u8> {
        const HEADER: usize = 64;
        let (mut needs, mut strings) = (Vec::new(), vec![0_u8]);
        let number = |value: usize| u32::try_from(value).expect("small").to_le_bytes();
        let half = |value: usize| u16::try_from(value).expect("small").to_le_bytes();
        // Elf64_Verneed: version, how many, file, first of them, next library.
        needs.extend([half(1), half(versions.len())].concat());
        needs.extend([number(0), number(16), number(0)].concat());
        for (place, version) in versions.iter().enumerate() {
            // Elf64_Vernaux: hash, flags, other, name, next.
            let next = if place + 1 == versions.len() { 0 } else { 16 };
            needs.extend([number(0), number(0), number(strings.len()), number(next)].concat());
            strings.extend([version.as_bytes(), b"\0"].concat());
        }
        let (needs_at, sections) = (HEADER, HEADER + needs.len() + strings.len());
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(HEADER, 0);
        file[18] = 62;
        file[40..44].copy_from_slice(&number(sections));
        file[58..60].copy_from_slice(&half(HEADER));
        file[60..62].copy_from_slice(&half(2));
        let strings_at = needs_at + needs.len();
        file.extend(needs);
        file.extend(strings);
        for (kind, at, link) in [(VERSION_NEEDS, needs_at, 1), (3, strings_at, 0)] {
            let mut section = vec![0; HEADER];
            section[4..8].copy_from_slice(&kind.to_le_bytes());
            section[24..28].copy_from_slice(&number(at));
            section[40..44].copy_from_slice(&number(link));
            file.extend(section);
        }
        file
    }
}
