//! The rules we ship: the packs of the folder `rules/`, and the structures that no expression can say.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::pack::{Additions, PackError, Profile};
use super::{Active, Matcher, Rule, assignment, structures};
use crate::packed::unpacked;

/// Every file of the folder, as `build.rs` packed it; a test compares.
pub(super) const PACKS: &[(&str, &[u8])] = &[
    ("ai.toml", include_bytes!(concat!(env!("OUT_DIR"), "/ai.toml"))),
    ("chat.toml", include_bytes!(concat!(env!("OUT_DIR"), "/chat.toml"))),
    ("cloud.toml", include_bytes!(concat!(env!("OUT_DIR"), "/cloud.toml"))),
    ("crypto.toml", include_bytes!(concat!(env!("OUT_DIR"), "/crypto.toml"))),
    ("database.toml", include_bytes!(concat!(env!("OUT_DIR"), "/database.toml"))),
    ("forge.toml", include_bytes!(concat!(env!("OUT_DIR"), "/forge.toml"))),
    ("identity.toml", include_bytes!(concat!(env!("OUT_DIR"), "/identity.toml"))),
    ("infra.toml", include_bytes!(concat!(env!("OUT_DIR"), "/infra.toml"))),
    ("mail.toml", include_bytes!(concat!(env!("OUT_DIR"), "/mail.toml"))),
    ("monitoring.toml", include_bytes!(concat!(env!("OUT_DIR"), "/monitoring.toml"))),
    ("network.toml", include_bytes!(concat!(env!("OUT_DIR"), "/network.toml"))),
    ("payment.toml", include_bytes!(concat!(env!("OUT_DIR"), "/payment.toml"))),
    ("personal.toml", include_bytes!(concat!(env!("OUT_DIR"), "/personal.toml"))),
    ("saas.toml", include_bytes!(concat!(env!("OUT_DIR"), "/saas.toml"))),
];

/// All rules of all profiles. Their examples are run by a test, not at each start.
pub(super) fn rules() -> &'static [Arc<Active>] {
    static RULES: LazyLock<Vec<Arc<Active>>> = LazyLock::new(|| {
        let written = packs().flat_map(|pack| pack.expect("a test reads every pack").rules);
        let mut known = HashMap::new();
        let active = written.map(|rule| {
            let mut active = Active::from(&rule);
            if let Matcher::Pack(matcher) = &mut active.matcher {
                matcher.share(&mut known);
            }
            active
        });
        active.chain(code()).map(Arc::new).collect()
    });
    &RULES
}

/// What the files say.
pub(super) fn packs() -> impl Iterator<Item = Result<Additions, PackError>> {
    PACKS.iter().map(|(_, packed)| Additions::from_toml(&unpacked(packed)))
}

fn code() -> impl Iterator<Item = Active> {
    let structures = [
        Rule { kind: "jwt", anchors: &["eyJ"], matcher: Matcher::Jwt },
        Rule { kind: "private-key", anchors: structures::BEGINS, matcher: Matcher::Pem },
        Rule { kind: "url-password", anchors: &["://"], matcher: Matcher::UserInfo },
        Rule { kind: "cookie", anchors: &["cookie"], matcher: Matcher::Cookie },
        Rule { kind: "authorization", anchors: &["authorization", "bearer "], matcher: Matcher::Authorization },
    ];
    structures.into_iter().chain(assignment::rules()).map(|rule| Active {
        id: rule.kind.into(),
        kind: rule.kind.into(),
        source: source(&rule.matcher).into(),
        profile: Profile::Secrets,
        anchors: rule.anchors.join("\n").into(),
        matcher: rule.matcher,
    })
}

fn source(matcher: &Matcher) -> &'static str {
    match matcher {
        Matcher::Jwt => "https://www.rfc-editor.org/rfc/rfc7519",
        Matcher::Pem => "https://www.rfc-editor.org/rfc/rfc7468",
        Matcher::UserInfo => "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        Matcher::Cookie => "https://www.rfc-editor.org/rfc/rfc6265#section-4",
        Matcher::Authorization => "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2",
        Matcher::Assignment(_) | Matcher::Pack(_) => "docs/security.md",
    }
}
