//! What is done to messages, one way or the other.

use wardkeep_redaction::Engine;
use zeroize::Zeroizing;

use super::super::bound::{Bound, Writing};
use super::super::clean::{self, Masking, Piecewise};
use super::super::connection::Asked;
use super::super::record::EgressOutcome;
use super::super::refused::Refused;
use super::super::upload::Sending;
use super::frame::CONTROL_BYTES;

/// One direction. The engine is that of the moment in which a message begins.
pub(super) enum Way<'a> {
    /// To the host: cleaned, with bound secrets put in.
    Out { sending: &'a Sending<'a>, bound: Bound<'a>, pieces: Option<Piecewise> },
    /// To the tool: the vault's values masked.
    Back { asked: &'a Asked, masking: Option<Masking> },
}

impl<'a> Way<'a> {
    pub(super) fn out(sending: &'a Sending<'a>, bound: Bound<'a>) -> Self {
        Self::Out { sending, bound, pieces: None }
    }

    pub(super) fn back(asked: &'a Asked) -> Self {
        Self::Back { asked, masking: None }
    }

    /// A message that is known whole.
    pub(super) fn whole(&mut self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let engine = self.engine();
        match self {
            Self::Out { bound, .. } => clean::body(message, &engine, bound, writing_of(message)),
            Self::Back { .. } => Ok(Zeroizing::new(engine.redact_bytes(message).bytes.into_owned())),
        }
    }

    /// What a control frame says. It has room for little: what grows beyond that is left out.
    pub(super) fn short(&mut self, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut cleaned = self.whole(payload)?;
        if cleaned.len() > CONTROL_BYTES {
            cleaned.clear();
        }
        Ok(cleaned)
    }

    /// A message that comes in pieces begins.
    pub(super) fn begin(&mut self) {
        let engine = self.engine();
        match self {
            Self::Out { pieces, .. } => *pieces = Some(Piecewise::new(&engine, Writing::Raw)),
            Self::Back { masking, .. } => *masking = Some(Masking::new(&engine)),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        match self {
            Self::Out { bound, pieces: Some(pieces), .. } => pieces.push(piece, bound),
            Self::Back { masking: Some(masking), .. } => Ok(Zeroizing::new(masking.push(piece))),
            // Only called between `begin` and `finish`.
            _ => Ok(Zeroizing::default()),
        }
    }

    pub(super) fn finish(&mut self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        match self {
            Self::Out { bound, pieces, .. } => match pieces.take() {
                Some(mut pieces) => pieces.finish(bound),
                None => Ok(Zeroizing::default()),
            },
            Self::Back { masking, .. } => Ok(Zeroizing::new(masking.take().map(Masking::finish).unwrap_or_default())),
        }
    }

    /// Puts secrets on record that were put in for the first time, before they leave.
    pub(super) async fn tell_news(&mut self) -> Result<(), Refused> {
        let Self::Out { sending, bound, .. } = self else { return Ok(()) };
        let news = bound.take_news();
        if news.is_empty() {
            return Ok(());
        }
        sending.asked.tell(sending.to, sending.shown, EgressOutcome::Inspected(news)).await
    }

    fn engine(&self) -> std::sync::Arc<Engine> {
        let asked = match self {
            Self::Out { sending, .. } => sending.asked,
            Self::Back { asked, .. } => asked,
        };
        asked.forward.parts.secrets.catch_up();
        let engine = asked.forward.parts.redaction.load();
        match self {
            Self::Out { .. } => engine,
            Self::Back { .. } => asked.forward.values.of(&engine),
        }
    }
}

fn writing_of(message: &[u8]) -> Writing {
    match message.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Writing::Json,
        _ => Writing::Raw,
    }
}
