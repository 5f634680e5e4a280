//! A body on its way out: redaction first, then the splices that its provider needs.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use wardkeep_policy::bundle::llm::{BodyRules, Unscanned};
use wardkeep_redaction::Engine;

use crate::api::{Account, Api};
use crate::attachments;
use crate::memo::Turn;
use crate::prefix;
use crate::refusal::Refusal;
use crate::request::server_tools::{Before, Judged};
use crate::request::{self, Head, InvalidBody, Splice};
use crate::sheaf::Sheaf;
use crate::signs::Signs;
use crate::translate::{self, Wants};

/// A larger body counts as if all of it had to be searched.
const KNOWN_HERE: usize = 256 * 1024;

/// What a body has to become.
pub(crate) struct Recipe<'a> {
    pub(crate) api: Api,
    /// Whose body it is.
    pub(crate) turn: Turn,
    /// What the provider is asked for; another one where it speaks another API.
    pub(crate) towards: Api,
    /// What it wants, then.
    pub(crate) wants: Wants,
    /// What the agent asked for.
    pub(crate) asked: Cow<'a, str>,
    /// What the provider is asked for.
    pub(crate) upstream_model: Cow<'a, str>,
    pub(crate) rules: Cow<'a, BodyRules>,
    /// Members that came from headers, with their JSON.
    pub(crate) lists: Vec<(String, String)>,
    /// Files that may go although they cannot be read.
    pub(crate) unscanned: Cow<'a, [Unscanned]>,
    /// Tools that the provider may run by itself.
    pub(crate) server_tools: Cow<'a, [String]>,
    /// Lists of tools without one of those.
    pub(crate) judged: Arc<Judged>,
    /// Anthropic's cache is told where instructions and tools end.
    pub(crate) breakpoints: bool,
    /// What may stand in it.
    pub(crate) signs: Signs,
    /// Bytes with which the body of the session began before.
    pub(crate) shared: usize,
}

/// A body as it may go out.
pub(crate) struct Ready {
    pub(crate) body: Sheaf,
    /// The usage chunk was our wish, not the agent's.
    pub(crate) added_usage: bool,
    /// A streamed answer is to end with its usage.
    pub(crate) with_usage: bool,
}

