use super::*;

fn budgets(json: &str) -> Vec<Budget> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn llm(json: &str) -> LlmConfig {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

const MODELS: &str = r#"{"providers":[],"models":[
    {"name":"a","provider":"p","upstream_model":"x","price":{"input":1,"output":1}},
    {"name":"b","provider":"p","upstream_model":"x"}]}"#;

#[test]
fn what_contradicts_itself_is_refused() {
    let office: AgentName = "office".parse().unwrap();
    for (text, why) in [
        (r#"[{"agent":"nobody","concurrent":1}]"#, "no such agent"),
        (r#"[{"agent":"office","concurrent":1},{"agent":"office","concurrent":2}]"#, "stands there twice"),
        (r#"[{"concurrent":1},{"concurrent":2}]"#, "stands there twice"),
        (r#"[{"agent":"office"}]"#, "limits nothing"),
        (r#"[{"limits":[{"window":"day"}]}]"#, "needs tokens or micros"),
        (r#"[{"limits":[{"window":"day","tokens":1},{"window":"day","micros":1}]}]"#, "one window"),
        (r#"[{"limits":[{"window":"day","tokens":1125899906842625}]}]"#, "at most 2^50"),
        (r#"[{"limits":[{"window":"day","micros":9007199254740993}]}]"#, "at most 2^50"),
        (r#"[{"requests_per_minute":0}]"#, "at least 1"),
        (r#"[{"tokens_per_minute":0}]"#, "at least 1"),
        (r#"[{"concurrent":0}]"#, "at least 1"),
        (r#"[{"brake":{}}]"#, "turns or repeats"),
        (r#"[{"brake":{"turns":0}}]"#, "at least 1 turn"),
        (r#"[{"brake":{"repeats":1}}]"#, "2 repeats"),
        (r#"[{"brake":{"turns":5,"minutes":0}}]"#, "1 to 1440"),
        (r#"[{"brake":{"turns":5,"minutes":1441}}]"#, "1 to 1440"),
        (r#"[{"concurrent":1,"contact":"a\nb"}]"#, "one line"),
        (r#"[{"concurrent":1,"contact":" "}]"#, "one line"),
    ] {
        let error = check(&budgets(text), [&office], &llm(MODELS)).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    for unknown in [r#"[{"limits":[{"window":"week","tokens":1}]}]"#, r#"[{"limit":[]}]"#, r#"[{"brake":{"turn":1}}]"#]
    {
        assert!(serde_json::from_str::<Vec<Budget>>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn money_needs_prices_and_prices_need_their_order() {
    let money = budgets(r#"[{"limits":[{"window":"month","micros":0}],"enforce":false}]"#);
    assert_eq!(
        check(&money, [], &llm(MODELS)),
        Ok(()),
        "a model without a price costs what its provider's dearest costs"
    );
    let tokens = budgets(r#"[{"limits":[{"window":"month","tokens":0}]}]"#);
    let bare = llm(r#"{"providers":[],"models":[{"name":"a","provider":"p","upstream_model":"x"}]}"#);
    assert_eq!(check(&tokens, [], &bare), Ok(()));
    assert!(check(&money, [], &bare).unwrap_err().to_string().contains("no price"));
    for (models, why) in [
        (r#""max_output":0"#, "max_output"),
        (
            r#""prices":[{"from":"2027-01-01","price":{"input":1,"output":1}},{"from":"2026-01-01","price":{"input":1,"output":1}}]"#,
            "order",
        ),
        (
            r#""prices":[{"from":"2027-01-01","price":{"input":1,"output":1}},{"from":"2027-01-01","price":{"input":2,"output":1}}]"#,
            "order",
        ),
    ] {
        let text =
            format!(r#"{{"providers":[],"models":[{{"name":"a","provider":"p","upstream_model":"x",{models}}}]}}"#);
        assert!(check(&[], [], &llm(&text)).unwrap_err().to_string().contains(why), "{models}");
    }
}

#[test]
fn json_and_back_with_what_is_meant_when_nothing_is_said() {
    let all = budgets(
        r#"[{"limits":[{"window":"hour","tokens":5},{"window":"month","micros":7}],"brake":{"turns":9}},
            {"agent":"office","enforce":false,"requests_per_minute":3,"contact":"Ada"}]"#,
    );
    assert!(all[0].enforce && !all[1].enforce);
    assert_eq!(all[0].brake, Some(Brake { turns: Some(9), minutes: 60, repeats: None }));
    let (office, other): (AgentName, AgentName) = ("office".parse().unwrap(), "other".parse().unwrap());
    assert!(all[0].covers(&office) && all[0].covers(&other) && all[1].covers(&office) && !all[1].covers(&other));
    let json = serde_json::to_string(&all).unwrap();
    assert!(!json.contains("null"), "{json}");
    assert_eq!(budgets(&json), all);
}

#[test]
fn windows_meet_without_a_gap() {
    for window in Window::ALL {
        // Over the end of a year, every quarter of an hour for three months.
        let mut at = Timestamp::of_date("2027-11-15").unwrap();
        for _ in 0..90 * 96 {
            let (start, end) = (window.start(at), window.end(at));
            assert!(start <= at && at < end, "{window} {at}");
            assert_eq!((window.start(end), window.end(start)), (end, end), "{window} {at}");
            at = Timestamp(at.millis() + 900_000);
        }
    }
}
