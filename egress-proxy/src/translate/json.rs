//! Reading JSON without changing it: texts, numbers and schemas stay the bytes that they were.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::usage::Count;

use super::fault::{At, DEPTH, Untranslatable};

/// Members of one object that are read; no object of either API has nearly as many.
const MEMBERS: usize = 256;

/// A JSON string as it was written, quotes and escapes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    pub(super) const EMPTY: Text<'static> = Text("\"\"");
    /// The arguments of a call that has none.
    pub(super) const NO_ARGUMENTS: Text<'static> = Text("\"{}\"");

    /// A text that was written as a JSON string here.
    pub(super) fn written(token: &'a str) -> Option<Self> {
        (token.len() >= 2 && token.starts_with('"') && token.ends_with('"')).then_some(Self(token))
    }

    fn of(raw: &'a RawValue) -> Option<Self> {
        raw.get().starts_with('"').then_some(Self(raw.get()))
    }

    /// With its quotes.
    pub(super) fn token(self) -> &'a str {
        self.0
    }

    /// Without its quotes, escapes as they were.
    pub(super) fn inner(self) -> &'a str {
        &self.0[1..self.0.len() - 1]
    }

    pub(super) fn is_empty(self) -> bool {
        self.inner().is_empty()
    }

    /// What it says. A lone surrogate says nothing.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        if self.0.contains('\\') {
            serde_json::from_str::<String>(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.inner()))
        }
    }
}

/// One document, checked for what no reader here could bear.
pub(super) fn document(bytes: &[u8]) -> Result<Object<'_>, Untranslatable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Untranslatable::NotJson)?;
    if !is_shallow(text) {
        return Err(Untranslatable::TooDeep);
    }
    serde_json::from_str(text).map_err(|_| Untranslatable::NotJson)
}

fn is_shallow(text: &str) -> bool {
    let (mut depth, mut rest) = (0_usize, text.as_bytes());
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_string(behind),
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// What follows a string, from behind its first quote.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match memchr::memchr2(b'"', b'\\', rest) {
            None => return &[],
            Some(at) if rest[at] == b'"' => return &rest[at + 1..],
            Some(at) => rest.get(at + 2..).unwrap_or_default(),
        };
    }
}

/// The arguments of a call: text that must be one JSON object. None at all is the empty object.
pub(super) fn arguments(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if text.trim().is_empty() {
        return Some(Cow::Borrowed("{}"));
    }
    let object = serde_json::from_str::<&RawValue>(&text).ok()?.get().starts_with('{');
    if !object || !is_shallow(&text) {
        return None;
    }
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    })
}

/// The members of an object, keys decoded, equal keys included.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    if members.len() == MEMBERS {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(Object(members))
            }
        }
        from.deserialize_map(Members)
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object whose members are taken one by one. `null` is the same as absent, in both APIs.
pub(super) struct Fields<'a, 'p> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    at: &'p At<'p>,
}

impl<'a, 'p> Fields<'a, 'p> {
    pub(super) fn new(object: Object<'a>, at: &'p At<'p>) -> Result<Self, Untranslatable> {
        let members = object.0;
        for (place, (key, _)) in members.iter().enumerate() {
            if members[..place].iter().any(|(earlier, _)| earlier == key) {
                return Err(Untranslatable::Twice(at.key(key).place()));
            }
        }
        Ok(Self { members, at })
    }

    pub(super) fn of(raw: &'a RawValue, at: &'p At<'p>) -> Result<Self, Untranslatable> {
        Self::new(parse(raw, at)?, at)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let found = self.members.iter().position(|(name, _)| name == key)?;
        let (_, raw) = self.members.swap_remove(found);
        (raw.get() != "null").then_some(raw)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<Text<'a>>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        Text::of(raw).map(Some).ok_or_else(|| self.malformed(key))
    }

    pub(super) fn need_text(&mut self, key: &str) -> Result<Text<'a>, Untranslatable> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    /// A text that is compared with words.
    pub(super) fn word(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, Untranslatable> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        text.decode().map(Some).ok_or_else(|| self.malformed(key))
    }

