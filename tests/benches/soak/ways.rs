//! What is asked in a soak: an API, and a way in which the call ends. Both are in the model's name, so that all can tell.

use crate::chance::Chance;

/// The APIs of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Api {
    Messages,
    Chat,
    Responses,
    Gemini,
}

impl Api {
    pub(crate) const ALL: [Self; 4] = [Self::Messages, Self::Chat, Self::Responses, Self::Gemini];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Gemini => "gemini",
        }
    }

    /// The dialect of its providers.
    pub(crate) const fn dialect(self) -> &'static str {
        match self {
            Self::Messages => "anthropic",
            Self::Chat | Self::Responses => "openai",
            Self::Gemini => "gemini",
        }
    }
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// A whole document.
    Plain,
    /// A whole stream.
    Stream,
    /// A long stream, and a caller that reads slowly.
    Slow,
    /// A stream with events that are broken.
    Torn,
    /// An error of the provider.
    Error,
    /// The provider ends the connection in mid-stream.
    Cut,
    /// It says nothing more in mid-stream.
    Stall,
    /// It resets the connection, in mid-stream or before.
    Reset,
    /// The caller leaves in mid-stream.
    Leave,
    /// The caller leaves in the middle of a document.
    Tired,
    /// The caller leaves at any moment after it has asked.
    Early,
    /// The caller ends its sending side after it has asked.
    Half,
    /// The request itself is cut.
    Part,
}

impl Ending {
    pub(crate) const ALL: [Self; 13] = [
        Self::Plain,
        Self::Stream,
        Self::Slow,
        Self::Torn,
        Self::Error,
        Self::Cut,
        Self::Stall,
        Self::Reset,
        Self::Leave,
        Self::Tired,
        Self::Early,
        Self::Half,
        Self::Part,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stream => "stream",
            Self::Slow => "slow",
            Self::Torn => "torn",
            Self::Error => "error",
            Self::Cut => "cut",
            Self::Stall => "stall",
            Self::Reset => "reset",
            Self::Leave => "leave",
            Self::Tired => "tired",
            Self::Early => "early",
            Self::Half => "half",
            Self::Part => "part",
        }
    }

    /// How often, of all calls.
    const fn weight(self) -> usize {
        match self {
            Self::Stream => 30,
            Self::Plain => 20,
            Self::Leave => 10,
            Self::Slow | Self::Stall => 2,
            _ => 4,
        }
    }

    /// Whether the answer is streamed.
    pub(crate) const fn streams(self) -> bool {
        !matches!(self, Self::Plain | Self::Tired | Self::Early | Self::Part)
    }

    /// Whether the caller's connection is over with the call.
    pub(crate) const fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::Cut | Self::Stall | Self::Reset | Self::Leave | Self::Tired | Self::Early | Self::Half | Self::Part
        )
    }

    /// Whether its provider is one that fails.
    pub(crate) const fn is_trouble(self) -> bool {
        matches!(self, Self::Error | Self::Cut | Self::Stall | Self::Reset)
    }

    /// By its weight.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut at = chance.below(Self::ALL.iter().map(|ending| ending.weight()).sum());
        for ending in Self::ALL {
            if at < ending.weight() {
                return ending;
            }
            at -= ending.weight();
        }
        Self::Plain
    }
}

/// A model of the soak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Model {
    pub(crate) api: Api,
    pub(crate) ending: Ending,
}

impl Model {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Api::ALL.into_iter().flat_map(|api| Ending::ALL.into_iter().map(move |ending| Self { api, ending }))
    }

    pub(crate) fn name(self) -> String {
        format!("{}-{}", self.api.name(), self.ending.name())
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let (api, ending) = name.split_once('-')?;
        Some(Self {
            api: Api::ALL.into_iter().find(|one| one.name() == api)?,
            ending: Ending::ALL.into_iter().find(|one| one.name() == ending)?,
        })
    }
}

/// The number of a call, as its text carries it.
pub(crate) const MARK: &str = "soak=";
/// With the number behind it, the end of what the model says.
pub(crate) const END: &str = "soak-end=";
