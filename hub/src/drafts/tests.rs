//! What is shown is what can be published, and nothing else is.

use http::{Method, Request, StatusCode, header};
use wardkeep_policy::review::{Judged, Outcome, Shift};
use wardkeep_policy::{Class, Effect, Review};
use wardkeep_proto::ids::TenantId;

use super::*;
use crate::policies::EXAMPLE;
use crate::store::commands::CommandState;
use crate::store::policies::PolicyVersion;
use crate::testing::{World, status};

const LOOSE: (&str, &str) = ("level = \"supervised\"", "level = \"trusted\"");

fn looser() -> String {
    EXAMPLE.replacen(LOOSE.0, LOOSE.1, 1)
}

/// A hub with a server that is there, one that was, and one that never came; all have the example.
async fn world() -> (World, [TenantId; 3]) {
    let world = World::new().await;
    let mut ids = Vec::new();
    for name in ["bakery", "hatter", "newcomer"] {
        ids.push(world.tenant("lind", name).await);
    }
    let now = world.app().clock.now();
    for id in &ids {
        world.app().publisher.publish(&Caller::Operator, "ada", *id, EXAMPLE).await.expect("published");
    }
    for (id, connected) in [(ids[0], true), (ids[1], false)] {
        let epoch = world.app().store.next_epoch(id).await.expect("stored").expect("there");
        let status = crate::store::status::Status { connected, generation: 1, ..status(epoch, now) };
        world.app().store.put_status(id, status).await.expect("stored").expect("the newest");
    }
    world.clock.forward(Duration::from_secs(5));
    (world, ids.try_into().expect("three"))
}

async fn ask(world: &World, whom: &[TenantId], source: &str) -> CommandId {
    let mut tenants = Vec::new();
    for id in whom {
        let found = world.app().store.tenant(&Caller::Operator, *id, world.app().clock.now()).await.expect("read");
        tenants.push(found.expect("there"));
    }
    world.app().drafts.ask(&Caller::Operator, "ada", &tenants, source, 50).await.expect("asked")
}

async fn round(world: &World, id: CommandId) -> Round {
    world.app().drafts.round(&Caller::Operator, id).await.expect("read").expect("there")
}

async fn answers(world: &World, tenant: TenantId, loosened: u64) {
    let commands = world.app().store.commands(&Caller::Operator, tenant, 1).await.expect("read");
    let from = Judged { outcome: Outcome::Ask, class: Some(Class::Yellow) };
    let to = Judged { outcome: Outcome::Run, class: Some(Class::Yellow) };
    let shifts =
        if loosened > 0 { vec![Shift { effect: Effect::Loosens, from, to, count: loosened }] } else { Vec::new() };
    let review = Review { in_force: 1, judged: 50, shifts, ..Review::default() };
    let (output, now) = (serde_json::to_string(&review).expect("JSON"), world.app().clock.now());
    let told = world.app().store.put_command_state(tenant, commands[0].id, CommandState::Succeeded, output, now);
    assert!(told.await.expect("stored"));
}

fn digest(reviewed: &Reviewed) -> Digest {
    match &reviewed.stage {
        Stage::Open(changes) => changes.draft.digest,
        other => panic!("it cannot be published: {other:?}"),
    }
}

async fn tenant(world: &World, id: TenantId) -> Tenant {
    world.app().store.tenant(&Caller::Operator, id, world.app().clock.now()).await.expect("read").expect("there")
}

async fn publish(world: &World, id: TenantId, digest: Digest) -> Option<Result<PolicyVersion, PublishError>> {
    let tenant = tenant(world, id).await;
    let (_, source, issued) = world.app().drafts.of_digest(&Caller::Operator, tenant, digest).await.expect("read")?;
    Some(world.app().publisher.publish_reviewed(&Caller::Operator, "ada", id, &source, (issued, digest)).await)
}

