//! What a simulator was sent, byte for byte.

use axum::http::{HeaderMap, Method, Uri};

/// Where a party's own key belongs.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The raw body.
    pub body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
}

impl Recorded {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        Self {
            method: method.to_string(),
            target: uri.to_string(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
            body: body.to_vec(),
            status: 0,
        }
    }

    /// The first value of header `name` (lower case), as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Everything that was sent, one part per line: for searching.
    ///
    /// The credential headers are left out: a key that was injected for this party belongs there and nowhere else.
    #[must_use]
    pub fn searchable(&self) -> Vec<u8> {
        let mut all = format!("{} {}\n", self.method, self.target).into_bytes();
        for (name, value) in self.headers.iter().filter(|(n, _)| !CREDENTIALS.contains(&n.as_str())) {
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(b": ");
            all.extend_from_slice(value);
            all.push(b'\n');
        }
        all.extend_from_slice(&self.body);
        all
    }
}
