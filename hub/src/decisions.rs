//! A person's decision: checked, signed, stored, then told to the tenant.

use std::sync::Arc;

use serde::Serialize;
use wardkeep_passkey::Assertion;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use crate::app::SharedClock;
use crate::events::{Change, Events};
use crate::keys::{KeyRing, KeysError};
use crate::link::Links;
use crate::passkeys::{self, PasskeyError};
use crate::reading::{Barred, Reading};
use crate::store::approvals::{Approval, NotDecided, Origin, Ruling, Verdict};
use crate::store::passkeys::OwnPasskey;
use crate::store::users::User;
use crate::store::{Caller, Store, StoreError};

/// Characters of a note.
const NOTE_CHARS: usize = 1000;
/// What the signature covers begins with this and a zero byte.
const DOMAIN: &[u8] = b"wardkeep/decision/v1\0";

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// See [`NotDecided`].
    #[error(transparent)]
    NotDecided(#[from] NotDecided),
    /// The hub alone cannot approve this class.
    #[error("a critical call needs a passkey: approve it on its page; anywhere else it can only be denied")]
    NeedsPasskey,
    /// What was shown of a passkey does not count.
    #[error("the passkey does not count: {0}")]
    Passkey(PasskeyError),
    /// What a person cannot read, a person cannot approve.
    #[error("this hub cannot read all of this call, so it can only be denied; update the hub, or decide on the server")]
    Unreadable,
    /// It grants what the document does not offer.
    #[error("this cannot be granted with the approval: what can stands in its document, with its bounds")]
    Grant,
    /// The note is too long.
    #[error("a note has at most {NOTE_CHARS} characters")]
    Note,
    /// It could not be signed.
    #[error("the decision was not signed: {0}")]
    Keys(#[from] KeysError),
    /// The database did not do it.
    #[error("the decision was not stored")]
    Store(#[from] StoreError),
}

/// What a person says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Yes or no.
    pub verdict: Verdict,
    /// Why, for people.
    pub note: &'a str,
    /// The same again, for a while.
    pub grant: Option<GrantTerms>,
}

/// Takes decisions; cheap to clone.
#[derive(Clone)]
pub struct Decisions {
    store: Store,
    clock: SharedClock,
    ring: KeyRing,
    events: Events,
    links: Links,
    waypoints: Arc<dyn Waypoints>,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decisions(..)")
    }
}

impl Decisions {
    /// Decisions over a store, signed with a key of `ring`.
    #[must_use]
    pub fn new(
        store: Store,
        clock: SharedClock,
        ring: KeyRing,
        (events, links): (Events, Links),
        waypoints: Arc<dyn Waypoints>,
    ) -> Self {
        Self { store, clock, ring, events, links, waypoints }
    }

    /// Takes the decision of `user`. Once this returns, it is on disk and will reach the tenant.
    ///
    /// # Errors
    /// Every reason of [`DecideError`].
    pub async fn decide(
        &self,
        user: &User,
        digest: Digest,
        said: Said<'_>,
        assertion: Option<Assertion>,
    ) -> Result<Approval, DecideError> {
        let keys = match &assertion {
            Some(_) => self.store.passkeys_of(user.id).await?,
            None => Vec::new(),
        };
        self.take(&user.caller(), &user.name, digest, said, assertion.map(|shown| (keys, shown))).await
    }

    /// Takes the decision of whoever runs `wardkeep-hub` on the machine itself.
    ///
    /// # Errors
    /// Every reason of [`DecideError`].
    pub async fn decide_as(
        &self,
        caller: &Caller,
        by: &str,
        digest: Digest,
        verdict: Verdict,
        note: &str,
    ) -> Result<Approval, DecideError> {
        self.take(caller, by, digest, Said { verdict, note, grant: None }, None).await
    }

