//! What a call would do, read out of shell text, arguments and URLs.

pub mod http;
