//! Frames. Source: RFC 6455 section 5.

use std::io;
use std::sync::Arc;

use wardkeep_proto::chance::{Chance, bytes};
use zeroize::Zeroizing;

use super::super::wire::{Reader, Writer};

pub(super) const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;
/// Bytes of a control frame.
pub(super) const CONTROL_BYTES: usize = 125;
/// Bytes of a frame that are held at once.
const PIECE: usize = 32 * 1024;

/// What came is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It ends within one.
    Cut,
    /// What no frame may be, in words.
    Unsound(&'static str),
}

/// Whose frames are masked: those towards a host, by a key that nobody could foresee.
pub(super) enum Masks {
    Ours(Arc<dyn Chance>),
    None,
}

/// What stands before the payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_last: bool,
    pub(super) kind: u8,
    pub(super) length: u64,
    mask: Option<[u8; 4]>,
}

impl Head {
    /// The next head; `None` at the end of the stream. Frames of a direction that masks must be masked, others must not be.
    pub(super) async fn read(from: &mut Reader, masks: &Masks) -> Result<Option<Self>, Broken> {
        if from.ahead().is_empty() && !matches!(from.fill().await, Ok(1..)) {
            return Ok(None);
        }
        let first = exact(from, 2).await?;
        let (is_last, reserved, kind) = (first[0] & 0x80 != 0, first[0] & 0x70, first[0] & 0x0f);
        let (is_masked, short) = (first[1] & 0x80 != 0, first[1] & 0x7f);
        let length = match short {
            126 => u64::from(u16::from_be_bytes(array(&exact(from, 2).await?)?)),
            127 => u64::from_be_bytes(array(&exact(from, 8).await?)?),
            short => u64::from(short),
        };
        let must_mask = matches!(masks, Masks::Ours(_));
        let unsound = match kind {
            _ if reserved != 0 => Some("reserved bits, but no extension was agreed on"),
            CONTINUED | TEXT | BINARY => None,
            CLOSE..=PONG if !is_last => Some("a control frame in pieces"),
            CLOSE..=PONG if short > 125 => Some("a control frame of more than 125 bytes"),
            CLOSE..=PONG => None,
            _ => Some("an unknown kind of frame"),
        };
        let unsound = unsound.or(match is_masked {
            _ if length >> 63 != 0 => Some("a length beyond 63 bits"),
            false if must_mask => Some("a frame that is not masked"),
            true if !must_mask => Some("a masked frame of the host"),
            _ => None,
        });
        if let Some(why) = unsound {
            return Err(Broken::Unsound(why));
        }
        let mask = if is_masked { Some(array(&exact(from, 4).await?)?) } else { None };
        Ok(Some(Self { is_last, kind, length, mask }))
    }

    pub(super) const fn is_control(&self) -> bool {
        self.kind >= CLOSE
    }
}

/// The whole payload of a short frame, unmasked.
pub(super) async fn payload(from: &mut Reader, head: &Head) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let mut payload = Zeroizing::new(Vec::new());
    while (payload.len() as u64) < head.length {
        let at = payload.len() as u64;
        payload.extend_from_slice(&piece(from, head, at, head.length - at).await?);
    }
    Ok(payload)
}

/// Some of the payload, unmasked: it begins at byte `at` and has `left` bytes.
pub(super) async fn piece(from: &mut Reader, head: &Head, at: u64, left: u64) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
    let taken = from.piece(most).await.map_err(|_| Broken::Cut)?.ok_or(Broken::Cut)?;
    let mut piece = Zeroizing::new(taken.to_vec());
    if let Some(mask) = head.mask {
        apply(mask, at, &mut piece);
    }
    Ok(piece)
}

/// A ping, a pong or a close.
pub(super) struct Control {
    pub(super) kind: u8,
    pub(super) payload: Zeroizing<Vec<u8>>,
}

impl Control {
    pub(super) async fn write(&self, to: &mut Writer, masks: &Masks) -> io::Result<()> {
        write(to, self.kind, true, &self.payload, masks).await
    }
}

pub(super) async fn write_close(to: &mut Writer, code: u16, reason: &str, masks: &Masks) -> io::Result<()> {
    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    write(to, CLOSE, true, &payload[..payload.len().min(CONTROL_BYTES)], masks).await
}

/// Sends one frame.
pub(super) async fn write(to: &mut Writer, kind: u8, is_last: bool, payload: &[u8], masks: &Masks) -> io::Result<()> {
    let mut frame = Zeroizing::new(Vec::with_capacity(payload.len() + 14));
    frame.push(if is_last { 0x80 | kind } else { kind });
    let masked = if matches!(masks, Masks::Ours(_)) { 0x80 } else { 0 };
    match payload.len() {
        short @ ..126 => frame.push(masked | u8::try_from(short).unwrap_or_default()),
        length @ 126..0x1_0000 => {
            frame.push(masked | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap_or_default().to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = match masks {
        Masks::Ours(chance) => Some(bytes::<4>(&**chance)),
        Masks::None => None,
    };
    frame.extend_from_slice(mask.as_ref().map_or(&[], |mask| &mask[..]));
    let at = frame.len();
    frame.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply(mask, 0, &mut frame[at..]);
    }
    to.send(&frame).await
}

fn apply(mask: [u8; 4], at: u64, payload: &mut [u8]) {
    let start = usize::try_from(at % 4).unwrap_or_default();
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle().skip(start)) {
        *byte ^= key;
    }
}

async fn exact(from: &mut Reader, count: usize) -> Result<Vec<u8>, Broken> {
    while from.ahead().len() < count {
        if !matches!(from.fill().await, Ok(1..)) {
            return Err(Broken::Cut);
        }
    }
    Ok(from.take(count).to_vec())
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Broken> {
    bytes.try_into().map_err(|_| Broken::Cut)
}