#[tokio::test]
async fn each_server_is_heard_or_said_to_be_silent() {
    let (world, ids) = world().await;
    let id = ask(&world, &ids, &looser()).await;
    let said = |round: &Round| -> Vec<String> {
        round.servers.iter().map(|server| format!("{} {:?}", server.tenant.name, server.answer)).collect()
    };
    let first = round(&world, id).await;
    assert_eq!(
        said(&first),
        ["bakery None", "hatter Some(Silent(\"it is offline\"))", "newcomer Some(Silent(\"it has not enrolled yet\"))"]
    );
    answers(&world, ids[0], 3).await;
    let second = round(&world, id).await;
    assert!(matches!(&second.servers[0].answer, Some(Answer::Reviewed(review)) if review.loosened() == 3));
    let digests: std::collections::BTreeSet<_> = second.servers.iter().map(digest).collect();
    assert_eq!(digests.len(), 3, "each server has a digest of its own");
    assert_eq!(
        first.servers.iter().map(digest).collect::<Vec<_>>(),
        second.servers.iter().map(digest).collect::<Vec<_>>()
    );
    // Who asks about another text in the same breath has another round.
    world.clock.forward(Duration::from_millis(1));
    let other = ask(&world, &ids[..1], EXAMPLE).await;
    assert_eq!((round(&world, other).await.servers.len(), round(&world, id).await.servers.len()), (1, 3));
    let Stage::Open(changes) = &second.servers[1].stage else { panic!("open") };
    let against = objection(&second.servers[1].tenant.name, changes, second.servers[1].answer.as_ref().expect("said"));
    assert!(against.is_some_and(|why| why.contains("loosens, and hatter was not heard: it is offline")));
}

#[tokio::test]
async fn the_digest_that_is_shown_is_the_one_that_is_published() {
    let (world, [bakery, hatter, _]) = world().await;
    let id = ask(&world, &[bakery, hatter], &looser()).await;
    let shown = digest(&round(&world, id).await.servers[0]);
    world.clock.forward(Duration::from_secs(3600));
    assert!(publish(&world, bakery, Digest::plain(b"another")).await.is_none(), "nobody reviewed that");
    assert!(publish(&world, hatter, shown).await.is_none(), "the digest of another server");
    let published = publish(&world, bakery, shown).await.expect("reviewed").expect("published");
    assert_eq!((published.digest, published.version, published.source), (shown, 2, looser()));
    let newest = world.app().store.policy(&Caller::Operator, bakery).await.expect("read").expect("there");
    assert_eq!(newest.digest, shown);
    let after = round(&world, id).await;
    assert!(matches!(after.servers[0].stage, Stage::Published(2, digest) if digest == shown));
    assert!(publish(&world, bakery, shown).await.is_none(), "once");
}

#[tokio::test]
async fn a_review_ends_with_the_version_it_was_made_against_and_with_its_day() {
    let (world, [bakery, ..]) = world().await;
    let id = ask(&world, &[bakery], &looser()).await;
    let shown = digest(&round(&world, id).await.servers[0]);
    // Somebody else publishes in between: what was judged against version 1 is not judged against version 2.
    world.clock.forward(Duration::from_secs(5));
    let source = looser();
    let issued = world.app().store.commands(&Caller::Operator, bakery, 1).await.expect("read")[0].created;
    world.app().publisher.publish(&Caller::Operator, "eve", bakery, EXAMPLE).await.expect("published");
    assert!(matches!(round(&world, id).await.servers[0].stage, Stage::Outdated));
    assert!(publish(&world, bakery, shown).await.is_none());
    // Also by whoever looked just before that.
    let late = world.app().publisher.publish_reviewed(&Caller::Operator, "ada", bakery, &source, (issued, shown)).await;
    assert!(matches!(late, Err(PublishError::NotReviewed)), "{late:?}");
    // And no other text under the digest that was shown.
    let id = ask(&world, &[bakery], &looser()).await;
    let shown = digest(&round(&world, id).await.servers[0]);
    let issued = world.app().store.commands(&Caller::Operator, bakery, 1).await.expect("read")[0].created;
    let other = looser().replace("\"trusted\"", "\"autonomous\"");
    let swapped =
        world.app().publisher.publish_reviewed(&Caller::Operator, "ada", bakery, &other, (issued, shown)).await;
    assert!(matches!(swapped, Err(PublishError::NotReviewed)), "{swapped:?}");
    world.clock.forward(REVIEW_LIFE);
    assert!(matches!(round(&world, id).await.servers[0].stage, Stage::Over));
    assert!(publish(&world, bakery, shown).await.is_none());
}

