//! Who asks the proxy.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::wire::Fields;

/// The tokens that a request names itself by: bearer, or password or user name of basic authentication.
pub(crate) fn tokens(fields: &Fields) -> Vec<Zeroizing<String>> {
    let mut tokens = Vec::new();
    for value in fields.all("proxy-authorization") {
        let Some((scheme, rest)) = std::str::from_utf8(value).ok().and_then(|value| value.split_once(' ')) else {
            continue;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            tokens.push(Zeroizing::new(rest.to_owned()));
        } else if scheme.eq_ignore_ascii_case("basic")
            && let Ok(decoded) = BASE64.decode(rest.as_bytes()).map(Zeroizing::new)
            && let Ok(text) = std::str::from_utf8(&decoded)
        {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            tokens.extend([password, user].map(|token| Zeroizing::new(token.to_owned())));
        }
    }
    tokens
}
