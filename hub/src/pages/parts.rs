//! Small pieces that several pages show: icons, badges, notices.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use wardkeep_policy::Class;

use super::assets;

/// A drawing out of `assets/icons.svg`; never alone, always beside a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icon(pub &'static str);

/// Both parts are compiled in.
impl HtmlSafe for Icon {}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = assets::url("icons.svg");
        write!(f, "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{file}#{}\"></use></svg>", self.0)
    }
}

/// The colour family of a state; its word and icon carry the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to say.
    Mute,
    /// A fact.
    Info,
    /// As it should be.
    Ok,
    /// Someone should look.
    Warn,
    /// Wrong, or grave.
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    #[must_use]
    pub const fn css(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Info => "info",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state in one or two words.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "components/badge.html")]
pub struct Badge {
    pub(super) tone: Tone,
    pub(super) icon: Icon,
    pub(super) text: String,
    /// More words on hover; empty when the badge says it all.
    pub(super) hint: String,
    pub(super) running: bool,
}

/// The template escapes its parts.
impl HtmlSafe for Badge {}

impl Badge {
    pub(super) fn new(tone: Tone, icon: &'static str, text: impl Into<String>) -> Self {
        Self { tone, icon: Icon(icon), text: text.into(), hint: String::new(), running: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn running(mut self) -> Self {
        self.running = true;
        self
    }

    /// How grave a call is, in the customer's words.
    #[must_use]
    pub fn class(class: Class) -> Self {
        match class {
            Class::Green => Self::new(Tone::Ok, "eye", "Reads only").hint("Green"),
            Class::Yellow => Self::new(Tone::Warn, "pencil", "Changes something").hint("Yellow"),
            Class::YellowExternal => Self::new(Tone::Warn, "send", "Leaves your company").hint("Yellow, external"),
            Class::Red => Self::new(Tone::Bad, "warning", "Hard to undo").hint("Red"),
            Class::CriticalRed => Self::new(Tone::Bad, "stop", "Critical").hint("Critical Red"),
        }
    }

    /// A class as it came over the wire; an unknown one is shown as it is.
    #[must_use]
    pub fn class_text(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::new(Tone::Mute, "info", text), Self::class)
    }

    /// What became of a call in the activity feed.
    #[must_use]
    pub fn outcome(outcome: &str) -> Self {
        match outcome {
            "allowed" => Self::new(Tone::Mute, "check", "Allowed"),
            "pending" => Self::new(Tone::Warn, "clock", "Waits for approval"),
            "approved" => Self::new(Tone::Info, "check", "Approved"),
            "denied" => Self::new(Tone::Bad, "cross", "Denied"),
            "refused" => Self::new(Tone::Bad, "stop", "Refused by rule"),
            "claimed" | "running" => Self::new(Tone::Info, "play", "Running").running(),
            "done" => Self::new(Tone::Ok, "check", "Done"),
            "failed" => Self::new(Tone::Bad, "warning", "Failed"),
            "expired" => Self::new(Tone::Mute, "clock", "Expired"),
            "superseded" => Self::new(Tone::Mute, "back", "Replaced"),
            "interrupted" => Self::new(Tone::Bad, "broken", "Interrupted"),
            other => Self::new(Tone::Mute, "info", other),
        }
    }

    /// A closed state, with what to do on hover.
    #[must_use]
    pub fn closed(name: &str) -> Self {
        let (icon, text, hint) = match name {
            "no-bundle" => (
                "lock",
                "No policy",
                "The server has no policy yet: only reads run. Publish one with wardkeep-hub policy.",
            ),
            "bundle-expired" => ("lock", "Policy expired", "Only reads run until a fresh policy is published."),
            "bundle-refused" => (
                "lock",
                "Policy refused",
                "The server did not accept the policy it was sent; its reason stands beside it.",
            ),
            "vault-locked" => (
                "key",
                "Vault locked",
                "Calls that need a secret are refused. Run wardkeep-agent doctor on the server.",
            ),
            "disk-full" => (
                "warning",
                "Disk full",
                "Nothing new can be recorded, so only reads run. Free some space on the server.",
            ),
            "sandbox-broken" => (
                "warning",
                "Sandbox broken",
                "What holds commands on the server failed its test, so only reads run. Run wardkeep-agent doctor there.",
            ),
            "hub-away" => ("offline", "Hub away", "The server cannot reach this hub: only reads run, the rest waits."),
            "paused" => ("pause", "Agents paused", "A person paused all agents of this server: only reads run."),
            "stopped" => ("stop", "Agents stopped", "A person stopped all agents of this server: nothing runs."),
            other => return Self::new(Tone::Bad, "lock", other).hint("A closed state: only reads run."),
        };
        Self::new(Tone::Bad, icon, text).hint(hint)
    }
}

/// A message above a page.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "components/notice.html")]
pub struct Notice {
    tone: Tone,
    icon: Icon,
    text: String,
    /// Where it leads and the words of the link.
    link: Option<(String, &'static str)>,
}

/// The template escapes its parts.
impl HtmlSafe for Notice {}

impl Notice {
    pub(super) fn new(tone: Tone, icon: &'static str, text: impl Into<String>) -> Self {
        Self { tone, icon: Icon(icon), text: text.into(), link: None }
    }

    pub(super) fn link(mut self, to: impl fmt::Display, words: &'static str) -> Self {
        self.link = Some((to.to_string(), words));
        self
    }
}
