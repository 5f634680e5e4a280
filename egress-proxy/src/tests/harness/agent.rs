//! The agent's side: one request, one answer.

use std::collections::BTreeMap;

use super::{TOKEN, head};

/// One request of an agent.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Vec<u8>,
}

impl<'a> Request<'a> {
    pub(crate) fn messages(body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("x-api-key", TOKEN.to_owned()), ("anthropic-version", "2023-06-01".to_owned())];
        Self { method: "POST", target: "/v1/messages", headers, body: body.as_ref().to_vec() }
    }

    pub(crate) fn completions(body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("authorization", format!("Bearer {TOKEN}"))];
        Self { method: "POST", target: "/v1/chat/completions", headers, body: body.as_ref().to_vec() }
    }

    /// As Google's own clients ask.
    pub(crate) fn gemini(target: &'a str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("x-goog-api-key", TOKEN.to_owned())];
        Self { method: "POST", target, headers, body: body.as_ref().to_vec() }
    }

    pub(crate) fn get(target: &'a str) -> Self {
        Self { method: "GET", target, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'a str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut raw = format!("{} {} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.headers.iter().any(|(name, _)| *name == "content-length") && self.method == "POST" {
            raw.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        [raw.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// One answer as the agent got it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether a chunked body had its end.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let end = memchr::memmem::find(raw, b"\r\n\r\n").expect("a head");
        let (status, headers) = head(&raw[..end]);
        let rest = &raw[end + 4..];
        let (body, complete) = if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            dechunk(rest)
        } else {
            let length = headers.get("content-length").map_or(0, |value| value.parse().unwrap());
            (rest.to_vec(), rest.len() == length)
        };
        Self { status: status.split(' ').nth(1).unwrap().parse().unwrap(), headers, body, complete }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.headers.get("x-wardkeep-refusal").map_or("", String::as_str))
    }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let data = &rest[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or(&[]);
    }
    (body, false)
}
