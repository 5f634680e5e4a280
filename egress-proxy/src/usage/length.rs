//! How long texts in an event are, and where.

use serde::Deserialize;

/// The length of a JSON string in bytes, without keeping it; of content in parts, that of its texts. Nothing else has any.
#[derive(Clone, Copy, Default)]
pub(super) struct Length {
    pub(super) bytes: u64,
    pub(super) at: At,
}

/// Where a text stands.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum At {
    #[default]
    Nowhere,
    /// As it is, at this address.
    One(usize),
    /// There are several, or what stands there is not the text itself.
    Elsewhere,
}

impl Length {
    pub(super) const NONE: Self = Self { bytes: 0, at: At::Nowhere };

    pub(super) const fn of(text: &str) -> Self {
        Self { bytes: text.len() as u64, at: At::Elsewhere }
    }
}

impl std::ops::AddAssign for Length {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.at = match (self.at, other.at) {
            (At::Nowhere, at) | (at, At::Nowhere) => at,
            _ => At::Elsewhere,
        };
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Measure;
        impl<'de> serde::de::Visitor<'de> for Measure {
            type Value = Length;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length::of(text))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Length, E> {
                Ok(Length { at: At::One(text.as_ptr().addr()), ..Length::of(text) })
            }

            fn visit_seq<S: serde::de::SeqAccess<'de>>(self, mut parts: S) -> Result<Length, S::Error> {
                let mut sum = Length::default();
                while let Some(Known(part)) = parts.next_element::<Known<Part>>()? {
                    sum += part.map_or_else(Length::default, |Part { text, thinking }| lengths([text, thinking]));
                }
                Ok(sum)
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Length, M::Error> {
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                Ok(Length::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Length, E> {
                Ok(Length::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Length, E> {
                Ok(Length::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Length, E> {
                Ok(Length::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Length, E> {
                Ok(Length::default())
            }
        }
        /// Of a text or of thoughts, as Mistral sends them.
        #[derive(Deserialize)]
        struct Part {
            text: Option<Length>,
            thinking: Option<Length>,
        }
        from.deserialize_any(Measure)
    }
}

/// A value of the shape that we know; anything else is as if it were not there, and does not spoil what stands beside it.
pub(super) struct Known<T>(pub(super) Option<T>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Known<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(from)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

pub(super) fn lengths<const N: usize>(parts: [Option<Length>; N]) -> Length {
    let mut sum = Length::default();
    parts.into_iter().flatten().for_each(|length| sum += length);
    sum
}
