//! The peers: gateways that can be installed, fetched on first use into the target folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// With the versions that everybody measures.
const LITELLM: &str = "litellm[proxy]==1.106.2";
const LITER: (&str, &str) = ("liter-llm-cli", "2.4.4");

/// A gateway that can be started.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    pub(crate) headers: Vec<(String, String)>,
}

/// All of them by name; each is fetched and configured when it is asked for.
pub(crate) const NAMES: [&str; 3] = ["nginx", "liter-llm", "litellm"];

/// Fetches what is missing below `target` and writes its configuration into `folder`.
pub(crate) fn prepare(
    name: &str,
    target: &Path,
    folder: &Path,
    listen: SocketAddr,
    provider: SocketAddr,
) -> anyhow::Result<Peer> {
    fs::create_dir_all(target)?;
    match name {
        "nginx" => nginx(target, folder, listen, provider),
        "liter-llm" => liter(target, folder, listen, provider),
        _ => litellm(target, folder, listen, provider),
    }
}

/// That of the system, or else Debian's package, unpacked without installing it.
fn nginx(target: &Path, folder: &Path, listen: SocketAddr, provider: SocketAddr) -> anyhow::Result<Peer> {
    let runs = |program: &Path| Command::new(program).arg("-v").output().is_ok_and(|out| out.status.success());
    let unpacked = target.join("nginx");
    let places = [PathBuf::from("nginx"), PathBuf::from("/usr/sbin/nginx"), unpacked.join("root/usr/sbin/nginx")];
    if !places.iter().any(|place| runs(place)) {
        fs::create_dir_all(&unpacked)?;
        fetching("nginx", "the package of the system, by apt-get download");
        must(Command::new("apt-get").args(["download", "-q", "nginx"]).current_dir(&unpacked))?;
        let package = fs::read_dir(&unpacked)?.filter_map(|entry| Some(entry.ok()?.path()));
        let package =
            package.into_iter().find(|path| path.extension().is_some_and(|e| e == "deb")).context("a package")?;
        must(Command::new("dpkg-deb").arg("-x").arg(package).arg(unpacked.join("root")))?;
    }
    let program = places.iter().find(|place| runs(place)).context("nginx does not run")?;
    let work = folder.join("nginx");
    fs::create_dir_all(&work)?;
    let at = work.display();
    let file = work.join("nginx.conf");
    let text = format!(
        "worker_processes 1; daemon off; pid {at}/pid; error_log {at}/error.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off; client_max_body_size 32m; client_body_buffer_size 2m; keepalive_requests 1000000;\n  \
         client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n  \
         upstream provider {{ server {provider}; keepalive 128; keepalive_requests 1000000; }}\n  \
         server {{ listen {listen}; location / {{ proxy_pass http://provider; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_buffering off; }} }}\n}}\n"
    );
    fs::write(&file, text)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file).arg("-p").arg(&work);
    Ok(Peer { name: "nginx", command, headers: Vec::new() })
}

/// The gateway in Rust.
fn liter(target: &Path, folder: &Path, listen: SocketAddr, provider: SocketAddr) -> anyhow::Result<Peer> {
    let root = target.join("liter-llm");
    let program = root.join("bin/liter-llm");
    if !program.exists() {
        let (name, version) = LITER;
        fetching(name, &format!("{version}, by cargo install; it takes some twenty minutes on two cores"));
        let mut install = Command::new(env!("CARGO"));
        install.args(["install", "--quiet", "--locked", "--version", version, name, "--root"]).arg(&root);
        must(install.arg("--target-dir").arg(root.join("build")))?;
        // It is of no more use; a build that failed goes on there.
        fs::remove_dir_all(root.join("build"))?;
    }
    let file = folder.join("liter-llm.toml");
    let text = format!(
        "[server]\nhost = \"{}\"\nport = {}\n[general]\nmaster_key = \"bench-key\"\n[security]\noutbound_policy = \"off\"\n\
         [[models]]\nname = \"mock\"\nprovider_model = \"openai/mock\"\napi_key = \"sk-not-a-key\"\nbase_url = \"http://{provider}/v1\"\n",
        listen.ip(),
        listen.port()
    );
    fs::write(&file, text)?;
    let mut command = Command::new(program);
    command.args(["api", "-c"]).arg(file).args(["--host", "127.0.0.1", "-p", &listen.port().to_string()]);
    let headers = vec![("authorization".to_owned(), "Bearer bench-key".to_owned())];
    Ok(Peer { name: "liter-llm", command, headers })
}

/// The gateway in Python that most know; one worker, no database, no keys.
fn litellm(target: &Path, folder: &Path, listen: SocketAddr, provider: SocketAddr) -> anyhow::Result<Peer> {
    let venv = target.join("litellm");
    if !venv.join("ready").exists() {
        fetching(LITELLM, "by pip, into a folder of its own; some 600 MB");
        // What a fetch that was broken off has left may be half a package.
        must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/python"));
        must(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", LITELLM]))?;
        fs::write(venv.join("ready"), LITELLM)?;
    }
    let file = folder.join("litellm.yaml");
    let text = format!(
        "model_list:\n  - model_name: mock\n    litellm_params: {{model: openai/mock, api_base: \"http://{provider}/v1\", api_key: sk-not-a-key}}\n\
         litellm_settings: {{telemetry: false, request_timeout: 30}}\n\
         general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}\n"
    );
    fs::write(&file, text)?;
    let mut command = Command::new(venv.join("bin/litellm"));
    command.arg("--config").arg(file).args(["--host", "127.0.0.1", "--port", &listen.port().to_string()]);
    command.args(["--num_workers", "1", "--telemetry", "False"]);
    command.envs([("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("LITELLM_MODE", "PRODUCTION"), ("LITELLM_LOG", "ERROR")]);
    command.env("NO_PROXY", "127.0.0.1");
    Ok(Peer { name: "litellm", command, headers: Vec::new() })
}

/// Says what takes so long.
fn fetching(what: &str, how: &str) {
    eprintln!("fetching {what}: {how}");
}

/// Runs it; what it said last is why it failed.
fn must(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
    anyhow::ensure!(output.status.success(), "{}: {last}", command.get_program().display());
    Ok(())
}
