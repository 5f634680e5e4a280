//! The model: a person's message names a scene, `[[name]]`, and the scene says what the model does then, turn by turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::simulators::llm::{Answer, Conversation, Script};
use serde_json::Value;

/// What the model does in each scene.
#[derive(Clone, Default)]
pub struct Playbook {
    parts: Arc<Mutex<HashMap<String, Part>>>,
    children: &'static [&'static str],
    spawner: &'static str,
}

#[derive(Clone)]
enum Part {
    /// These calls one after the other, then what the last result was.
    Calls(Vec<(String, Value)>),
    /// These calls at once, then as before.
    Together(Vec<(String, Value)>),
    /// This call for ever.
    Endless(String, Value),
}

impl Playbook {
    /// One in which sub-agents play the scenes `children`, and are started by the tool `spawner`.
    #[must_use]
    pub fn with_children(spawner: &'static str, children: &'static [&'static str]) -> Self {
        Self { parts: Arc::default(), children, spawner }
    }

    /// In the scene `name` the model makes these calls, one a turn, and then repeats what it was told last.
    pub fn calls(&self, name: &str, calls: &[(&str, Value)]) {
        let calls = calls.iter().map(|(tool, args)| ((*tool).to_owned(), args.clone())).collect();
        self.put(name, Part::Calls(calls));
    }

    /// In the scene `name` the model makes these calls in one turn, and then repeats what it was told.
    pub fn together(&self, name: &str, calls: &[(&str, Value)]) {
        let calls = calls.iter().map(|(tool, args)| ((*tool).to_owned(), args.clone())).collect();
        self.put(name, Part::Together(calls));
    }

    /// In the scene `name` the model makes this call again and again.
    pub fn endless(&self, name: &str, tool: &str, args: Value) {
        self.put(name, Part::Endless(tool.to_owned(), args));
    }

    fn put(&self, name: &str, part: Part) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), part);
    }
}

impl Script for Playbook {
    fn next(&self, conversation: &Conversation) -> Answer {
        let said = |text: String| Answer { text, ..Answer::default() };
        let messages = &conversation.messages;
        let Some(asked) = messages.iter().rposition(|one| one.role == "user" && scene_of(&one.text).is_some()) else {
            return said("nothing to do".to_owned());
        };
        let name = scene_of(&messages[asked].text).unwrap_or_default();
        let turn = messages[asked..].iter().filter(|one| one.role == "assistant").count();
        // The parent is told of its child's task in the child's words; they are not for it.
        let is_parent = messages.iter().any(|one| one.calls.iter().any(|call| call == self.spawner));
        if self.children.contains(&name) && is_parent {
            return said("heard".to_owned());
        }
        let part = self.parts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        match part {
            Some(Part::Calls(calls)) if turn < calls.len() => {
                Answer { calls: vec![calls[turn].clone()], ..Answer::default() }
            }
            Some(Part::Together(calls)) if turn == 0 => Answer { calls, ..Answer::default() },
            Some(Part::Endless(tool, args)) => Answer { calls: vec![(tool, args)], ..Answer::default() },
            _ => {
                let told = conversation.last_results();
                let told = told.iter().map(|result| result.text.as_str()).collect::<Vec<_>>().join("\n");
                said(if told.is_empty() { "heard".to_owned() } else { told })
            }
        }
    }
}

/// What stands last between double brackets.
fn scene_of(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once("[[")?;
    after.split_once("]]").map(|(name, _)| name)
}