impl Recipe<'_> {
    /// The same, for another thread.
    pub(crate) fn into_owned(self) -> Recipe<'static> {
        let Self { asked, upstream_model, rules, unscanned, server_tools, .. } = self;
        Recipe {
            asked: Cow::Owned(asked.into_owned()),
            upstream_model: Cow::Owned(upstream_model.into_owned()),
            rules: Cow::Owned(rules.into_owned()),
            unscanned: Cow::Owned(unscanned.into_owned()),
            server_tools: Cow::Owned(server_tools.into_owned()),
            ..self
        }
    }

    /// Bytes that are to be searched, about.
    pub(crate) fn searches(&self, len: usize, engine: &Engine) -> usize {
        // Whether the very body is known from which this one goes on is seen too late; so a large one counts whole.
        let is_whole = len > KNOWN_HERE || self.signs.files || self.api != self.towards;
        if is_whole || !self.turn.is_known(engine, self.shared) { len } else { len - self.shared }
    }

    /// Redaction and splices: what leaves, or why nothing does.
    pub(crate) fn apply(&self, received: &Bytes, head: Head, engine: &Engine) -> Result<Ready, Refusal> {
        // Files first, since they are no files any more once something in their base64 was replaced.
        let files = if self.signs.files { attachments::inline(received, engine, &self.unscanned)? } else { Vec::new() };
        let bytes = match request::splice(Cow::Borrowed(&received[..]), files) {
            Cow::Borrowed(_) => received.clone(),
            Cow::Owned(changed) => Bytes::from(changed),
        };
        let scanned = self.turn.redact(engine, &bytes, self.api.sealed())?;
        let changed = matches!(scanned.bytes, Cow::Owned(_));
        if changed {
            let names: Vec<&str> = scanned.findings.iter().filter_map(|finding| finding.name.as_deref()).collect();
            tracing::info!(findings = scanned.findings.len(), ?names, "an LLM request was redacted");
        }
        // Places moved with the redaction.
        let moved = changed || bytes.as_ptr() != received.as_ptr();
        let shifted =
            || head.shifted(&bytes, &scanned.bytes, &scanned.findings).filter(|_| bytes.as_ptr() == received.as_ptr());
        let head = match moved.then(shifted) {
            None => head,
            Some(Some(shifted)) => shifted,
            Some(None) => Head::parse(&scanned.bytes)?,
        };
        request::spelling::right(self.api, &head)?;
        if let Some(names) = self.api.around() {
            request::no_other_model(&head, &scanned.bytes, names)?;
        }
        if self.api == Api::Responses {
            request::answered_here(&head, &scanned.bytes)?;
        }
        let tools = (&*self.server_tools, Before { judged: &self.judged, engine });
        request::server_tools::refuse(self.api, &head, &scanned.bytes, self.signs.tools, tools)?;
        if self.api != self.towards {
            return self.translate(&scanned.bytes, &head, engine);
        }
        let mut changes = request::adapt(&head, &scanned.bytes, &self.rules, &self.lists)?;
        if self.breakpoints {
            changes.extend(prefix::breakpoints(&head, &scanned.bytes));
        }
        let ask = match self.api.account() {
            Account::Chat if !self.rules.usage_unasked => request::ask_for_usage(&head, &scanned.bytes),
            _ => None,
        };
        let added_usage = ask.is_some();
        changes.extend(ask);
        match self.api {
            Api::Gemini(_) => changes.extend(request::rename_inner(&scanned.bytes, &self.asked, &self.upstream_model)?),
            _ => changes.extend(self.rename(&head)),
        }
        let scanned = match scanned.bytes {
            Cow::Borrowed(_) => bytes.clone(),
            Cow::Owned(changed) => Bytes::from(changed),
        };
        let body = Sheaf::spliced(scanned, changes);
        Ok(Ready { body, added_usage, with_usage: !added_usage && !self.rules.usage_unasked })
    }

    /// The same in the provider's API, from a body that was redacted.
    fn translate(&self, scanned: &[u8], head: &Head, engine: &Engine) -> Result<Ready, Refusal> {
        let with_usage = request::asks_for_usage(head, scanned);
        let renamed = request::splice(Cow::Borrowed(scanned), request::rename(head, &self.upstream_model));
        let renamed = Bytes::from(renamed.into_owned());
        let told = translate::request(self.api.dialect(), self.towards.dialect(), &renamed, self.wants)?;
        // What stood apart may stand together now, and what was quoted twice is quoted once.
        let told = self.turn.redact(engine, &told, self.towards.sealed())?.bytes;
        let head = Head::parse(&told)?;
        let mut changes = request::adapt(&head, &told, &self.rules, &self.lists)?;
        if self.breakpoints {
            changes.extend(prefix::breakpoints(&head, &told));
        }
        let body = Sheaf::spliced(Bytes::from(told.into_owned()), changes);
        Ok(Ready { body, added_usage: false, with_usage })
    }

    /// Nothing where the provider has the model elsewhere, and its member is left out.
    fn rename(&self, head: &Head) -> Option<Splice> {
        let has_member = !self.rules.omit.iter().any(|name| name == "model");
        request::rename(head, &self.upstream_model).filter(|_| has_member)
    }
}

/// The model that is asked for, and whether the answer is to be streamed.
pub(crate) fn asked(api: Api, in_path: Option<&str>, head: &Head) -> Result<(String, bool), InvalidBody> {
    match in_path {
        Some(model) => Ok((model.to_owned(), api == Api::Gemini(crate::api::Verb::Stream))),
        None => Ok((head.model.clone().ok_or(InvalidBody::NoModel)?, head.streams)),
    }
}
