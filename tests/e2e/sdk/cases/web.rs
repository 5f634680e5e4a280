//! HTTP clients of tools through the forward proxy, which they find in the environment.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wardkeep_tests::story::search;

use super::Scene;
use crate::site::{HOST, Visit};

/// Every case, in the order of the table.
pub(super) const CASES: &[&str] = &[
    "tunnelled",
    "inspected",
    "without TLS",
    "connection kept",
    "stream, tunnelled",
    "stream, inspected",
    "upload, tunnelled",
    "upload, inspected",
    "secret in a body",
    "reference filled in",
    "host not listed",
    "method not listed",
    "proxy token unknown",
];

const MIB: usize = 1024 * 1024;

impl Scene<'_> {
    pub(super) async fn web(&mut self, case: &str) -> anyhow::Result<()> {
        let (tunnel, inspect) = (self.url("https", self.world.site.tunnel), self.url("https", self.world.site.inspect));
        match case {
            "tunnelled" => self.visit(&tunnel).await,
            "inspected" => self.visit(&inspect).await,
            "without TLS" => self.visit(&self.url("http", self.world.site.clear)).await,
            "connection kept" => self.twice(&inspect).await,
            "stream, tunnelled" => self.slow(&tunnel).await,
            "stream, inspected" => self.slow(&inspect).await,
            "upload, tunnelled" => self.bulk(&tunnel).await,
            "upload, inspected" => self.bulk(&inspect).await,
            "secret in a body" => self.secret_in_a_body(&inspect).await,
            "reference filled in" => self.reference(&inspect).await,
            "host not listed" => {
                let with = json!({"method": "GET", "url": "https://unlisted.example/"});
                self.refused_with(with, 403).await
            }
            "method not listed" => {
                let with = json!({"method": "DELETE", "url": inspect});
                self.refused_with(with, 403).await
            }
            "proxy token unknown" => {
                let mut stranger = self.speaker.with_token(self.column, self.world, "wka1_nobodys")?;
                let told = stranger.ask("send", json!({"method": "GET", "url": tunnel})).await?;
                stranger.end().await;
                says(&told.saw, &told.raised.map(|raised| raised.text), 407)
            }
            other => anyhow::bail!("there is no case {other}"),
        }
    }

    fn url(&self, scheme: &str, port: u16) -> String {
        format!("{scheme}://{HOST}:{port}/here")
    }

    async fn visit(&mut self, url: &str) -> anyhow::Result<()> {
        let saw = self.send(json!({"method": "GET", "url": url})).await?;
        ensure!(saw["method"] == "GET" && saw["path"] == "/here", "the site saw {saw}");
        let visit = self.visits().pop().context("nobody came")?;
        ensure!(!visit.headers.contains_key("proxy-authorization"), "the site got the proxy's token");
        Ok(())
    }

    async fn twice(&mut self, url: &str) -> anyhow::Result<()> {
        let saw = self.speaker.see("twice", json!({"url": url})).await?;
        ensure!(saw == json!([200, 200]), "it saw {saw}");
        Ok(())
    }

    /// Pieces arrive while the site still speaks.
    async fn slow(&mut self, url: &str) -> anyhow::Result<()> {
        let saw = self.speaker.see("slow", json!({"url": url.replace("/here", "/slow")})).await?;
        let (first, last) = (saw["first"].as_f64().unwrap_or_default(), saw["last"].as_f64().unwrap_or_default());
        ensure!(saw["text"] == "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n", "it saw {saw}");
        ensure!(last - first > 0.25, "the pieces came together: {saw}");
        Ok(())
    }

    async fn bulk(&mut self, url: &str) -> anyhow::Result<()> {
        let words = "a harmless line of an upload, again and again\n";
        let saw =
            self.send(json!({"method": "POST", "url": url, "body": words, "times": 4 * MIB / words.len()})).await?;
        let whole = 4 * MIB / words.len() * words.len();
        ensure!(saw["bytes"] == whole, "{} of {whole} bytes arrived", saw["bytes"]);
        Ok(())
    }

    async fn secret_in_a_body(&mut self, url: &str) -> anyhow::Result<()> {
        let body = json!({"note": format!("it is {}", self.world.stage.secrets.database)}).to_string();
        self.send(json!({"method": "POST", "url": url, "body": body, "headers": {"content-type": "application/json"}}))
            .await?;
        let visit = self.visits().pop().context("nobody came")?;
        let leaks = search::find(&self.world.stage.secrets.plants(), "site", &visit.body);
        ensure!(leaks.is_empty(), "a secret arrived: {leaks:?}");
        let arrived: Value = serde_json::from_slice(&visit.body).context("what arrived is no JSON")?;
        ensure!(arrived["note"] == "it is SECRET_REF(shop_db_password)", "it arrived as {arrived}");
        Ok(())
    }

    /// The site gets the value, the tool only ever sees the reference.
    async fn reference(&mut self, url: &str) -> anyhow::Result<()> {
        let headers = json!({"authorization": "Bearer SECRET_REF(site_key)"});
        let saw = self.send(json!({"method": "GET", "url": url, "headers": headers})).await?;
        ensure!(saw["authorization"] == "Bearer SECRET_REF(site_key)", "the tool saw {saw}");
        let visit = self.visits().pop().context("nobody came")?;
        let got = visit.headers.get("authorization").and_then(|value| value.to_str().ok());
        ensure!(got == Some(&format!("Bearer {}", self.world.site_key)), "the site did not get the key");
        Ok(())
    }

    /// Refused, with nobody at the site; clients differ in whether that is an answer or an error to them.
    async fn refused_with(&mut self, with: Value, status: u16) -> anyhow::Result<()> {
        let before = self.world.site.visits().len();
        let told = self.speaker.ask("send", with).await?;
        ensure!(self.world.site.visits().len() == before, "it reached the site");
        says(&told.saw, &told.raised.map(|raised| raised.text), status)
    }

    /// What the site answered.
    async fn send(&mut self, with: Value) -> anyhow::Result<Value> {
        let saw = self.speaker.see("send", with).await?;
        ensure!(saw["status"] == 200, "it answered {saw}");
        serde_json::from_str(saw["text"].as_str().unwrap_or_default()).with_context(|| format!("it answered {saw}"))
    }

    fn visits(&self) -> Vec<Visit> {
        self.world.site.visits()
    }
}

fn says(saw: &Option<Value>, raised: &Option<String>, status: u16) -> anyhow::Result<()> {
    let answered = saw.as_ref().is_some_and(|saw| saw["status"] == status);
    let thrown = raised.as_ref().is_some_and(|text| text.contains(&status.to_string()));
    ensure!(answered || thrown, "it saw {saw:?} and raised {raised:?}");
    Ok(())
}
