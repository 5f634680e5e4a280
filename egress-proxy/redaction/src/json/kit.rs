//! What a walk needs and the next one can use: room to search in, and what is known of short texts.
//!
//! An engine keeps what walks over small documents leave: with some hundred bytes to search, making it costs as much as the
//! search. Whether a text holds something is asked of the engine alone, so what one document told of a short text holds for all
//! of them. No text is kept that holds something, and none of more than 15 bytes; longer ones are known by their hashes.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Says;
use super::known::Known;
use super::short::{Seen, Short};
use crate::engine::{Engine, Scan};

/// Kits that are kept: of who serves, and of one who searches beside.
const KEPT: usize = 2;
/// A larger document would leave more room than one at rest should keep.
const SMALL: usize = 16 * 1024;

/// The kits that nobody uses now.
#[derive(Default)]
pub(crate) struct Kits(Mutex<[Option<Box<Kit>>; KEPT]>);

impl Kits {
    fn all(&self) -> MutexGuard<'_, [Option<Box<Kit>>; KEPT]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What belongs to no document.
pub(super) struct Kit {
    pub(super) scan: Scan,
    /// Texts in which nothing was found, short and longer ones; these stand in the document.
    pub(super) clean: Short<()>,
    pub(super) seen: Seen,
    /// The same of any document.
    pub(super) known: Known,
    /// What short names say,
    pub(super) names: Short<Says>,
    /// where these are sealed.
    sealed: Vec<String>,
}

/// A kit in use, which goes back to its engine.
pub(super) struct Lent<'e> {
    /// Until it goes back.
    kit: Option<Box<Kit>>,
    /// To whom.
    home: Option<&'e Kits>,
}

impl<'e> Lent<'e> {
    /// For a document of so many bytes.
    pub(super) fn of(engine: &'e Engine, sealed: &[&str], bytes: usize) -> Self {
        let home = (bytes <= SMALL).then(|| engine.kits());
        let kept = home.and_then(|kits| kits.all().iter_mut().find_map(Option::take));
        let kit = match kept {
            Some(mut kit) => {
                kit.seen.clear();
                if kit.sealed != sealed {
                    kit.names = Short::default();
                    kit.sealed = owned(sealed);
                }
                kit
            }
            None => Box::new(Kit {
                scan: Scan::new(engine),
                clean: Short::default(),
                seen: Seen::default(),
                known: Known::default(),
                names: Short::default(),
                sealed: owned(sealed),
            }),
        };
        Self { kit: Some(kit), home }
    }

    /// So many bytes were searched with it: more than were expected leave more than is kept.
    pub(super) fn was_used_for(&mut self, bytes: usize) {
        self.home = self.home.filter(|_| bytes <= SMALL);
    }
}

fn owned(sealed: &[&str]) -> Vec<String> {
    sealed.iter().map(|&kind| kind.to_owned()).collect()
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let (Some(home), Some(kit)) = (self.home, self.kit.take()) else { return };
        if let Some(place) = home.all().iter_mut().find(|place| place.is_none()) {
            *place = Some(kit);
        }
    }
}

/// It is there until the drop.
const THERE: &str = "a kit is lent until it goes back";

impl Deref for Lent<'_> {
    type Target = Kit;

    fn deref(&self) -> &Kit {
        self.kit.as_deref().expect(THERE)
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Kit {
        self.kit.as_deref_mut().expect(THERE)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, JsonMemo, RuleSet, Secret, Unscannable};

    const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";

    fn engine(secrets: &[(&str, &str)]) -> Engine {
        let secrets = secrets.iter().map(|(name, value)| Secret::new(name, value));
        Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_is_asked_anew_where_something_else_is() {
        let engine = engine(&[("token", TOKEN)]);
        let body = format!(r#"{{"proof":"x","role":"user","value":"{TOKEN}"}}"#);
        for _ in 0..2 {
            let sealed = engine.redact_json_sealing(body.as_bytes(), &["proof:"]);
            assert_eq!(sealed, Err(Unscannable::Sealed { kind: "proof:".to_owned() }));
            let open = engine.redact_json_sealing(body.as_bytes(), &["signature:"]).unwrap();
            assert_eq!(open.findings.len(), 1);
        }
    }

    #[test]
    fn a_text_that_one_engine_found_clean_is_searched_by_the_next() {
        let short = "kT9-vX2qL8p";
        let body = format!(r#"{{"{short}":"{short}"}}"#);
        let before = engine(&[("token", TOKEN)]);
        for _ in 0..2 {
            assert!(before.redact_json(body.as_bytes()).unwrap().findings.is_empty());
        }
        let after = before.with_secrets([Secret::new("short", short)]).unwrap();
        for _ in 0..2 {
            assert_eq!(after.redact_json(body.as_bytes()).unwrap().findings.len(), 2);
        }
    }

    #[test]
    fn what_small_documents_need_is_kept_and_no_more() {
        let engine = engine(&[]);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let engine = engine.clone();
                scope.spawn(move || {
                    for m in 0..50 {
                        engine.redact_json(format!(r#"{{"a{n}":"b{m}"}}"#).as_bytes()).unwrap();
                    }
                });
            }
        });
        assert!(engine.kits().all().iter().any(Option::is_some));
        let large = format!("[{}1]", "\"word\",".repeat(super::SMALL));
        let other = self::engine(&[]);
        other.redact_json(large.as_bytes()).unwrap();
        assert!(other.kits().all().iter().all(Option::is_none), "what a large document needs is not kept");
    }

    #[test]
    fn a_turn_of_a_long_session_needs_what_a_small_document_does() {
        let engine = engine(&[("token", TOKEN)]);
        let body = |first: &str, turns: usize| {
            let turn = |n: usize| format!(r#"{{"role":"user","content":"{} {n}"}}"#, "word ".repeat(800));
            let turns: Vec<String> = std::iter::once(format!("\"{first}\"")).chain((0..turns).map(turn)).collect();
            format!(r#"{{"messages":[{}]}}"#, turns.join(","))
        };
        let mut memo = JsonMemo::default();
        for (body, is_kept) in [
            (body("a", 20), false),
            (body("a", 21), true),
            // All that follows is searched again, although it is as it was.
            (body("b", 21), false),
            (body("b", 22), true),
        ] {
            engine.kits().all().fill_with(|| None);
            engine.redact_json_again(memo.compare(body.as_bytes()), &[], &mut memo).unwrap();
            assert_eq!(engine.kits().all().iter().any(Option::is_some), is_kept, "{}", memo.searched());
        }
    }
}
