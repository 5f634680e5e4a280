//! Lists of tools that were judged before: agents send the same ones in every turn, mostly many.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wardkeep_redaction::Engine;

use crate::api::Api;

/// Lists that are kept; the last one was used last.
const KEPT: usize = 64;
/// A shorter list is read in no time.
const LEAST: usize = 512;

/// A list, by a keyed fingerprint, as one API reads it.
type Print = (Api, [u8; 16]);

/// Lists in which every tool comes back to the runtime, whatever the policy allows beyond that. No text is kept.
#[derive(Default)]
pub(crate) struct Judged(Mutex<VecDeque<Print>>);

/// The same for one engine, whose fingerprints they are.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) judged: &'a Judged,
    pub(crate) engine: &'a Engine,
}

impl Before<'_> {
    /// How a list is known; nothing for one that is read sooner.
    pub(super) fn print(&self, api: Api, list: &[u8]) -> Option<Print> {
        (list.len() >= LEAST).then(|| (api, self.engine.print("tools", list)))
    }

    pub(super) fn knows(&self, print: &Print) -> bool {
        let mut lists = self.lists();
        let Some(at) = lists.iter().rposition(|other| other == print) else { return false };
        if at + 1 < lists.len()
            && let Some(list) = lists.remove(at)
        {
            lists.push_back(list);
        }
        true
    }

    pub(super) fn learn(&self, print: Print) {
        let mut lists = self.lists();
        if lists.len() >= KEPT {
            lists.pop_front();
        }
        lists.push_back(print);
    }

    fn lists(&self) -> MutexGuard<'_, VecDeque<Print>> {
        self.judged.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::RuleSet;

    use super::super::refuse;
    use super::*;
    use crate::request::{Head, InvalidBody};

    fn engine(key: u8) -> Engine {
        Engine::build([], &RuleSet::none(), [key; 32]).unwrap()
    }

    /// A body with enough tools to be remembered, and `more` among them.
    fn body(more: &str) -> String {
        let tools: Vec<String> = (0..40).map(|n| format!(r#"{{"type":"function","name":"tool_{n}"}}"#)).collect();
        format!(r#"{{"tools":[{}{more}]}}"#, tools.join(","))
    }

    fn judge(judged: &Judged, engine: &Engine, api: Api, body: &str, allowed: &[&str]) -> Result<(), InvalidBody> {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        let head = Head::parse(body.as_bytes()).unwrap();
        refuse(api, &head, body.as_bytes(), false, (&allowed, Before { judged, engine }))
    }

    fn count(judged: &Judged) -> usize {
        judged.0.lock().unwrap().len()
    }

    #[test]
    fn what_is_refused_or_only_allowed_is_judged_again() {
        let (judged, engine) = (Judged::default(), engine(1));
        let refused = |name: &str| Err(InvalidBody::ServerTool(name.to_owned()));
        let with = body(r#",{"type":"web_search_preview"}"#);
        for _ in 0..2 {
            assert_eq!(judge(&judged, &engine, Api::Responses, &with, &[]), refused("web_search_preview"));
            assert_eq!(judge(&judged, &engine, Api::Responses, &with, &["web_search"]), Ok(()));
            assert_eq!(judge(&judged, &engine, Api::Responses, &body(",7"), &[]), Err(InvalidBody::Tools));
        }
        assert_eq!(count(&judged), 0);
    }

    #[test]
    fn a_list_is_known_as_it_is_and_for_its_api_alone() {
        let (judged, first) = (Judged::default(), engine(1));
        let namespace = body(r#",{"type":"namespace","tools":[{"type":"function"}]}"#);
        for _ in 0..3 {
            assert_eq!(judge(&judged, &first, Api::Responses, &namespace, &[]), Ok(()));
        }
        assert_eq!(count(&judged), 1, "it is learnt once");
        let refused = |name: &str| Err(InvalidBody::ServerTool(name.to_owned()));
        assert_eq!(judge(&judged, &first, Api::Chat, &namespace, &[]), refused("namespace"));
        let other = namespace.replace(r#""type":"function","name":"tool_7""#, r#""type":"functiom","name":"tool_7""#);
        assert_ne!(other, namespace);
        assert_eq!(judge(&judged, &first, Api::Responses, &other, &[]), refused("functiom"));
        assert_eq!(judge(&judged, &engine(2), Api::Responses, &namespace, &[]), Ok(()));
        assert_eq!(count(&judged), 2, "another key, another fingerprint");
    }

    #[test]
    fn those_that_were_used_last_are_kept() {
        let (judged, engine) = (Judged::default(), engine(1));
        let one = |n: usize| judge(&judged, &engine, Api::Chat, &body(&format!(r#",{{"name":"{n}"}}"#)), &[]).unwrap();
        (0..KEPT).for_each(one);
        one(0);
        one(KEPT);
        let before = Before { judged: &judged, engine: &engine };
        let knows = |n: usize| {
            let body = body(&format!(r#",{{"name":"{n}"}}"#));
            let list = &body[r#"{"tools":"#.len()..body.len() - 1];
            before.knows(&before.print(Api::Chat, list.as_bytes()).unwrap())
        };
        assert!(knows(0) && !knows(1) && knows(2) && knows(KEPT));
        assert_eq!(count(&judged), KEPT);
        assert!(before.print(Api::Chat, b"[]").is_none(), "a short list is not remembered");
    }
}
