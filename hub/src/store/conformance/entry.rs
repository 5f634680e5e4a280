//! What lets a server or a person in: once, and for a time.

use wardkeep_proto::ids::UserId;

use super::{HOUR, NOW, chance, hash, household};
use crate::store::enrolment::{Certificate, TokenState};
use crate::store::users::{Role, TokenKind, User};
use crate::store::{Db, Store};

pub(super) async fn an_enrolment_token_is_spent_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, _) = household(&store, "ours").await;
    store.add_enrolment_token(tenant, hash("token"), NOW, NOW.plus(HOUR)).await.unwrap();
    let certificate =
        |serial: &str| Certificate { serial: serial.to_owned(), expires: NOW.plus(HOUR), pem: serial.to_owned() };
    let useless = TokenState::Useless;
    assert_eq!(store.enrolment_token(hash("another"), Some(hash("csr")), NOW).await.unwrap(), useless);
    assert_eq!(
        store.spend_enrolment_token(hash("token"), hash("csr"), certificate("1"), NOW.plus(HOUR)).await.unwrap(),
        useless
    );
    let fresh = TokenState::Fresh { tenant, tenant_name: "ours".to_owned() };
    assert_eq!(store.spend_enrolment_token(hash("token"), hash("csr"), certificate("1"), NOW).await.unwrap(), fresh);
    // The same request is answered again, with the same certificate; any other is not.
    let same = TokenState::Same { tenant, tenant_name: "ours".to_owned(), certificate_pem: "1".to_owned() };
    assert_eq!(store.spend_enrolment_token(hash("token"), hash("csr"), certificate("2"), NOW).await.unwrap(), same);
    assert_eq!(
        store.spend_enrolment_token(hash("token"), hash("other"), certificate("3"), NOW).await.unwrap(),
        useless
    );
    assert_eq!(store.enrolment_token(hash("token"), None, NOW).await.unwrap(), useless);
    assert_eq!(store.enrolment_token(hash("token"), Some(hash("csr")), NOW.plus(HOUR)).await.unwrap(), useless);
    for (serial, good) in [("1", true), ("2", false), ("3", false)] {
        assert_eq!(store.certificate_in_force(tenant, serial, NOW).await.unwrap(), good, "{serial}");
    }
}

pub(super) async fn enrolling_anew_revokes_older_certificates(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, _) = household(&store, "ours").await;
    let (other, _) = household(&store, "theirs").await;
    let certificate =
        |serial: &str| Certificate { serial: serial.to_owned(), expires: NOW.plus(HOUR), pem: serial.to_owned() };
    store.add_certificate(tenant, certificate("old"), NOW).await.unwrap();
    store.add_certificate(other, certificate("other"), NOW).await.unwrap();
    store.add_enrolment_token(tenant, hash("token"), NOW, NOW.plus(HOUR)).await.unwrap();
    store.audit_key(tenant, vec![1; 32], NOW).await.unwrap();
    store.spend_enrolment_token(hash("token"), hash("csr"), certificate("new"), NOW).await.unwrap();
    assert!(!store.certificate_in_force(tenant, "old", NOW).await.unwrap());
    assert!(store.certificate_in_force(tenant, "new", NOW).await.unwrap());
    assert!(store.certificate_in_force(other, "other", NOW).await.unwrap());
    assert!(!store.certificate_in_force(tenant, "other", NOW).await.unwrap(), "another tenant's");
    assert!(!store.certificate_in_force(tenant, "new", NOW.plus(HOUR)).await.unwrap(), "expired");
    // The audit key is pinned by whoever reports first after enrolling.
    assert_eq!(store.audit_key(tenant, vec![2; 32], NOW).await.unwrap(), [2; 32]);
    assert_eq!(store.audit_key(tenant, vec![3; 32], NOW).await.unwrap(), [2; 32]);
}

pub(super) async fn a_login_link_is_spent_once(db: Db) {
    let store = Store::new(db, "test");
    let user = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Operator };
    let user = store.add_user(user, None, NOW).await.unwrap();
    let until = NOW.plus(HOUR);
    store.add_login_link(user.id, hash("link"), NOW, until).await.unwrap();
    assert_eq!(store.spend_login_link(hash("link"), hash("late"), until, until).await.unwrap(), None);
    assert_eq!(store.spend_login_link(hash("guess"), hash("s"), NOW, until).await.unwrap(), None);
    // Looking at it, as a link preview does, spends nothing.
    assert_eq!(store.peek_login_link(hash("link"), NOW).await.unwrap(), Some(user.clone()));
    assert_eq!(store.spend_login_link(hash("link"), hash("session"), NOW, until).await.unwrap(), Some(user.clone()));
    assert_eq!(store.peek_login_link(hash("link"), NOW).await.unwrap(), None);
    assert_eq!(store.spend_login_link(hash("link"), hash("again"), NOW, until).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Session, hash("again"), NOW).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), NOW).await.unwrap(), Some(user));
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), until).await.unwrap(), None, "expired");
    store.end_session(hash("session")).await.unwrap();
    assert_eq!(store.user_of_token(TokenKind::Session, hash("session"), NOW).await.unwrap(), None, "ended");
}

pub(super) async fn tokens_of_one_kind_are_not_those_of_another(db: Db) {
    let store = Store::new(db, "test");
    let user = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Member };
    let user = store.add_user(user, None, NOW).await.unwrap();
    store.add_api_token(user.id, hash("api"), "ci", NOW, NOW.plus(HOUR)).await.unwrap();
    assert_eq!(store.user_of_token(TokenKind::Session, hash("api"), NOW).await.unwrap(), None);
    assert_eq!(store.user_of_token(TokenKind::Api, hash("api"), NOW.plus(HOUR)).await.unwrap(), None, "expired");
    assert_eq!(store.user_of_token(TokenKind::Api, hash("api"), NOW).await.unwrap(), Some(user.clone()));
    // The name is taken: the one who has it stays who they are.
    let impostor = User { id: UserId::new(NOW, &chance()), name: "ada".to_owned(), role: Role::Operator };
    assert_eq!(store.add_user(impostor, None, NOW).await.unwrap(), user);
}
