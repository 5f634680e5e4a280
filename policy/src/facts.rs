//! What a call would do, read out of shell text, arguments and URLs.
//!
//! Facts are plain data without judgement: [`crate::rules`] give them a class. The one exception is [`Note`], the things that
//! make a text impossible to judge; their class is fixed here, so that no bundle can talk it away.

mod aliases;
pub mod args;
mod braces;
mod caps;
mod consoles;
pub(crate) mod container;
pub(crate) mod described;
mod exact;
mod given;
mod handed;
pub mod http;
mod image;
mod interpret;
mod jobs;
mod modules;
mod natures;
pub mod paths;
mod plain;
mod planted;
mod printed;
mod redirects;
pub mod scripts;
mod second;
mod shell;
pub mod sql;
mod stores;
mod terminals;
pub mod tool;
pub(crate) mod transfer;
mod unwrap;
mod variables;
mod words;
mod wrappers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::class::Class;

pub use exact::words_of;
pub use given::{Astray, Given};
pub(crate) use natures::Nature;
pub use natures::runs_code;
pub use planted::{Fed, Planted};
pub use shell::{from_argv, from_shell};
pub(crate) use variables::is_name;
pub use words::{OPAQUE, Word};

/// Everything a program call or shell text would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Every simple command, wrappers and the commands they start apart.
    pub commands: Vec<Command>,
    /// Commands whose program is named by a pattern or by what is only known at run time: all words stand among the arguments, that
    /// of the program first.
    pub unnamed: Vec<Command>,
    /// Files opened by redirection.
    pub redirects: Vec<paths::PathUse>,
    /// Variables that are set for some command or for the rest of the text.
    pub assigned: BTreeSet<String>,
    /// What they are set to, where that is a path, a command line or anything else with a slash.
    pub values: BTreeSet<(String, String)>,
    /// Code in other languages than the shell's.
    pub code: Vec<Code>,
    /// Functions that the text defines.
    pub functions: BTreeSet<String>,
    /// Files that the text writes.
    pub planted: Vec<Planted>,
    /// Those of them that it then names to a program.
    pub fed: Vec<Fed>,
    /// What makes the text hard or impossible to judge.
    pub notes: BTreeSet<Note>,
}

/// In [`Command::script`]: it runs for each name of a list that is only known at run time.
pub const EACH: &str = "@each";

/// One simple command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// File name of the program, or the whole path where that lies outside the system's program folders.
    pub program: String,
    /// Its arguments, quotes decoded.
    pub args: Vec<Word>,
    /// Wrappers around it, outermost first.
    pub wrappers: Vec<String>,
    /// The folder it starts in: relative to the call's own, or absolute; `None` is unknown.
    pub cwd: Option<String>,
    /// Whether more arguments arrive at run time, as with `xargs`.
    pub more: bool,
    /// What a script in its arguments does: [`scripts::RUNS`], [`scripts::WRITES`]; rules see them as options.
    pub script: Vec<&'static str>,
}

/// Inline code of another language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `python`, `sql`, …
    pub language: &'static str,
    /// The text, with [`OPAQUE`] for what is not known before it runs.
    pub text: String,
}

/// What makes a text hard or impossible to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// Longer, deeper or more than the analyser takes.
    OverCap,
    /// Not valid shell text.
    Unparsable,
    /// Two parsers read it differently.
    ParsersDisagree,
    /// The program's name is known at run time only.
    DynamicProgram,
    /// The text of a script is known at run time only.
    DynamicCode,
    /// What another command prints is run as code.
    PipedCode,
    /// A wrapper has an option that the analyser does not know, so that its command cannot be told.
    UnclearWrapper,
    /// A shell without any command: what it will do is not said.
    BareShell,
    /// The program's name was put together from a variable with one known value.
    IndirectProgram,
    /// The name of a program begins with `!` or `:`, as interactive programs spell "start a shell".
    Escape,
    /// A connection through the shell itself.
    ShellSocket,
    /// Data that nobody has seen is evaluated as arithmetic, which can run programs.
    EvaluatesData,
    /// A function calls itself, as what fills a machine with processes does.
    CallsItself,
    /// The name of a variable that is set is known at run time only.
    DynamicVariable,
}

impl Note {
    /// The class, fixed in code.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::IndirectProgram | Self::EvaluatesData => Class::Yellow,
            Self::OverCap
            | Self::Unparsable
            | Self::ParsersDisagree
            | Self::DynamicProgram
            | Self::DynamicCode
            | Self::PipedCode
            | Self::UnclearWrapper
            | Self::BareShell
            | Self::Escape
            | Self::CallsItself
            | Self::ShellSocket
            | Self::DynamicVariable => Class::Red,
        }
    }

    /// The id in answers.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::OverCap => "shell.over-cap",
            Self::Unparsable => "shell.unparsable",
            Self::ParsersDisagree => "shell.parsers-disagree",
            Self::DynamicProgram => "shell.dynamic-program",
            Self::DynamicCode => "shell.dynamic-code",
            Self::PipedCode => "shell.piped-code",
            Self::UnclearWrapper => "shell.unclear-wrapper",
            Self::BareShell => "shell.bare-shell",
            Self::IndirectProgram => "shell.indirect-program",
            Self::Escape => "shell.escape",
            Self::CallsItself => "shell.calls-itself",
            Self::ShellSocket => "shell.socket",
            Self::EvaluatesData => "shell.evaluates-data",
            Self::DynamicVariable => "shell.dynamic-variable",
        }
    }

    /// The reason, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::OverCap => "is too long or too deeply nested to be checked",
            Self::Unparsable => "cannot be read as shell text",
            Self::ParsersDisagree => "can be read in two ways",
            Self::DynamicProgram => "runs a program whose name is only known at run time",
            Self::DynamicCode => "runs code that is only known at run time",
            Self::PipedCode => "runs what another command prints as code",
            Self::UnclearWrapper => {
                "hides its command behind an option that is not known, or a word that may be several"
            }
            Self::BareShell => "starts a shell without saying what it will do",
            Self::IndirectProgram => "takes a program's name from a variable",
            Self::Escape => "has a line that interactive programs read as an order to start a shell",
            Self::CallsItself => "has a function that calls itself, which can fill the machine with processes",
            Self::ShellSocket => "opens a network connection through the shell",
            Self::EvaluatesData => "computes with data, which the shell may run as code",
            Self::DynamicVariable => "sets a variable whose name is only known at run time",
        }
    }
}

/// Where a program's arguments name another one that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// Nowhere: the rules say what its arguments are.
    Nowhere,
    /// Only where a word before it says so, such as `--` or `exec`.
    Announced,
    /// Anywhere.
    Anywhere,
}

/// What the analyser must know from outside the text.
pub struct Context<'a> {
    /// Whether the rules know a program of that name.
    pub knows: &'a dyn Fn(&str) -> bool,
    /// Where the arguments of a known program name one that it starts.
    pub starts: &'a dyn Fn(&str) -> Starts,
    /// Environment given with the call; its names are never taken for constants.
    pub env: &'a BTreeMap<String, String>,
}
