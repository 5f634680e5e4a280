//! The portal in a real browser: passkeys made, pinned on the server and used for a critical call; the same again granted with an
//! approval; a policy reviewed before it goes out. `./dev e2e browser`.

mod again;
mod chromium;
mod policy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use chromium::Chromium;
use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Setting, Stage};

/// Whether the form of the approval says this.
const SAID: &str = "document.querySelector('.decide [data-passkey-said]:not([hidden]) p')?.innerText ?? ''";
/// Whether it can be approved.
const READY: &str = "document.querySelector('.decide button.approve')?.disabled === false";

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let kept = std::env::args().nth(1);
    let folder = tempfile::tempdir()?;
    let done = play(folder.path()).await;
    if let Some(to) = kept {
        keep(&folder.path().join("pictures"), Path::new(&to))?;
    }
    done.map(|()| ExitCode::SUCCESS)
}

/// Pictures for people to look at.
fn keep(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for picture in std::fs::read_dir(from)?.flatten() {
        std::fs::copy(picture.path(), to.join(picture.file_name()))?;
    }
    Ok(())
}

async fn play(folder: &Path) -> anyhow::Result<()> {
    let stage = Stage::set(Setting::plain(folder), &|_| ()).await?;
    let hooks = Hooks::of(&stage.tenant)?;
    hooks.start_session().await?;
    let address = stage.hub.public_url.clone();
    let digest = critical(&stage, &hooks, "c1").await?;
    let approval = format!("{address}/approvals/{digest}");

    let mut browser = Chromium::start(folder)?;
    let phone = browser.add_authenticator("internal")?;
    browser.open(&stage.hub.login_link().await?)?;
    browser.click("form button[type=submit]")?;
    browser.wait("being signed in", "location.pathname === '/fleet'")?;

    browser.open(&approval)?;
    ensure!(browser.text(".decide .notice")?.contains("you have none yet"));
    ensure!(browser.evaluate(READY)? == false, "it can be approved without a passkey");
    browser.look("critical-no-key")?;

    browser.open(&format!("{address}/passkeys"))?;
    ensure!(browser.text(".empty h2")? == "You have no passkey yet");
    browser.look("passkeys-empty")?;
    let code = make(&mut browser, "My phone")?;
    browser.look("passkeys-one")?;

    browser.open(&approval)?;
    let command = browser.text(".decide .command code")?;
    ensure!(command == format!("wardkeep passkey pin {code}"), "{command}");
    browser.look("critical-not-trusted")?;
    // As its owner does on the server.
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    stage.tenant.cli(&words).await?;
    until_ready(&mut browser, &approval)?;
    browser.look("critical-ready")?;

    // Whom the device does not recognise decides nothing.
    browser.set_verified(&phone, false)?;
    browser.click(".decide button.approve")?;
    browser.wait("the refusal", &format!("({SAID}).includes('Nothing was decided')"))?;
    browser.look("critical-cancelled")?;
    ensure!(stage.person.get(&format!("/approvals/{digest}")).await?["state"] == "pending");
    browser.set_verified(&phone, true)?;
    browser.click(".decide button.approve")?;
    browser.wait("the decision", "location.search.startsWith('?decided=')")?;
    ensure!(browser.text(".notice.ok")?.contains("is approved"));
    let (_, ended) = hooks.status("c1", 20_000).await?;
    let ran = std::fs::read_to_string(stage.tenant.workspace().join("critical"))?;
    ensure!(ran == "c1\n", "it ran {ran:?}: {ended}");

    second_key(&stage, &mut browser, &address).await?;

    // A browser without passkeys says so, and can deny.
    let digest = critical(&stage, &hooks, "c2").await?;
    let script = json!({"source": "delete window.PublicKeyCredential"});
    browser.call("Page.addScriptToEvaluateOnNewDocument", script)?;
    browser.open(&format!("{address}/approvals/{digest}"))?;
    browser.wait("the notice", &format!("({SAID}).includes('cannot use passkeys')"))?;
    browser.look("critical-no-webauthn")?;
    browser.click(".decide button.deny")?;
    browser.wait("the decision", "location.search.startsWith('?decided=')")?;
    let (_, denied) = hooks.status("c2", 20_000).await?;
    ensure!(denied["decision"] == "deny", "{denied}");
    again::play(&stage, &hooks, &mut browser).await?;
    policy::play(&stage, &hooks, &mut browser).await?;
    drop(browser);
    stage.strike().await
}

/// A key on another device, let in by the first one; then the first one is given up.
async fn second_key(stage: &Stage, browser: &mut Chromium, address: &str) -> anyhow::Result<()> {
    let ring = browser.add_authenticator("usb")?;
    browser.open(&format!("{address}/passkeys"))?;
    make(browser, "Key on the ring")?;
    browser.wait("the offer to let it in", "document.querySelector('[data-introduce]') !== null")?;
    browser.look("passkeys-two")?;
    // Two virtual ones answer at once, and the one without the key spoils it.
    browser.call("WebAuthn.removeVirtualAuthenticator", json!({"authenticatorId": ring}))?;
    browser.click("[data-introduce] button")?;
    browser.wait("the confirmation", "location.search === '?introduced=1'")?;
    wait("the server to trust both", || async {
        let trusted = stage.tenant_view().await?["status"]["passkeys"].as_array().map(Vec::len);
        Ok((trusted == Some(2)).then_some(()))
    })
    .await?;
    browser.open(&format!("{address}/passkeys"))?;
    browser.click(".passkeys section details summary")?;
    browser.click(".passkeys section button.deny")?;
    wait("the server to trust one", || async {
        let trusted = stage.tenant_view().await?["status"]["passkeys"].as_array().map(Vec::len);
        Ok((trusted == Some(1)).then_some(()))
    })
    .await
}

/// Makes a passkey; answers its code.
fn make(browser: &mut Chromium, name: &str) -> anyhow::Result<String> {
    browser.evaluate(&format!("document.querySelector('[data-passkey-new] [name=name]').value = {}", json!(name)))?;
    browser.click("[data-passkey-new] button")?;
    let there = format!(
        "[...document.querySelectorAll('.passkeys h2')].some((title) => title.innerText.trim() === {})",
        json!(name)
    );
    browser.wait("the new passkey", &there)?;
    browser.text(".passkeys .code")
}

fn until_ready(browser: &mut Chromium, approval: &str) -> anyhow::Result<()> {
    for _ in 0..30 {
        browser.open(approval)?;
        if browser.evaluate(READY)? == true {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    anyhow::bail!("the hub does not hear that the key is pinned")
}

async fn critical(stage: &Stage, hooks: &Hooks, call: &str) -> anyhow::Result<String> {
    let args = json!({"command": format!("echo {call} >> critical; ufw disable")});
    let (_, answer): (_, Value) = hooks.propose(call, "shell", args).await?;
    let digest = answer["digest"].as_str().with_context(|| format!("it does not wait: {answer}"))?.to_owned();
    stage.person.wait_for_pending(|asked| asked["digest"] == digest.as_str()).await?;
    Ok(digest)
}
