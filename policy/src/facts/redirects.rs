//! Redirections: the files that are opened, and what a command reads instead of what stands before it.

use brush_parser::ast;

use super::paths::{Access, PathUse};
use super::shell::{Stdin, Walker};
use super::words::{self, Surroundings as _, Word};
use super::{Note, braces};

impl Walker<'_> {
    /// Notes the files that are opened; the new standard input, if one is given.
    pub(super) fn redirects<'r>(&mut self, redirects: impl Iterator<Item = &'r ast::IoRedirect>) -> Option<Stdin> {
        let mut stdin = None;
        for redirect in redirects {
            if let Some((fd, new)) = self.redirect(redirect)
                && fd.is_none_or(|fd| fd == 0)
            {
                stdin = Some(new);
            }
        }
        stdin
    }

    fn redirect(&mut self, redirect: &ast::IoRedirect) -> Option<(Option<ast::IoFd>, Stdin)> {
        use ast::IoFileRedirectKind as Kind;
        use ast::IoFileRedirectTarget as Target;
        match redirect {
            ast::IoRedirect::File(fd, kind, Target::Filename(word)) => {
                let access = if matches!(kind, Kind::Read) { Access::Read } else { Access::Write };
                let word = self.target(&word.value, access);
                let terminal = word.text.starts_with("/dev/tty") || word.text.starts_with("/dev/pts");
                let stdin = if terminal { Stdin::Nothing } else { Stdin::File };
                matches!(kind, Kind::Read | Kind::ReadAndWrite).then_some((*fd, stdin))
            }
            ast::IoRedirect::File(fd, kind, Target::Duplicate(word)) => {
                let closes = word.value.trim_matches(['"', '\'']).trim_end_matches('-');
                if !closes.bytes().all(|b| b.is_ascii_digit()) {
                    self.target(&word.value, Access::Write);
                }
                matches!(kind, Kind::DuplicateInput).then_some((*fd, Stdin::Stream))
            }
            ast::IoRedirect::File(_, _, Target::Fd(_)) => None,
            ast::IoRedirect::File(fd, kind, Target::ProcessSubstitution(way, inner)) => {
                self.process(way, inner);
                matches!(kind, Kind::Read).then_some((*fd, Stdin::Stream))
            }
            ast::IoRedirect::HereDocument(fd, doc) => {
                let word = if doc.requires_expansion {
                    words::open_heredoc(&doc.doc.value, self)
                } else {
                    Word::literal(doc.doc.value.clone())
                };
                Some((*fd, Stdin::Known(word)))
            }
            ast::IoRedirect::HereString(fd, word) => Some((*fd, Stdin::Known(words::open_whole(&word.value, self)))),
            ast::IoRedirect::OutputAndError(word, _) => {
                self.target(&word.value, Access::Write);
                None
            }
        }
    }

    /// Notes the file behind a redirection, as it is written; gives its word. Braces are text to some shells, one word or an error to
    /// others, and to others again as many files.
    fn target(&mut self, raw: &str, access: Access) -> Word {
        let word = words::open_whole(raw, self);
        if braces::may_expand(raw) {
            match braces::expand(raw) {
                Ok(texts) => {
                    for text in texts.iter().filter(|text| !text.is_empty() && *text != raw) {
                        let word = words::open_whole(text, self);
                        self.opens(word, access);
                    }
                }
                Err(braces::TooMany) => self.note(Note::OverCap),
            }
        }
        self.opens(word.clone(), access);
        word
    }

    fn opens(&mut self, path: Word, access: Access) {
        if path.text.starts_with("/dev/tcp/") || path.text.starts_with("/dev/udp/") {
            self.note(Note::ShellSocket);
        }
        self.facts.redirects.push(PathUse { access, path, cwd: self.cwd.clone() });
    }
}
