//! A Chromium that is told what to do over its debugging pipe, with an authenticator of its own.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

/// Names under which distributions have it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// How long a page may take to become what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One browser with one page.
pub(crate) struct Chromium {
    child: Child,
    to: File,
    from: BufReader<File>,
    calls: u64,
    page: String,
    shots: PathBuf,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Of the window.
    pub(crate) width: u32,
    /// What the system is set to.
    pub(crate) dark: bool,
}

impl Chromium {
    /// Starts it; what it keeps and the pictures it takes are below `folder`.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let (inward, outward) = (folder.join("to-browser"), folder.join("from-browser"));
        for pipe in [&inward, &outward] {
            mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        // The browser wants its pipes under fixed numbers, which a shell gives without unsafe code.
        let script = "program=$1 inward=$2 outward=$3; shift 3; exec \"$program\" \"$@\" 3<\"$inward\" 4>\"$outward\"";
        let child = Command::new("sh")
            .args(["-c", script, "sh", found()?])
            .args([&inward, &outward])
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--remote-debugging-pipe", "--hide-scrollbars", "--lang=en"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("browser.log"))?)
            .spawn()
            .context("start the browser")?;
        let to = OpenOptions::new().write(true).open(&inward)?;
        let from = BufReader::new(File::open(&outward)?);
        let shots = folder.join("pictures");
        std::fs::create_dir_all(&shots)?;
        let mut browser = Self { child, to, from, calls: 0, page: String::new(), shots };
        let target = browser.send(None, "Target.createTarget", json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.send(None, "Target.attachToTarget", attach)?;
        browser.page = attached["sessionId"].as_str().context("a session")?.to_owned();
        browser.call("Page.enable", json!({}))?;
        browser.call("WebAuthn.enable", json!({}))?;
        Ok(browser)
    }

    /// One command to the page.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let page = self.page.clone();
        self.send(Some(&page), method, params)
    }

    fn send(&mut self, session: Option<&str>, method: &str, params: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.to.write_all(&bytes)?;
        loop {
            let mut bytes = Vec::new();
            ensure!(self.from.read_until(0, &mut bytes)? > 0, "the browser is gone; see browser.log");
            bytes.pop();
            let mut answer: Value = serde_json::from_slice(&bytes)?;
            if answer["id"] != self.calls {
                continue;
            }
            ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
            return Ok(answer["result"].take());
        }
    }

    /// An authenticator that does as it is told; answers its name.
    pub(crate) fn add_authenticator(&mut self, transport: &str) -> anyhow::Result<String> {
        let options = json!({
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": transport, "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
        });
        let added = self.call("WebAuthn.addVirtualAuthenticator", json!({"options": options}))?;
        Ok(added["authenticatorId"].as_str().context("an authenticator")?.to_owned())
    }

    /// Whether its person is recognised from now on.
    pub(crate) fn set_verified(&mut self, authenticator: &str, verified: bool) -> anyhow::Result<()> {
        let params = json!({"authenticatorId": authenticator, "isUserVerified": verified});
        self.call("WebAuthn.setUserVerified", params).map(drop)
    }

    /// Opens an address and waits for the page.
    pub(crate) fn open(&mut self, address: &str) -> anyhow::Result<()> {
        self.call("Page.navigate", json!({"url": address}))?;
        self.wait(
            &format!("{address} to be open"),
            "document.readyState === 'complete' && location.href !== 'about:blank'",
        )
    }

    /// What a script gives on the page.
    pub(crate) fn evaluate(&mut self, script: &str) -> anyhow::Result<Value> {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let mut answer = self.call("Runtime.evaluate", params)?;
        ensure!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a script gives true.
    pub(crate) fn wait(&mut self, what: &str, script: &str) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            // While a page goes and another comes, there is nowhere to ask.
            if self.evaluate(script).is_ok_and(|value| value == true) {
                return Ok(());
            }
            if Instant::now() > end {
                let text = self.evaluate("location.href + '\\n' + document.body.innerText")?;
                bail!("waited in vain for {what}; the page is {text}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The text of the first element that fits.
    pub(crate) fn text(&mut self, selector: &str) -> anyhow::Result<String> {
        let value = self.evaluate(&format!("document.querySelector({})?.innerText ?? null", json!(selector)))?;
        Ok(value.as_str().with_context(|| format!("nothing is {selector}"))?.trim().to_owned())
    }

    /// Clicks the first element that fits.
    pub(crate) fn click(&mut self, selector: &str) -> anyhow::Result<()> {
        self.evaluate(&format!("document.querySelector({}).click()", json!(selector))).map(drop)
    }

    /// Takes pictures as phones and desks see it, by day and by night; fails where something is wider than the window.
    pub(crate) fn look(&mut self, name: &str) -> anyhow::Result<()> {
        for width in [390, 1280] {
            for dark in [false, true] {
                self.picture(name, Look { width, dark })?;
            }
        }
        self.call("Emulation.clearDeviceMetricsOverride", json!({})).map(drop)
    }

    fn picture(&mut self, name: &str, Look { width, dark }: Look) -> anyhow::Result<()> {
        let metrics = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 700});
        self.call("Emulation.setDeviceMetricsOverride", metrics)?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}))?;
        let wide = self.evaluate("document.documentElement.scrollWidth")?.as_u64().unwrap_or(0);
        ensure!(wide <= u64::from(width), "{name} is {wide} px wide in a window of {width}");
        let taken = self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}))?;
        let bytes = data_encoding::BASE64.decode(taken["data"].as_str().context("a picture")?.as_bytes())?;
        std::fs::write(self.shots.join(format!("{name}-{width}-{scheme}.png")), bytes)?;
        Ok(())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn found() -> anyhow::Result<&'static str> {
    let there = |name: &&str| {
        let folders = ["/usr/bin", "/usr/local/bin", "/opt/google/chrome", "/snap/bin"];
        folders.iter().any(|folder| Path::new(folder).join(name).exists())
    };
    NAMES.into_iter().find(there).context("no Chromium is installed; `apt-get install chromium` brings one")
}
