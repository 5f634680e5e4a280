//! WebSockets to inspected hosts: messages are cleaned as bodies are, both ways, without extensions. Source: RFC 6455.

mod frame;
#[cfg(test)]
mod fuzzed;
mod way;

use std::sync::Arc;

use wardkeep_policy::EgressMode;

use super::answer;
use super::bound::Bound;
use super::connection;
use super::exchange::Line;
use super::outgoing::Place;
use super::refused::Refused;
use super::tunnel;
use super::upload::Sending;
use super::upstream::Upstream;
use super::wire::{AnswerHead, Reader, Writer};
use frame::{Broken, Control, Head, Masks};
use way::Way;

/// Messages that arrive in one frame of at most this size are cleaned whole.
const WHOLE: u64 = 64 * 1024;
/// "Policy violation".
const REFUSED: u16 = 1008;
/// "Protocol error".
const UNSOUND: u16 = 1002;

/// Whether the host's answer begins the WebSocket that was asked for, and no extension that would hide what is said.
pub(crate) fn begins(head: &AnswerHead) -> bool {
    head.status == 101 && head.fields.lists("upgrade", "websocket") && !head.fields.has("sec-websocket-extensions")
}

/// How one direction ended early.
enum Ended {
    Refused(Refused),
    /// Not a WebSocket any more.
    Unsound(&'static str),
    /// A side has left, or nothing is to go on.
    Broken,
}

impl From<Refused> for Ended {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

impl From<Broken> for Ended {
    fn from(why: Broken) -> Self {
        match why {
            Broken::Unsound(why) => Self::Unsound(why),
            Broken::Cut => Self::Broken,
        }
    }
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Broken
    }
}

/// Passes messages both ways until a side ends, nothing moves, the daemon stops or the policy closes the host.
pub(crate) async fn run(
    sending: Sending<'_>,
    line: &mut Line,
    upstream: &mut Upstream,
    place: &Place,
    bound: Bound<'_>,
    head: &AnswerHead,
) {
    let asked = sending.asked;
    let parts = &asked.forward.parts;
    parts.secrets.catch_up();
    let mut first = answer::first_lines(head, &asked.forward.values.of(&parts.redaction.load()));
    first.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    if line.writer.send(&first).await.is_err() {
        return;
    }
    let ended = {
        let out = Way::out(&sending, bound);
        let back = Way::back(asked);
        let chance = Arc::clone(&parts.chance);
        let out = pass(&mut line.reader, &mut upstream.writer, out, Masks::Ours(chance));
        let back = pass(&mut upstream.reader, &mut line.writer, back, Masks::None);
        tokio::select! {
            ended = async { tokio::try_join!(out, back) } => ended.map(|_| ()),
            () = asked.pulse.silence() => Err(Ended::Broken),
            () = asked.stop.cancelled() => Err(Ended::Broken),
            () = tunnel::closed(asked, &place.to, EgressMode::Inspect) => Err(Ended::Broken),
        }
    };
    let close = match ended {
        Err(Ended::Refused(why)) => {
            asked.tell_refused(&place.to.to_string(), sending.shown, &why).await;
            Some((REFUSED, why.code()))
        }
        Err(Ended::Unsound(why)) => Some((UNSOUND, why)),
        Err(Ended::Broken) | Ok(()) => None,
    };
    if let Some((code, why)) = close {
        let _ = frame::write_close(&mut upstream.writer, code, "", &Masks::Ours(Arc::clone(&parts.chance))).await;
        upstream.writer.end().await;
        let _ = frame::write_close(&mut line.writer, code, &format!("Wardkeep: {why}"), &Masks::None).await;
        return connection::linger(line).await;
    }
    upstream.writer.end().await;
}

/// One direction, to its end. The other one goes on until its own.
async fn pass(from: &mut Reader, to: &mut Writer, mut way: Way<'_>, masks: Masks) -> Result<(), Ended> {
    // The kind of the message under way, until its first frame is written.
    let mut message = None;
    let mut is_under_way = false;
    while let Some(head) = Head::read(from, &masks).await? {
        if head.is_control() {
            let payload = frame::payload(from, &head).await?;
            let control = Control { kind: head.kind, payload: way.short(&payload)? };
            control.write(to, &masks).await?;
            way.tell_news().await?;
            continue;
        }
        if (head.kind == frame::CONTINUED) != is_under_way {
            return Err(Ended::Unsound("a message within a message, or a continuation of none"));
        }
        if !is_under_way {
            message = Some(head.kind);
            if head.is_last && head.length <= WHOLE {
                let cleaned = way.whole(&frame::payload(from, &head).await?)?;
                way.tell_news().await?;
                frame::write(to, head.kind, true, &cleaned, &masks).await?;
                continue;
            }
            way.begin();
        }
        let mut left = head.length;
        while left > 0 {
            let piece = frame::piece(from, &head, head.length - left, left).await?;
            left -= piece.len() as u64;
            let cleaned = way.push(&piece)?;
            way.tell_news().await?;
            if !cleaned.is_empty() {
                frame::write(to, message.take().unwrap_or(frame::CONTINUED), false, &cleaned, &masks).await?;
            }
        }
        is_under_way = !head.is_last;
        if head.is_last {
            let rest = way.finish()?;
            frame::write(to, message.take().unwrap_or(frame::CONTINUED), true, &rest, &masks).await?;
        }
    }
    to.end().await;
    Ok(())
}
