//! One JSON-RPC message, read strictly: what two readers could understand in two ways is none.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};

/// JSON-RPC 2.0, section 5.1, and the codes of MCP 2026-07-28.
pub(super) const NOT_JSON: i64 = -32700;
pub(super) const NO_REQUEST: i64 = -32600;
pub(super) const NO_METHOD: i64 = -32601;
pub(super) const BAD_PARAMS: i64 = -32602;
pub(super) const BROKEN: i64 = -32603;
pub(super) const HEADER_MISMATCH: i64 = -32020;
pub(super) const NO_SUCH_VERSION: i64 = -32022;

/// Where requests of the versions without a handshake say which one they are.
pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// What a client may send.
#[derive(Debug)]
pub(super) enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification { method: String, params: Map<String, Value> },
    /// Answers something; this server never asks.
    Answer,
}

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    /// A text or a whole number.
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Map<String, Value>,
}

impl Request {
    /// A member of `params._meta`.
    pub(super) fn meta(&self, key: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(key)
    }

    /// The version that it says itself; `None` is one of those with a handshake.
    pub(super) fn version(&self) -> Option<&str> {
        self.meta(VERSION_KEY)?.as_str()
    }
}

/// An error as JSON-RPC has it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl Refusal {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The whole answer; without an id where the request could not be read.
    pub(super) fn answer(&self, id: Option<&Value>) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// Reads one message.
///
/// # Errors
/// Why it is none; nothing of it is quoted.
pub(super) fn read(text: &[u8]) -> Result<Message, Refusal> {
    let Strict(value) = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Refusal::new(NOT_JSON, format!("the message is no JSON, or names a key twice (line {line}, column {column})"))
    })?;
    let none = |why: &str| Refusal::new(NO_REQUEST, why);
    let Value::Object(mut map) = value else {
        return Err(none("a message is one object; lists of messages are not taken"));
    };
    if map.remove("jsonrpc") != Some("2.0".into()) {
        return Err(none("jsonrpc must be \"2.0\""));
    }
    let Some(method) = map.remove("method") else {
        return if map.contains_key("id") { Ok(Message::Answer) } else { Err(none("a request has a method")) };
    };
    let Value::String(method) = method else { return Err(none("a method is a text")) };
    let params = match map.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(none("params is an object")),
    };
    match map.remove("id") {
        None => Ok(Message::Notification { method, params }),
        Some(id) if id.is_string() || id.is_i64() || id.is_u64() => {
            Ok(Message::Request(Request { id, method, params }))
        }
        Some(_) => Err(none("an id is a text or a whole number")),
    }
}

/// JSON in which no object names a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Strict(value) = map.next_value()?;
            if out.insert(key, value).is_some() {
                return Err(de::Error::custom("a key stands there twice"));
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, code) in [
            ("", NOT_JSON),
            ("{", NOT_JSON),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, NOT_JSON),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"k":1,"k":2}}}"#, NOT_JSON),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"k":1,"\u006b":2}}}"#, NOT_JSON),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a"} {}"#, NOT_JSON),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"a"}]"#, NO_REQUEST),
            (r#"{"id":1,"method":"a"}"#, NO_REQUEST),
            (r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[]}"#, NO_REQUEST),
            (r#"{"jsonrpc":"2.0"}"#, NO_REQUEST),
        ] {
            assert_eq!(read(text.as_bytes()).expect_err(text).code, code, "{text}");
        }
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{}1{}}}"#,
            r#"{"a":"#.repeat(200),
            "}".repeat(200)
        );
        assert_eq!(read(deep.as_bytes()).expect_err("deep").code, NOT_JSON);
        let quoting = read(br#"{"jsonrpc":"2.0","hidden-value":1,"hidden-value":2}"#).expect_err("twice");
        assert!(!quoting.message.contains("hidden"), "{}", quoting.message);
    }

    #[test]
    fn messages_are_told_apart() {
        let request = read(br#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v"}}}"#);
        assert!(
            matches!(request, Ok(Message::Request(request)) if request.version() == Some("v") && request.id == "a")
        );
        assert!(matches!(read(br#"{"jsonrpc":"2.0","method":"m"}"#), Ok(Message::Notification { .. })));
        assert!(matches!(read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Ok(Message::Answer)));
    }
}
