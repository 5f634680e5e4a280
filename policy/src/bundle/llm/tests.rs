use super::*;

fn name(text: &str) -> SecretName {
    text.parse().expect("a name")
}

/// A provider as bundles of the first format have it.
const OLD: &str =
    r#"{"base_url":"https://api.anthropic.com","dialect":"anthropic","key":"anthropic_api_key","name":"anthropic"}"#;

fn draft(text: &str) -> Result<Provider, String> {
    let draft: ProviderDraft = toml::from_str(text).map_err(|error| error.to_string())?;
    draft.resolve().map_err(|error| error.to_string())
}

fn checked(text: &str) -> Result<Provider, String> {
    let provider = draft(text)?;
    let llm = LlmConfig { providers: vec![provider.clone()], models: Vec::new(), ..LlmConfig::default() };
    llm.check().map_err(|error| error.to_string()).map(|()| provider)
}

#[test]
fn a_provider_of_the_first_format_keeps_its_bytes() {
    let provider: Provider = serde_json::from_str(OLD).expect("it reads");
    let key = Some(name("anthropic_api_key"));
    assert_eq!(provider, Provider::new("anthropic", Dialect::Anthropic, "https://api.anthropic.com", key));
    let canonical = serde_json_canonicalizer::to_vec(&provider).expect("JSON");
    assert_eq!(String::from_utf8(canonical).expect("UTF-8"), OLD);
    assert_eq!(provider.auth(), Auth::XApiKey);
}

