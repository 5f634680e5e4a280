//! What every page has around its own part: who is signed in, the tabs, the colours.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use super::links::Link;
use super::parts::Icon;

/// The frame of a page for a person who is signed in.
#[derive(Clone, Debug)]
pub struct Shell {
    /// As shown to people.
    pub user: String,
    /// Goes with every form that changes something.
    pub csrf: String,
    /// Light, dark, or as the system says.
    pub theme: Theme,
    /// The tab of this page.
    pub here: Here,
    /// How many approvals wait.
    pub count: Count,
    /// Where the theme switch leads back to: this page.
    pub back: String,
}

impl Shell {
    /// The hub's version, for the foot of the page.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    pub(super) fn theme_switch(&self) -> ThemeSwitch<'_> {
        ThemeSwitch { theme: self.theme, back: &self.back, csrf: &self.csrf }
    }
}

/// The frame of a page without a session: only its colours.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// Light, dark, or as the system says.
    pub theme: Theme,
}

/// Which tab is lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// Approvals.
    Approvals,
    /// Fleet and tenants.
    Fleet,
    /// Usage.
    Usage,
    /// The person's own passkeys.
    Passkeys,
}

/// How many approvals wait; nothing is shown for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "base/count.html")]
pub struct Count {
    /// The number.
    pub open: u64,
}

/// The template escapes its parts.
impl HtmlSafe for Count {}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// In the order of the switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The theme of that name; anything else is the system's.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }

    /// In the cookie and in the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::System => Icon("screen"),
            Self::Light => Icon("sun"),
            Self::Dark => Icon("moon"),
        }
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Template)]
#[template(path = "base/theme.html")]
pub(super) struct ThemeSwitch<'a> {
    theme: Theme,
    back: &'a str,
    csrf: &'a str,
}

/// The template escapes its parts.
impl HtmlSafe for ThemeSwitch<'_> {}

/// A line to type into a terminal, with a button that copies it.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "components/command.html")]
pub struct Command {
    /// The line.
    pub text: String,
}

/// The template escapes its parts.
impl HtmlSafe for Command {}