    async fn take(
        &self,
        caller: &Caller,
        by: &str,
        digest: Digest,
        Said { verdict, note, grant }: Said<'_>,
        shown: Option<(Vec<OwnPasskey>, Assertion)>,
    ) -> Result<Approval, DecideError> {
        if note.chars().count() > NOTE_CHARS {
            return Err(DecideError::Note);
        }
        let found = self.store.approval(caller, digest).await?.ok_or(NotDecided::Unknown)?;
        let (mut assertion, reading) = (None, Reading::of(&found.json()));
        if grant.is_some_and(|terms| verdict == Verdict::Denied || !reading.offers(terms)) {
            return Err(DecideError::Grant);
        }
        if verdict == Verdict::Approved {
            match reading.barred {
                Some(Barred::Passkey) => {
                    let (keys, signed) = shown.as_ref().ok_or(DecideError::NeedsPasskey)?;
                    // The tenant checks it again, with keys of its own. A refusal there would cost the approval.
                    let pinned = found.pinned.as_deref().unwrap_or_default();
                    passkeys::proven(keys, pinned, signed, &digest).map_err(DecideError::Passkey)?;
                    assertion = Some(signed);
                }
                Some(Barred::Unreadable) => return Err(DecideError::Unreadable),
                None => {}
            }
        }
        let at = self.clock.now();
        let ruling = Ruling { verdict, by: by.to_owned(), at, note: note.to_owned(), origin: Origin::Hub, grant };
        let signature = self.ring.decision().await?.sign(&signed_text(found.tenant, digest, &ruling));
        let approval = self.store.decide(caller, digest, ruling, signature, assertion).await??;
        self.waypoints.pass(Waypoint::HubDecisionStored);
        self.links.nudge(approval.tenant);
        self.events.tell(approval.tenant, Change::Approval(digest));
        Ok(approval)
    }
}

/// What the signature of a decision covers: the domain, a zero byte, and RFC 8785 canonical JSON.
#[must_use]
pub fn signed_text(tenant: TenantId, digest: Digest, ruling: &Ruling) -> Vec<u8> {
    #[derive(Serialize)]
    struct Text<'a> {
        decided_at_ms: Timestamp,
        decided_by: &'a str,
        digest: Digest,
        #[serde(skip_serializing_if = "Option::is_none")]
        grant: Option<GrantTerms>,
        note: &'a str,
        tenant: TenantId,
        verdict: Verdict,
    }
    let text = Text {
        decided_at_ms: ruling.at,
        decided_by: &ruling.by,
        digest,
        grant: ruling.grant,
        note: &ruling.note,
        tenant,
        verdict: ruling.verdict,
    };
    let mut out = DOMAIN.to_vec();
    // Strings and one integer always serialise; an empty text would only make a signature that nobody accepts.
    out.extend(serde_json_canonicalizer::to_vec(&text).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_text_is_the_one_in_the_data_model() {
        let tenant: TenantId = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
        let ruling = Ruling {
            verdict: Verdict::Denied,
            by: "ada@example.com".to_owned(),
            at: Timestamp(1_763_593_200_123),
            note: "not \"today\"".to_owned(),
            origin: Origin::Hub,
            grant: None,
        };
        let text = signed_text(tenant, Digest([0xab; 32]), &ruling);
        let expected = format!(
            "wardkeep/decision/v1\0{{\"decided_at_ms\":1763593200123,\"decided_by\":\"ada@example.com\",\"digest\":\"{}\",\
             \"note\":\"not \\\"today\\\"\",\"tenant\":\"0198f000-0000-7000-8000-000000000001\",\"verdict\":\"denied\"}}",
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(text).expect("text"), expected);
        let granted = Ruling { grant: Some(GrantTerms { hours: 2, scope: 0, uses: 5 }), ..ruling };
        let text = String::from_utf8(signed_text(tenant, Digest([0xab; 32]), &granted)).expect("text");
        assert_eq!(text, expected.replace(",\"note\"", ",\"grant\":{\"hours\":2,\"scope\":0,\"uses\":5},\"note\""));
    }
}