#[test]
fn a_provider_with_everything_survives_json() {
    let text = r#"
        name = "b"
        kind = "bedrock"
        headers = { x-team = "office" }
        query = { trace = "1" }
        auth = { sigv4 = { region = "eu-central-1", access_key_id = "aws_id", secret_access_key = "aws_secret", session_token = "aws_session" } }
    "#;
    let provider = checked(text).expect("sound");
    let json = serde_json_canonicalizer::to_vec(&provider).expect("JSON");
    assert_eq!(serde_json::from_slice::<Provider>(&json).expect("it reads"), provider);
    assert_eq!(provider.base_url, "https://bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(provider.path(Endpoint::MessagesStream), Some("/model/{model}/invoke-with-response-stream"));
    assert_eq!(provider.path(Endpoint::MessagesCountTokens), None, "Bedrock does not count by this address");
    assert!(provider.body.add.contains_key("anthropic_version") && provider.framing == Framing::AwsEventStream);
}

#[test]
fn every_kind_becomes_a_sound_provider() {
    for (kind, preset) in presets() {
        let more = match kind.as_str() {
            "azure" => "key = \"k\"\nbase_url = \"https://office.openai.azure.com\"",
            "azure-deployments" => {
                "key = \"k\"\nbase_url = \"https://office.openai.azure.com\"\nquery = { api-version = \"2024-10-21\" }"
            }
            "bedrock" | "bedrock-openai" => {
                "auth = { sigv4 = { region = \"eu-central-1\", access_key_id = \"a\", secret_access_key = \"b\" } }"
            }
            "openai-compatible" => "key = \"k\"\nbase_url = \"https://llm.example.com/v1\"",
            "ollama" => "",
            _ => "key = \"k\"",
        };
        let provider = checked(&format!("name = \"p\"\nkind = {kind:?}\n{more}")).expect(kind);
        assert_eq!(provider.dialect, preset.dialect, "{kind}");
        assert!(preset.source.starts_with("https://"), "{kind}");
        assert!(Endpoint::ALL.into_iter().any(|endpoint| provider.path(endpoint).is_some()), "{kind}");
    }
    for kind in
        ["anthropic", "openai", "google", "openrouter", "azure", "bedrock", "mistral", "groq", "deepseek", "ollama"]
    {
        assert!(presets().contains_key(kind), "{kind}");
    }
}

#[test]
fn what_a_person_writes_beats_the_kind() {
    let provider = checked(
        "name = \"p\"\nkind = \"groq\"\nkey = \"k\"\nbase_url = \"https://proxy.example.com\"\nendpoints = [\"embeddings\"]",
    )
    .expect("sound");
    assert_eq!(provider.base_url, "https://proxy.example.com");
    assert_eq!(
        (provider.path(Endpoint::Embeddings), provider.path(Endpoint::Responses)),
        (Some("/v1/embeddings"), None)
    );
}

#[test]
fn mistakes_are_named_with_what_to_do() {
    const SOUND: &str = "dialect = \"openai\"\nbase_url = \"https://a.example\"\nkey = \"k\"\n";
    checked(&format!("name = \"p\"\n{SOUND}")).expect("sound");
    for (text, says) in [
        ("kind = \"antropic\"\nkey = \"k\"", "use one of anthropic"),
        ("base_url = \"https://a.example\"\nkey = \"k\"", "lacks a dialect"),
        ("dialect = \"openai\"\nkey = \"k\"", "lacks a base_url"),
        ("kind = \"azure\"\nkey = \"k\"", "needs base_url"),
        ("kind = \"azure-deployments\"\nkey = \"k\"\nbase_url = \"https://a.example\"", "api-version"),
        ("kind = \"bedrock\"\nkey = \"k\"", "needs auth"),
        ("kind = \"openai\"", "key is missing"),
        ("kind = \"ollama\"\nkey = \"k\"", "remove key k"),
        ("kind = \"openai\"\nkey = \"k\"\nkeys = [\"k\"]", "twice"),
        ("kind = \"openai\"\nkey = \"sk-Not-A-Name\"", "1 to 64 of a-z"),
        ("kind = \"openai\"\nkey = \"k\"\nbase_url = \"http://a.example\"", "must be https"),
        ("kind = \"openai\"\nkey = \"k\"\nbase_url = \"https://u:p@a.example\"", "user or a password"),
        ("kind = \"openai\"\nkey = \"k\"\nbase_url = \"https://a.example/?a=b\"", "query = {"),
        ("kind = \"openai\"\nkey = \"k\"\nheaders = { authorization = \"x\" }", "by the gateway itself"),
        ("kind = \"openai\"\nkey = \"k\"\nheaders = { X-Title = \"x\" }", "lower case"),
        ("kind = \"openai\"\nkey = \"k\"\nheaders = { x-title = \"a\\nb\" }", "visible ASCII"),
        ("kind = \"google\"\nkey = \"k\"\nquery = { key = \"x\" }", "never written into an address"),
        ("kind = \"openai\"\nkey = \"k\"\nquery = { a = \"b&c=d\" }", "letters, digits"),
        ("kind = \"openai\"\nkey = \"k\"\nendpoints = [\"messages\"]", "another dialect"),
        ("kind = \"openai\"\nkey = \"k\"\npaths = { chat_completions = \"/../x\" }", "must begin with /"),
        ("kind = \"openai\"\nkey = \"k\"\npaths = { chat_completions = \"/x?{model}\" }", "must begin with /"),
        ("kind = \"openai\"\nkey = \"k\"\nbody = { add = { a = \"1\" }, omit = [\"a\"] }", "decide for one"),
        ("kind = \"openai\"\nkey = \"k\"\nbody = { add = { model = \"1\" } }", "upstream_model"),
        ("kind = \"openai\"\nkey = \"k\"\npassword = \"x\"", "password"),
        (
            "kind = \"bedrock\"\nkey = \"k\"\nauth = { sigv4 = { region = \"eu-central-1\", access_key_id = \"a\", secret_access_key = \"b\" } }",
            "remove key k",
        ),
        (
            "kind = \"bedrock\"\nauth = { sigv4 = { region = \"evil.example/\", access_key_id = \"a\", secret_access_key = \"b\" } }",
            "words like",
        ),
    ] {
        let refused = checked(&format!("name = \"p\"\n{text}")).expect_err(text);
        assert!(refused.contains(says), "{text}: {refused}");
    }
}

#[test]
fn names_that_lead_nowhere_are_refused() {
    let provider =
        |name: &str| Provider::new(name, Dialect::OpenAi, "https://a.example", Some("k".parse().expect("a name")));
    let model = |name: &str, provider: &str| Model {
        name: name.to_owned(),
        provider: provider.to_owned(),
        upstream_model: "up".to_owned(),
        price: None,
        prices: Vec::new(),
        max_output: None,
    };
    let refused = |providers, models| {
        LlmConfig { providers, models, ..LlmConfig::default() }.check().map_err(|error| error.to_string())
    };
    refused(vec![provider("a")], vec![model("m", "a")]).expect("sound");
    for (providers, models, says) in [
        (vec![provider("a"), provider("a")], vec![], "provider \"a\" stands there twice"),
        (vec![provider("a")], vec![model("m", "a"), model("m", "a")], "model \"m\" stands there twice"),
        (vec![provider("a")], vec![model("m", "b")], "names provider \"b\""),
        (vec![provider("a")], vec![model("m\n", "a")], "on one line"),
    ] {
        let refused = refused(providers, models).expect_err(says);
        assert!(refused.contains(says), "{refused}");
    }
}

fn routed(route: &str) -> Result<LlmConfig, String> {
    let text = format!(
        r#"{{"providers":[{{"name":"p","dialect":"openai","base_url":"https://a.example","key":"k"}}],
            "models":[{{"name":"m","provider":"p","upstream_model":"up"}},{{"name":"n","provider":"p","upstream_model":"up"}}],
            "routes":[{route}]}}"#
    );
    let llm: LlmConfig = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    llm.check().map_err(|error| error.to_string()).map(|()| llm)
}

