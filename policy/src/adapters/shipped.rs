//! The adapters we ship: `stacks/NAME/adapter.toml`.

use super::AdapterDraft;

/// Each with its stack's name.
const TEXTS: &[(&str, &str)] = &[
    ("calcom", include_str!("../../../stacks/calcom/adapter.toml")),
    ("coolify", include_str!("../../../stacks/coolify/adapter.toml")),
    ("gitea", include_str!("../../../stacks/gitea/adapter.toml")),
    ("github", include_str!("../../../stacks/github/adapter.toml")),
    ("googlecalendar", include_str!("../../../stacks/googlecalendar/adapter.toml")),
    ("mailgun", include_str!("../../../stacks/mailgun/adapter.toml")),
    ("nextcloud", include_str!("../../../stacks/nextcloud/adapter.toml")),
    ("slack", include_str!("../../../stacks/slack/adapter.toml")),
    ("stripe", include_str!("../../../stacks/stripe/adapter.toml")),
    ("wordpress", include_str!("../../../stacks/wordpress/adapter.toml")),
];

/// The names of stacks with an adapter.
pub(super) fn names() -> Vec<&'static str> {
    TEXTS.iter().map(|(name, _)| *name).collect()
}

/// The adapter of one stack, without what is the tenant's own.
pub(super) fn find(name: &str) -> Option<AdapterDraft> {
    let (_, text) = TEXTS.iter().find(|(known, _)| *known == name)?;
    Some(toml::from_str(text).expect("the shipped adapters are read by a test"))
}

/// Every adapter that we ship, by its stack's name; what a tenant hosts itself has no `base_url` yet.
#[must_use]
pub fn shipped() -> Vec<(&'static str, AdapterDraft)> {
    TEXTS.iter().filter_map(|(name, _)| Some((*name, find(name)?))).collect()
}
