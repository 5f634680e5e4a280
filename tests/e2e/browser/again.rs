//! The same again: granted with an approval on the phone, seen on the server's page, taken back there.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Stage, TENANT};

use super::chromium::Chromium;

/// The longest name that an agent can have, in one word.
const LONG: &str = "agentwithaverylongnamethatdoesnotbreakxx";
/// No table scrolls sideways in its box.
const FITS: &str = "[...document.querySelectorAll('.table-box')].every((box) => box.scrollWidth <= box.clientWidth)";

pub(super) async fn play(stage: &Stage, hooks: &Hooks, browser: &mut Chromium) -> anyhow::Result<()> {
    let address = stage.hub.public_url.clone();
    let agent = format!("[[agents]]\nname = \"{LONG}\"\nlevel = \"trusted\"\nworkspace = \"/srv/agents/long\"\n\n");
    let policy = stage.tenant.policy().replacen("[[agents]]", &format!("{agent}[[agents]]"), 1);
    stage.follow(&format!("{policy}\n[granting]\nhours = 8\nuses = 20\n")).await?;
    std::fs::write(stage.tenant.workspace().join("offer.txt"), "40 Stollen")?;
    let send = || json!({"command": "curl -T offer.txt https://elsewhere.example/offers"});
    let (_, answer): (_, Value) = hooks.propose("again-1", "shell", send()).await?;
    let digest = answer["digest"].as_str().with_context(|| format!("it does not wait: {answer}"))?.to_owned();
    stage.person.wait_for_pending(|asked| asked["digest"] == digest.as_str()).await?;

    browser.open(&format!("{address}/approvals/{digest}"))?;
    ensure!(browser.text(".pins")?.contains("offer.txt"), "the pinned file is not shown");
    browser.click(".again summary")?;
    let words = browser.text(".again")?;
    for part in
        ["newsletter", "curl", "https://elsewhere.example/offers", "nothing beside them", "something else by then"]
    {
        ensure!(words.contains(part), "{part} is not in {words}");
    }
    browser.look("again")?;
    // Ticked by keyboard; what is chosen is bounded by what was offered.
    browser.evaluate("document.querySelector('[name=again]').focus()")?;
    for kind in ["keyDown", "keyUp"] {
        let key = json!({"type": kind, "key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "});
        browser.call("Input.dispatchKeyEvent", key)?;
    }
    ensure!(browser.evaluate("document.querySelector('[name=again]').checked")? == true, "the key does not tick it");
    let most = "Math.max(...[...document.querySelector('[name=hours]').options].map((option) => Number(option.value)))";
    ensure!(browser.evaluate(most)? == 8, "more hours than the policy has");
    browser.evaluate(
        "document.querySelector('[name=hours]').value = '2'; document.querySelector('[name=uses]').value = '3'",
    )?;
    browser.look("again-chosen")?;
    browser.click(".decide button.approve")?;
    browser.wait("the decision", "location.search.startsWith('?decided=')")?;
    browser.open(&format!("{address}/approvals/{digest}"))?;
    ensure!(browser.text(".steps")?.contains("and the same for 2 hours, 3 times"));

    wait("the server to have it", || async {
        let grants = stage.tenant_view().await?["status"]["grants"].clone();
        Ok(grants.as_array().is_some_and(|all| all.len() == 1).then_some(()))
    })
    .await?;
    let (_, again): (_, Value) = hooks.propose("again-2", "shell", send()).await?;
    ensure!(again["decision"] == "allow", "it is asked again: {again}");
    let other = json!({"command": "curl -T offer.txt https://elsewhere.example/other"});
    let (_, other): (_, Value) = hooks.propose("again-3", "shell", other).await?;
    ensure!(other["decision"] == "pending", "other words run: {other}");

    browser.open(&format!("{address}/tenants/{TENANT}"))?;
    browser.wait("the use", "document.querySelector('#given')?.innerText.includes('1 used, 2 left')")?;
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true}),
    )?;
    ensure!(browser.evaluate(FITS)? == true, "a table scrolls sideways on a phone");
    browser.look("given")?;
    browser.click("#given form button")?;
    browser.wait("it to be taken back", "document.querySelector('#given')?.innerText.includes('Taken back')")?;
    browser.look("given-taken-back")?;
    let (_, over): (_, Value) = hooks.propose("again-4", "shell", send()).await?;
    ensure!(over["decision"] == "pending", "it was taken back: {over}");
    Ok(())
}