#[test]
fn a_route_is_short_where_nothing_is_special_and_survives_json() {
    let llm = routed(r#"{"name":"r","targets":[{"model":"m"},{"model":"n"}]}"#).expect("sound");
    let canonical = String::from_utf8(serde_json_canonicalizer::to_vec(&llm.routes[0]).expect("JSON")).expect("UTF-8");
    assert_eq!(canonical, r#"{"name":"r","targets":[{"model":"m"},{"model":"n"}]}"#);
    let names = |name: &'static str| llm.answering(name).map(|model| model.name.as_str()).collect::<Vec<_>>();
    assert_eq!((names("r"), names("n"), names("x")), (vec!["m", "n"], vec!["n"], vec![]));
    let whole = r#"{"name":"r","order":"weighted","retry":{"attempts":3,"base_ms":1,"most_ms":2,"percent":5,"rounds":1,"within_s":9},"targets":[{"model":"m","weight":3}]}"#;
    let llm = routed(whole).expect("sound");
    let canonical = serde_json_canonicalizer::to_vec(&llm.routes[0]).expect("JSON");
    assert_eq!(String::from_utf8(canonical).expect("UTF-8"), whole);
    let without = LlmConfig { routes: Vec::new(), ..llm };
    assert!(!serde_json::to_string(&without).expect("JSON").contains("routes"), "an older bundle keeps its bytes");
}

#[test]
fn mistakes_in_routes_are_named() {
    for (route, says) in [
        (r#"{"name":"r","targets":[]}"#, "1 to 16 targets"),
        (r#"{"name":"r","targets":[{"model":"x"}]}"#, "names model \"x\", which is not there"),
        (r#"{"name":"r","targets":[{"model":"r"}]}"#, "names model \"r\", which is not there"),
        (r#"{"name":"m","targets":[{"model":"n"}]}"#, "model \"m\" stands there twice"),
        (r#"{"name":"","targets":[{"model":"n"}]}"#, "text on one line"),
        (r#"{"name":"r","targets":[{"model":"m"},{"model":"m"}]}"#, "a target stands there twice"),
        (r#"{"name":"r","order":"weighted","targets":[{"model":"m","weight":0}]}"#, "a weight is 1"),
        (r#"{"name":"r","targets":[{"model":"m","weight":2}]}"#, "only with order"),
        (r#"{"name":"r","order":"dearest","targets":[{"model":"m"}]}"#, "dearest"),
        (r#"{"name":"r","targets":[{"model":"m"}],"retry":{"attempts":0}}"#, "attempts is 1 to 20"),
        (r#"{"name":"r","targets":[{"model":"m"}],"retry":{"rounds":11}}"#, "rounds 1 to 10"),
        (r#"{"name":"r","targets":[{"model":"m"}],"retry":{"base_ms":9,"most_ms":8}}"#, "base_ms at most most_ms"),
        (r#"{"name":"r","targets":[{"model":"m"}],"retry":{"percent":101}}"#, "percent is 0 to 100"),
        (r#"{"name":"r","targets":[{"model":"m"}],"retry":{"tries":1}}"#, "tries"),
    ] {
        let refused = routed(route).expect_err(route);
        assert!(refused.contains(says), "{route}: {refused}");
    }
}

#[test]
fn how_a_provider_is_waited_for_is_bounded() {
    let with = |more: &str| checked(&format!("name = \"p\"\nkind = \"openai\"\nkey = \"k\"\n{more}"));
    let all = "breaker = { failures = 3, percent = 50, of = 10, rest_s = 60 }\ncooldown = { limited_s = 5, rejected_s = 9 }\nwaits = { connect_ms = 2000, first_byte_ms = 30000, idle_ms = 60000 }";
    let provider = with(all).expect("sound");
    let json = serde_json_canonicalizer::to_vec(&provider).expect("JSON");
    assert_eq!(serde_json::from_slice::<Provider>(&json).expect("it reads"), provider);
    assert_eq!(provider.waits.idle_ms, Some(60_000));
    for (more, says) in [
        ("breaker = { failures = 0 }", "failures is at least 1"),
        ("breaker = { percent = 0 }", "percent 1 to 100"),
        ("breaker = { of = 65 }", "of 5 to 64"),
        ("breaker = { rest_s = 3601 }", "rest_s is 1 to 3600"),
        ("cooldown = { limited_s = 0 }", "1 to 86400"),
        ("waits = { connect_ms = 60001 }", "connect_ms is 1 to 60000"),
        ("waits = { idle_ms = 0 }", "idle_ms 1 to 900000"),
        ("waits = { idle_s = 1 }", "idle_s"),
    ] {
        let refused = with(more).expect_err(more);
        assert!(refused.contains(says), "{more}: {refused}");
    }
}
