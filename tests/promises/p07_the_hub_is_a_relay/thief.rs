//! Whoever has the hub's disk, and its keys besides: writes what he likes into its rows, and the hub relays it.

use data_encoding::HEXLOWER;
use rusqlite::params;
use wardkeep_hub::decisions::signed_text;
use wardkeep_hub::keys::DecisionKey;
use wardkeep_hub::store::approvals::{Origin, Ruling, Verdict};
use wardkeep_passkey::Introduction;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::{Clock as _, SystemClock, Timestamp};

use super::*;

/// An approval in the hub's rows, signed with its decision key.
async fn forge(stage: &Stage, digest: Digest, assertion: Option<&Assertion>) {
    let key = stage.hub.keys().await.expect("keys").ring.decision().await.expect("held");
    forge_with(stage, digest, assertion, &key).await;
}

/// The same, signed with any key.
pub(super) async fn forge_with(stage: &Stage, digest: Digest, assertion: Option<&Assertion>, key: &DecisionKey) {
    forge_granting(stage, digest, assertion, key, Granted::default()).await;
}

/// What a forger grants with it: what is signed, and what stands in the row.
#[derive(Clone, Copy, Default)]
pub(super) struct Granted {
    pub(super) signed: Option<GrantTerms>,
    pub(super) told: Option<GrantTerms>,
}

/// The same, with a grant.
pub(super) async fn forge_granting(
    stage: &Stage,
    digest: Digest,
    assertion: Option<&Assertion>,
    key: &DecisionKey,
    granted: Granted,
) {
    let view = stage.tenant_view().await.expect("the tenant");
    let tenant = view["id"].as_str().expect("an id").parse().expect("an id");
    let at = SystemClock.now();
    let ruling = Ruling {
        verdict: Verdict::Approved,
        by: "ada".to_owned(),
        at,
        note: String::new(),
        origin: Origin::Hub,
        grant: granted.signed,
    };
    let signature = key.sign(&signed_text(tenant, digest, &ruling));
    let assertion = assertion.map(|shown| serde_json::to_string(shown).expect("JSON"));
    let terms = granted.told.map(|terms| serde_json::to_string(&terms).expect("JSON"));
    let database = stage.hub.database().expect("the database");
    let changed = database
        .execute(
            "UPDATE approvals SET state = 'approved', state_ms = ?2, verdict = 'approved', decided_by = 'ada', decided_ms = ?2, \
             note = '', origin = 'hub', signature = ?3, assertion = ?4, grant_terms = ?5, receipt_ms = NULL, receipt_accepted = NULL, \
             receipt_error = NULL WHERE digest = ?1",
            params![digest.to_string(), at.millis(), signature, assertion, terms],
        )
        .expect("written");
    assert_eq!(changed, 1);
    nudge(stage, &database).await;
}

/// The running hub looks at its rows.
pub(super) async fn nudge(stage: &Stage, database: &rusqlite::Connection) {
    let view = stage.tenant_view().await.expect("the tenant");
    database
        .execute(
            "INSERT INTO changes (number, origin, topic, tenant_id, at_ms) SELECT COALESCE(MAX(number), 0) + 1, 'thief', 'passkey', \
             ?1, 0 FROM changes",
            params![view["id"].as_str().expect("an id")],
        )
        .expect("written");
}

