use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("agent.toml")).map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

#[test]
fn what_is_not_understood_is_refused() {
    for (text, says) in [
        ("stat_dir = \"/x\"", "unknown field `stat_dir`"),
        ("[hub]\ntoken = \"x\"", "unknown field `token`"),
        ("[llm]\nlisten = \"0.0.0.0:7400\"", "can be reached from other machines"),
        ("[proxy]\nlisten = \"0.0.0.0:7402\"", "can be reached from other machines"),
        ("[hooks]\nlisten = \"192.168.1.4:7401\"", "can be reached from other machines"),
        ("[hooks]\nlisten = \"[::]:7401\"", "can be reached from other machines"),
        ("[hub]\naddress = \"http://hub.example.com\"", "https"),
        ("[vault]\ncredential = \"../key\"", "plain file name"),
        ("[containers]\nengine = \"docker.sock\"", "absolute"),
        ("[containers]\nnetwork = \"host\"", "unknown field `network`"),
        ("[vault]\nkey_file = \"vault.key\"", "absolute"),
        ("state_dir = \"state\"", "absolute"),
        ("[link]\naway_after_seconds = -1", "invalid value"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn the_commented_default_file_is_the_default() {
    assert_eq!(parse(DEFAULT_FILE).expect("valid"), Config::default());
    assert_eq!(parse("").expect("valid"), Config::default());
}

#[test]
fn every_commented_setting_of_the_default_file_is_known() {
    let all: String = DEFAULT_FILE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(line))
        .fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        });
    let config = parse(&all).expect("valid");
    assert!(
        config.hub.address.is_some()
            && config.llm.upstream_ca_file.is_some()
            && config.proxy.upstream_ca_file.is_some()
            && config.vault.credential.is_some()
    );
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = Config::load(Path::new("/nowhere/agent.toml")).expect_err("no file");
    assert!(error.to_string().contains("--config"), "{error}");
}
