//! A stage under attack: everything that leaves it is searched after every step and once more in the end.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::{self, Capture, Channel, Ear};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::search::{self, Plant};
use wardkeep_tests::story::stage::{Setting, Stage};

use super::model::user;

/// Neither in the vault nor like anything that a rule knows.
pub(crate) const HARMLESS: &str = "velvet lantern over the quiet orchard";

/// One agent that attacks, and what is listened to.
pub(crate) struct Siege {
    pub(crate) stage: Stage,
    pub(crate) hooks: Hooks,
    plants: Vec<Plant>,
    ear: Ear,
    endpoint: &'static str,
    /// Harmless texts that the hub must have been told, with the attack that they tried the way for.
    promised: Vec<(String, String)>,
    found: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Siege {
    /// A stage with a value of every kind in its vault and relays on every way out.
    pub(crate) async fn lay(dialect: Dialect) -> Self {
        Self::set(dialect, None).await
    }

    /// The same with a daemon that writes all it can into its log.
    pub(crate) async fn lay_loudly(dialect: Dialect) -> Self {
        Self::set(dialect, Some("trace")).await
    }

    async fn set(dialect: Dialect, log: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Nobody asks the gate before these results: what must not leave must not leave with them either.
        let gate_memory = "report";
        let setting =
            Setting { tapped: true, treasure: true, gate_memory, dialect, log, ..Setting::plain(folder.path()) };
        let (stage, hooks) = crate::set(setting).await;
        let plants = stage.secrets.plants();
        let endpoint = match dialect {
            Dialect::Anthropic => "/v1/messages",
            Dialect::OpenAi => "/v1/chat/completions",
        };
        let mut siege = Self {
            stage,
            hooks,
            plants,
            ear: Ear::default(),
            endpoint,
            promised: Vec::new(),
            found: Vec::new(),
            _folder: folder,
        };
        siege.listen("the beginning");
        siege
    }

    /// The same with attacks at another address of the model.
    pub(crate) fn at(self, endpoint: &'static str) -> Self {
        Self { endpoint, ..self }
    }

    /// Name and value of all that is in the vault.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        self.stage.secrets.all().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// What was said since the last time. A value in it is kept for the end.
    pub(crate) fn listen(&mut self, attack: &str) -> Vec<Capture> {
        let news = self.ear.news(&self.stage, &[&self.hooks]).expect("everything is read");
        for leak in capture::leaks(&self.plants, &news) {
            self.found.push(format!("{attack}: {} went to {} ({})", leak.secret, leak.place, leak.form));
        }
        news
    }

    /// One request to the model; answers the ways on which `harmless` was heard.
    pub(crate) async fn ask(&mut self, attack: &str, headers: &[(String, Vec<u8>)], body: Vec<u8>) -> Vec<Channel> {
        let endpoint = self.endpoint;
        self.hooks.ask_llm(endpoint, headers, body).await.expect("the gateway answers");
        heard(&self.listen(attack), HARMLESS)
    }

    /// What the search would miss, the attack would not show.
    pub(crate) fn must_see(&self, name: &str, attack: &str, sent: &[u8]) {
        let seen = search::find(&self.plants, "", sent);
        assert!(
            seen.iter().any(|leak| leak.secret == name),
            "{attack}: the search does not see {name} in what was sent"
        );
    }

    /// A value that is kept from now on.
    pub(crate) fn also(&mut self, name: &str, value: &str) {
        self.plants.push(Plant::new(name, value));
    }

    /// `harmless` must be found in what the hub was told, or the attack shows nothing.
    pub(crate) fn must_reach_the_hub(&mut self, attack: &str, harmless: &str) {
        self.promised.push((attack.to_owned(), harmless.to_owned()));
    }

    /// What another agent heard belongs to it, too; how much that was.
    pub(crate) fn hear(&mut self, other: &Hooks) -> usize {
        self.look("another agent", "its answers", &other.heard())
    }

    /// Searches what was said elsewhere; how much that was.
    pub(crate) fn look(&mut self, attack: &str, place: &str, said: &[u8]) -> usize {
        for leak in search::find(&self.plants, place, said) {
            self.found.push(format!("{attack}: {} went to {} ({})", leak.secret, leak.place, leak.form));
        }
        said.len()
    }

    /// How many bytes the hub was told of `text` so far.
    pub(crate) fn told(&self, text: &str) -> usize {
        let link = capture::taps(&self.stage).into_iter().filter(|capture| capture.channel == Channel::Link);
        link.map(|capture| memchr::memmem::find_iter(&capture.bytes, text.as_bytes()).count() * text.len()).sum()
    }

    /// Forgets what was found so far; whether that was anything.
    pub(crate) fn forget(&mut self) -> bool {
        !std::mem::take(&mut self.found).is_empty()
    }

    /// What was found so far, where the end cannot be searched.
    pub(crate) fn into_found(self) -> Vec<String> {
        self.found
    }

    /// Nothing was found on the way, and nothing is found in the end: in no file, and in nothing that the hub was told.
    pub(crate) async fn lift(mut self) {
        self.listen("the end");
        self.wait_for_the_hub().await;
        let may = |path: &Path| self.stage.may_hold_secrets(path);
        let (_, mut all) = search::files(&self.plants, &self.stage.setting.folder, &may).expect("searched");
        all.extend(capture::leaks(&self.plants, &capture::taps(&self.stage)));
        let in_the_end =
            all.iter().map(|leak| format!("in the end: {} in {} ({})", leak.secret, leak.place, leak.form));
        let found: Vec<String> = self.found.iter().cloned().chain(in_the_end).collect();
        assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
        self.stage.strike().await.expect("everything stops");
    }

    /// Nothing that was said made the daemon or the hub give up a connection.
    pub(crate) fn link_held(&self) {
        let link = capture::taps(&self.stage).iter().filter(|capture| capture.channel == Channel::Link).count();
        // One for the enrolment, one for the daemon.
        if link > 2 {
            let log = std::fs::read_to_string(self.stage.log()).unwrap_or_default();
            let hub = std::fs::read_to_string(self.stage.setting.folder.join("hub.log")).unwrap_or_default();
            panic!("{link} connections to the hub\n{log}\n{hub}");
        }
    }

    /// What the daemon queued for the hub before now has arrived there, and with it every harmless text.
    pub(crate) async fn wait_for_the_hub(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let mut link = capture::taps(&self.stage);
            link.retain(|capture| capture.channel == Channel::Link);
            let told =
                |text: &str| link.iter().any(|capture| memchr::memmem::find(&capture.bytes, text.as_bytes()).is_some());
            let missing: Vec<&str> =
                self.promised.iter().filter(|(_, text)| !told(text)).map(|(attack, _)| attack.as_str()).collect();
            if missing.is_empty() {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the hub was never told what these had to say: {missing:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks a model for a stream, and kills the daemon once the request has left.
    pub(crate) async fn kill_within_a_stream(&self, text: &str) {
        self.stage.llm.pace(Duration::from_millis(30));
        let before = self.stage.llm.requests().len();
        let mut body = user(json!(text));
        body["stream"] = json!(true);
        let ask = self.hooks.ask_llm("/v1/messages", &[], body.to_string().into_bytes());
        let kill = async {
            let left = || async { Ok((self.stage.llm.requests().len() > before).then_some(())) };
            wait("the request to leave", left).await.expect("it leaves");
            self.stage.tenant.service.kill().expect("killed");
        };
        let _ = tokio::join!(ask, kill);
        self.stage.llm.pace(Duration::ZERO);
    }
}

/// The ways on which `text` was heard.
pub(crate) fn heard(news: &[Capture], text: &str) -> Vec<Channel> {
    let plant = [Plant::whole("harmless", text)];
    let has = |capture: &&Capture| !capture::leaks(&plant, std::slice::from_ref(*capture)).is_empty();
    news.iter().filter(has).map(|capture| capture.channel).collect()
}