/// Puts a key of the thief's own in the place of the customer's.
fn swap_keys(database: &rusqlite::Connection, key: &SoftKey) {
    let passkey = key.passkey();
    database
        .execute(
            "INSERT INTO passkeys (fingerprint, user_id, credential_id, public_key, origin, name, synced, created_ms) \
             SELECT ?1, user_id, ?2, ?3, origin, name, synced, created_ms FROM passkeys LIMIT 1",
            params![passkey.fingerprint().to_string(), passkey.credential_id, passkey.public_key.to_cose()],
        )
        .expect("written");
    database
        .execute("DELETE FROM passkeys WHERE fingerprint <> ?1", params![passkey.fingerprint().to_string()])
        .expect("written");
    database
        .execute(
            "UPDATE tenant_status SET passkeys = ?1",
            params![serde_json::json!([passkey.fingerprint()]).to_string()],
        )
        .expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_disk_and_keys_approve_nothing_critical() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    let mut phone = pinned(&stage, b"phone").await;
    let site = stage.hub.public_url.clone();
    let mut stranger = SoftKey::es256(&site, b"stranger");
    let mut twin = SoftKey::es256(&site, b"phone");
    let earlier = critical(&hooks, "earlier").await;
    let used = phone.assert(&earlier);

    type Attack<'a> = (&'a str, Box<dyn FnMut(Digest) -> Option<Assertion> + 'a>);
    let phone = std::cell::RefCell::new(phone);
    let saying = |change: fn(&mut wardkeep_passkey::soft::Says)| {
        let phone = &phone;
        Box::new(move |digest: Digest| {
            let mut phone = phone.borrow_mut();
            let mut says = phone.says("webauthn.get", &digest.0);
            change(&mut says);
            Some(phone.sign(&says))
        })
    };
    let changed = |change: fn(&mut Assertion)| {
        let phone = &phone;
        Box::new(move |digest: Digest| {
            let mut assertion = phone.borrow_mut().assert(&digest);
            change(&mut assertion);
            Some(assertion)
        })
    };
    let attacks: Vec<Attack<'_>> = vec![
        ("the hub's signature alone", Box::new(|_| None)),
        ("an assertion for another call", Box::new(|_| Some(used.clone()))),
        ("a key that nobody knows", Box::new(|digest| Some(stranger.assert(&digest)))),
        ("a key with the credential of a pinned one", Box::new(|digest| Some(twin.assert(&digest)))),
        ("nobody verified", saying(|says| says.flags = 1)),
        ("another site", saying(|says| says.origin = "https://evil.example".to_owned())),
        ("another relying party", saying(|says| says.rp_id = "evil.example".to_owned())),
        ("a registration", saying(|says| says.ceremony = "webauthn.create".to_owned())),
        ("a frame of another site", saying(|says| says.more = r#","crossOrigin":true"#.to_owned())),
        ("cut data", changed(|shown| shown.authenticator_data.truncate(36))),
        ("longer data", changed(|shown| shown.authenticator_data.push(0))),
        ("a cut signature", changed(|shown| shown.signature.truncate(40))),
        ("a longer signature", changed(|shown| shown.signature.extend([5, 0]))),
        ("garbage for a signature", changed(|shown| shown.signature = vec![0x30, 0x80, 0xff])),
    ];
    let mut told = Vec::new();
    for (at, (what, mut attack)) in attacks.into_iter().enumerate() {
        let digest = critical(&hooks, &format!("attack-{at}")).await;
        at_the_hub(&stage, digest).await;
        forge(&stage, digest, attack(digest).as_ref()).await;
        let answer = receipt(&stage, digest).await;
        assert!(answer.contains("critical"), "{what}: {answer}");
        told.push(format!("{what}: {answer}"));
        let (_, still) = hooks.status(&format!("attack-{at}"), 0).await.expect("an answer");
        assert_eq!(still["decision"], "pending", "{what}: {still}");
    }
    assert!(runs(&stage).is_empty(), "something ran: {told:#?}");
    // All the same, the person approves what was meant.
    forge(&stage, earlier, Some(&used)).await;
    assert_eq!(receipt(&stage, earlier).await, "taken");
    hooks.status("earlier", 20_000).await.expect("an answer");
    assert_eq!(runs(&stage), ["earlier"]);
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_swaps_the_keys_gets_none_of_them_pinned() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    let mut phone = pinned(&stage, b"phone").await;
    let code = phone.passkey().code().to_string();
    let mut thief = SoftKey::es256(&stage.hub.public_url, b"thief");
    let database = stage.hub.database().expect("the database");
    swap_keys(&database, &thief);
    // It introduces itself, too.
    let tenant = stage.tenant_view().await.expect("the tenant")["id"].as_str().expect("an id").to_owned();
    let expires = Timestamp(SystemClock.now().millis() + 3_600_000);
    let introduction = Introduction {
        expires_ms: expires,
        fingerprint: thief.passkey().fingerprint(),
        tenant: tenant.parse().expect("an id"),
    };
    let signed = serde_json::to_string(&thief.assert(&introduction.challenge())).expect("JSON");
    database
        .execute(
            "INSERT INTO passkey_introductions (tenant_id, fingerprint, expires_ms, assertion) VALUES (?1, ?2, ?3, ?4)",
            params![tenant, HEXLOWER.encode(&thief.passkey().fingerprint().0), expires.millis(), signed],
        )
        .expect("written");
    nudge(&stage, &database).await;
    wait("the thief's key to be offered and refused", || async {
        let audit = stage.tenant.cli(&["audit", "show", "--last", "100", "--json"]).await?;
        Ok(audit.contains("\"passkey-refused\"").then_some(()))
    })
    .await
    .expect("refused, and on record");
    assert_eq!(trusted(&stage).await, [code], "what was pinned stays, and nothing else is");
    let digest = critical(&hooks, "c1").await;
    at_the_hub(&stage, digest).await;
    forge(&stage, digest, Some(&thief.assert(&digest))).await;
    assert!(receipt(&stage, digest).await.contains("not pinned"));
    assert!(runs(&stage).is_empty());
    // What the customer's own key signs counts, whatever the hub thinks of it.
    let digest = critical(&hooks, "c2").await;
    at_the_hub(&stage, digest).await;
    forge(&stage, digest, Some(&phone.assert(&digest))).await;
    assert_eq!(receipt(&stage, digest).await, "taken");
    hooks.status("c2", 20_000).await.expect("an answer");
    assert_eq!(runs(&stage), ["c2"]);
    stage.strike().await.expect("everything stops");
}
