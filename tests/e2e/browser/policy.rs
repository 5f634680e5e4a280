//! A draft of the policy is reviewed in the browser by keyboard, published by the digest that the page shows, and by no other.

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::stage::{Stage, TENANT, field};

use super::chromium::Chromium;

/// Whether every server has answered, or is said to be silent.
const ANSWERED: &str =
    "document.querySelectorAll('.reviewed').length > 0 && !document.querySelector('[aria-busy=true]')";

pub(super) async fn play(stage: &Stage, hooks: &Hooks, browser: &mut Chromium) -> anyhow::Result<()> {
    let address = stage.hub.public_url.clone();
    for (call, tool, args) in [
        ("policy-1", "read_file", json!({"path": "notes/november.md"})),
        ("policy-2", "shell", json!({"command": "rm -rf old"})),
        ("policy-3", "shell", json!({"command": "rm -rf older"})),
    ] {
        hooks.propose(call, tool, args).await?;
    }
    // Who is no operator is not let in, and is not led there.
    browser.open(&format!("{address}/policy"))?;
    ensure!(browser.text("h1")? == "This page is for operators");
    stage.hub.cli(&["user", "add", "olga", "--operator"]).await?;
    browser.open(&field(&stage.hub.cli(&["user", "login", "olga", "--json"]).await?, "url")?)?;
    browser.click("form button[type=submit]")?;
    browser.wait(
        "the operator",
        "location.pathname === '/fleet' && document.querySelector('a[href=\"/policy\"]') !== null",
    )?;
    stage.hub.cli(&["tenant", "add", "butcher"]).await?;

    browser.open(&format!("{address}/tenants/{TENANT}"))?;
    browser.click("a[href^='/policy?of=']")?;
    browser
        .wait("the text of the server", "document.querySelector('#source')?.value.includes('level = \"trusted\"')")?;
    browser.look("policy")?;

    // A mistake is told beside what was written.
    write(browser, "source.value.replaceAll('level = \"trusted\"', 'level = \"root\"')")?;
    submit_by_keyboard(browser)?;
    browser.wait("the refusal", "document.querySelector('.notice.bad')?.innerText.includes('Nobody was asked')")?;
    ensure!(browser.evaluate("document.querySelector('#source').value.includes('level = \"root\"')")? == true);
    browser.look("policy-refused")?;

    // The server is slow, then it answers and the page says so by itself.
    write(browser, "source.value.replaceAll('level = \"root\"', 'level = \"autonomous\"')")?;
    browser.evaluate("document.querySelector('#whom').value = '*'")?;
    let daemon = Pid::from_raw(i32::try_from(stage.tenant.service.pid())?).context("a process")?;
    kill_process(daemon, Signal::STOP)?;
    submit_by_keyboard(browser)?;
    browser.wait("the review", "location.pathname.startsWith('/policy/reviews/')")?;
    let waits = browser.evaluate("document.querySelector('[aria-busy=true]') !== null")?;
    let early = browser.evaluate("document.querySelector('.reviewed .command') !== null && document.querySelector('#of-bakery .command') !== null")?;
    let looked = browser.look("review-waiting");
    kill_process(daemon, Signal::CONT)?;
    looked?;
    ensure!(waits == true && early == false, "it can be published before it is judged: {waits} {early}");
    browser.wait("the answer", ANSWERED)?;
    ensure!(browser.text("#of-bakery")?.contains("Loosens") && browser.text("#of-bakery")?.contains("rm -rf old"));
    ensure!(browser.text("#of-butcher")?.contains("it has not enrolled yet"));
    browser.look("review")?;
    publish(stage, browser).await
}

/// Exactly what is shown goes out: not under another digest, not when something else was published since.
async fn publish(stage: &Stage, browser: &mut Chromium) -> anyhow::Result<()> {
    let command = browser.text("#of-bakery .command code")?;
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let shown = words.get(4).context("a digest")?.to_string();
    ensure!(words.ends_with(&["--loosens"]), "{command}");
    let (code, _, error) = stage.hub.cli_coded(&words[..5]).await?;
    ensure!(code == 1 && error.contains("more openly"), "{code} {error}");
    let wrong = if shown.starts_with('0') { shown.replacen('0', "1", 1) } else { format!("0{}", &shown[1..]) };
    let (code, _, error) =
        stage.hub.cli_coded(&["policy", "publish", TENANT, "--reviewed", &wrong, "--loosens"]).await?;
    ensure!(code == 1 && error.contains("no draft of that digest was reviewed"), "{code} {error}");
    stage.hub.cli(&words).await?;
    let now: Value = serde_json::from_str(&stage.hub.cli(&["policy", "show", TENANT, "--json"]).await?)?;
    ensure!(now["digest"] == shown.as_str(), "{shown} was shown, {now} was published");
    let said = "document.querySelector('#of-bakery')?.innerText.includes('Published as version')";
    browser.wait("the page to say so", said)?;
    browser.look("review-published")?;
    let (code, _, error) = stage.hub.cli_coded(&words).await?;
    ensure!(code == 1 && error.contains("no draft of that digest"), "twice: {code} {error}");
    Ok(())
}

/// Sets the text to what a script makes of it.
fn write(browser: &mut Chromium, made: &str) -> anyhow::Result<()> {
    let script =
        format!("{{ const source = document.querySelector('#source'); source.value = {made}; source.focus(); }}");
    browser.evaluate(&script).map(drop)
}

/// From the text by Tab to the button, then Enter.
fn submit_by_keyboard(browser: &mut Chromium) -> anyhow::Result<()> {
    browser.evaluate("document.querySelector('#source').focus()")?;
    for (key, code, number) in [("Tab", "Tab", 9), ("Enter", "Enter", 13)] {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            if kind == "char" && key == "Tab" {
                continue;
            }
            let text = if key == "Enter" && kind != "keyUp" { "\r" } else { "" };
            let pressed =
                json!({"type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text});
            browser.call("Input.dispatchKeyEvent", pressed)?;
        }
    }
    Ok(())
}