#[tokio::test]
async fn a_draft_that_is_wrong_asks_nobody() {
    let (world, [bakery, ..]) = world().await;
    let tenants = [tenant(&world, bakery).await];
    let drafts = &world.app().drafts;
    for (source, last, says) in [
        ("[[agents", 50, "cannot be read"),
        ("level = \"root\"", 50, "unknown field"),
        (EXAMPLE, 0, "1 to 5000"),
        (EXAMPLE, 5001, "1 to 5000"),
    ] {
        let refused = drafts.ask(&Caller::Operator, "ada", &tenants, source, last).await.expect_err(source);
        assert!(refused.to_string().contains(says), "{refused}");
    }
    let nobody = drafts.ask(&Caller::Operator, "ada", &[], EXAMPLE, 50).await;
    assert!(matches!(nobody, Err(DraftError::NoServer)));
    assert!(world.app().store.commands(&Caller::Operator, bakery, 9).await.expect("read").is_empty());
    // What another command of one moment says is no draft.
    let order = Order::RunDoctor;
    let command = world.app().orders.give(&Caller::Operator, "ada", bakery, order).await.expect("given");
    assert!(drafts.round(&Caller::Operator, command.id).await.expect("read").is_none());
}

#[tokio::test]
async fn the_page_is_for_operators_and_names_the_digest() {
    let (world, [bakery, ..]) = world().await;
    let (ada, eve) = (world.user("ada", None).await, world.user("eve", Some("lind")).await);
    let (cookie, csrf) = world.signed_in(&ada).await;
    let (hers, her_csrf) = world.signed_in(&eve).await;
    let form = |cookie: &str, csrf: &str, source: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("csrf", csrf), ("whom", "bakery"), ("last", "50"), ("source", source)])
            .finish();
        Request::builder()
            .method(Method::POST)
            .uri("/policy")
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(body))
            .expect("a request")
    };
    let get = |cookie: &str, path: &str| {
        let request = Request::builder().uri(path).header(header::COOKIE, cookie);
        request.body(axum::body::Body::empty()).expect("a request")
    };
    assert_eq!(world.send(form(&hers, &her_csrf, EXAMPLE)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.send(get(&hers, "/policy?of=bakery")).await.0, StatusCode::FORBIDDEN);
    assert!(world.app().store.commands(&Caller::Operator, bakery, 9).await.expect("read").is_empty());

    let (status, _, page) = world.send(get(&cookie, "/policy?of=bakery")).await;
    assert!(status == StatusCode::OK && page.contains("level = &#34;supervised&#34;"), "{status} {page}");
    let (status, _, page) = world.send(form(&cookie, &csrf, "[[agents")).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("Nobody was asked: the policy cannot be read"));
    assert!(page.contains("[[agents</textarea>"), "what was written is lost: {page}");
    // The largest policy, lines as browsers send them.
    let large = format!("{}#{}", looser().replace('\n', "\r\n"), "é".repeat(120_000));
    let (status, headers, _) = world.send(form(&cookie, &csrf, &large)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let to = headers[header::LOCATION].to_str().expect("text").to_owned();
    assert_eq!(world.send(get(&hers, &to)).await.0, StatusCode::FORBIDDEN);
    let id = to.rsplit('/').next().expect("an id").parse().expect("an id");
    let digest = digest(&round(&world, id).await.servers[0]).to_string();
    let (_, _, page) = world.send(get(&cookie, &to)).await;
    assert!(page.contains("aria-busy=\"true\"") && !page.contains(&digest), "published before it is judged: {page}");
    answers(&world, bakery, 2).await;
    let (_, _, page) = world.send(get(&cookie, &to)).await;
    let command = format!("wardkeep-hub policy publish bakery --reviewed {digest} --loosens");
    assert!(page.contains(&command) && page.contains("2 of the last 50 calls of bakery"), "{page}");
    assert!(!page.contains(&format!("action=\"{to}")), "nothing is published from here");
    for nowhere in ["/policy/reviews/x", "/policy/reviews/0198f000-0000-7000-8000-000000000001", "/policy?of=nobody"] {
        assert_eq!(world.send(get(&cookie, nowhere)).await.0, StatusCode::NOT_FOUND, "{nowhere}");
    }
}