    pub(super) fn need_word(&mut self, key: &str) -> Result<Cow<'a, str>, Untranslatable> {
        self.word(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, Untranslatable> {
        match self.take(key).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.malformed(key)),
        }
    }

    pub(super) fn count(&mut self, key: &str) -> Result<Option<u64>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        raw.get().parse().map(Some).map_err(|_| self.malformed(key))
    }

    /// Tokens of an answer, which the meter reads in the same way.
    pub(super) fn tokens(&mut self, key: &str) -> Result<Option<u64>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        parse(raw, &self.at.key(key)).map(|Count(tokens)| Some(tokens))
    }

    pub(super) fn need_count(&mut self, key: &str) -> Result<u64, Untranslatable> {
        self.count(key)?.ok_or_else(|| self.missing(key))
    }

    /// A number from 0 to `most`, as it was written.
    pub(super) fn number(&mut self, key: &str, most: f64) -> Result<Option<&'a str>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        match raw.get().parse::<f64>() {
            Ok(number) if (0.0..=most).contains(&number) => Ok(Some(raw.get())),
            Ok(number) if number > most => Err(self.no_counterpart(key)),
            _ => Err(self.malformed(key)),
        }
    }

    pub(super) fn object(&mut self, key: &str) -> Result<Option<Object<'a>>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        parse(raw, &self.at.key(key)).map(Some)
    }

    pub(super) fn need_object(&mut self, key: &str) -> Result<Object<'a>, Untranslatable> {
        self.object(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn objects(&mut self, key: &str) -> Result<Vec<Object<'a>>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(Vec::new()) };
        parse(raw, &self.at.key(key))
    }

    /// An object that is carried as it is.
    pub(super) fn schema(&mut self, key: &str) -> Result<Option<&'a RawValue>, Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        if raw.get().starts_with('{') { Ok(Some(raw)) } else { Err(self.malformed(key)) }
    }

    pub(super) fn need_schema(&mut self, key: &str) -> Result<&'a RawValue, Untranslatable> {
        self.schema(key)?.ok_or_else(|| self.missing(key))
    }

    /// What changes nothing in the answer.
    pub(super) fn pass_over(&mut self, keys: &[&str]) {
        self.members.retain(|(key, _)| !keys.contains(&key.as_ref()));
    }

    /// What the other API cannot say.
    pub(super) fn refuse(&mut self, keys: &[&str]) -> Result<(), Untranslatable> {
        keys.iter().try_for_each(|key| self.only(key, &[]))
    }

    /// What the other API cannot say, but for values that say what is so anyway.
    pub(super) fn only(&mut self, key: &str, neutral: &[&str]) -> Result<(), Untranslatable> {
        let Some(raw) = self.take(key) else { return Ok(()) };
        let same = |wanted: &&str| match (wanted.parse::<f64>(), raw.get().parse::<f64>()) {
            (Ok(wanted), Ok(found)) => wanted == found,
            _ => raw.get().bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(wanted.bytes()),
        };
        if neutral.iter().any(same) { Ok(()) } else { Err(self.no_counterpart(key)) }
    }

    /// Everything must have been taken: what is left would be lost.
    pub(super) fn done(self) -> Result<(), Untranslatable> {
        self.end(Rest::Refused)
    }

    pub(super) fn end(self, rest: Rest) -> Result<(), Untranslatable> {
        if rest == Rest::PassedOver {
            return Ok(());
        }
        match self.members.iter().find(|(_, raw)| raw.get() != "null") {
            Some((key, _)) => Err(Untranslatable::Unknown(self.at.key(key).place())),
            None => Ok(()),
        }
    }

    pub(super) fn missing(&self, key: &str) -> Untranslatable {
        Untranslatable::Missing(self.at.key(key).place())
    }

    pub(super) fn malformed(&self, key: &str) -> Untranslatable {
        Untranslatable::Malformed(self.at.key(key).place())
    }

    pub(super) fn no_counterpart(&self, key: &str) -> Untranslatable {
        Untranslatable::NoCounterpart(self.at.key(key).place())
    }

    pub(super) fn order(&self, key: &str) -> Untranslatable {
        Untranslatable::Order(self.at.key(key).place())
    }

    pub(super) fn unknown(&self, key: &str) -> Untranslatable {
        Untranslatable::Unknown(self.at.key(key).place())
    }
}

/// What happens to members that nobody took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// In a request: the caller wanted something.
    Refused,
    /// In an answer: providers add members at any time, and clients must bear it.
    PassedOver,
}

/// Content that is one text, or a list of parts.
pub(super) enum Content<'a> {
    Text(Text<'a>),
    Parts(Vec<Object<'a>>),
}

impl<'a> Content<'a> {
    pub(super) fn of(raw: &'a RawValue, at: &At<'_>) -> Result<Self, Untranslatable> {
        match Text::of(raw) {
            Some(text) => Ok(Self::Text(text)),
            None => parse(raw, at).map(Self::Parts),
        }
    }
}

/// A text, or a list of texts.
pub(super) fn texts<'a>(raw: &'a RawValue, at: &At<'_>) -> Result<Vec<Text<'a>>, Untranslatable> {
    match Text::of(raw) {
        Some(text) => Ok(vec![text]),
        None => {
            let list: Vec<&RawValue> = parse(raw, at)?;
            let malformed = || Untranslatable::Malformed(at.place());
            list.into_iter().map(|raw| Text::of(raw).ok_or_else(malformed)).collect()
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue, at: &At<'_>) -> Result<T, Untranslatable> {
    serde_json::from_str(raw.get()).map_err(|_| Untranslatable::Malformed(at.place()))
}
