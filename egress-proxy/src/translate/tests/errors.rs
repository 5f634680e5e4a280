use super::*;

fn told(provider: Dialect, status: u16, body: &str) -> (u16, String) {
    let caller = if provider == Dialect::OpenAi { Dialect::Anthropic } else { Dialect::OpenAi };
    let (status, body) =
        super::super::error(provider, caller, status, &Bytes::copy_from_slice(body.as_bytes()), &stamp());
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn errors_of_anthropic_for_an_openai_client() {
    for (status, kind, want_status, want_type, want_code) in [
        (400, "invalid_request_error", 400, "invalid_request_error", "null"),
        (401, "authentication_error", 401, "invalid_request_error", "\"invalid_api_key\""),
        (402, "billing_error", 402, "insufficient_quota", "\"insufficient_quota\""),
        (403, "permission_error", 403, "invalid_request_error", "\"permission_denied\""),
        (404, "not_found_error", 404, "invalid_request_error", "\"not_found\""),
        (409, "conflict_error", 409, "invalid_request_error", "\"conflict\""),
        (413, "request_too_large", 413, "invalid_request_error", "\"request_too_large\""),
        (429, "rate_limit_error", 429, "rate_limit_error", "\"rate_limit_exceeded\""),
        (500, "api_error", 500, "server_error", "null"),
        (504, "timeout_error", 504, "server_error", "\"timeout\""),
        (529, "overloaded_error", 503, "server_error", "\"server_is_overloaded\""),
        // A kind that nobody knows yet goes by its status.
        (429, "new_error", 429, "rate_limit_error", "\"rate_limit_exceeded\""),
    ] {
        let body =
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"a \u00e9 b"}},"request_id":"req_1"}}"#);
        let want =
            format!(r#"{{"error":{{"message":"a \u00e9 b","type":"{want_type}","param":null,"code":{want_code}}}}}"#);
        assert_eq!(told(Dialect::Anthropic, status, &body), (want_status, want), "{kind}");
    }
    let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#;
    assert!(told(Dialect::Anthropic, 400, long).1.contains(r#""code":"context_length_exceeded""#));
}

#[test]
fn errors_of_openai_for_an_anthropic_client() {
    for (status, error, want_status, want_type) in [
        (400, r#""type":"invalid_request_error","code":null"#, 400, "invalid_request_error"),
        (401, r#""type":"invalid_request_error","code":"invalid_api_key""#, 401, "authentication_error"),
        (403, r#""type":"request_forbidden","code":"unsupported_country""#, 403, "permission_error"),
        (404, r#""type":"invalid_request_error","code":"model_not_found""#, 404, "not_found_error"),
        (422, r#""type":"invalid_request_error""#, 422, "invalid_request_error"),
        (429, r#""type":"tokens","code":"rate_limit_exceeded""#, 429, "rate_limit_error"),
        (429, r#""type":"insufficient_quota","code":"insufficient_quota""#, 429, "billing_error"),
        (500, r#""type":"server_error","code":null"#, 500, "api_error"),
        (502, r#""code":502"#, 502, "api_error"),
        (503, r#""type":"service_unavailable_error","code":"slow_down""#, 529, "overloaded_error"),
    ] {
        let body = format!(r#"{{"error":{{"message":"a \u00e9 b","param":null,{error}}}}}"#);
        let want = format!(
            r#"{{"type":"error","error":{{"type":"{want_type}","message":"a \u00e9 b"}},"request_id":"wk-1"}}"#
        );
        assert_eq!(told(Dialect::OpenAi, status, &body), (want_status, want), "{error}");
    }
}

#[test]
fn a_prompt_that_does_not_fit_is_told_in_the_words_that_clients_know() {
    let body = r#"{"error":{"message":"This model's maximum context length is 8 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    assert_eq!(
        told(Dialect::OpenAi, 400, body).1,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: This model's maximum context length is 8 tokens."},"request_id":"wk-1"}"#
    );
}

#[test]
fn whatever_was_answered_there_is_a_document() {
    for (provider, body, want) in [
        (Dialect::OpenAi, r#"{"error":"no such model"}"#, "no such model"),
        (Dialect::OpenAi, r#"{"object":"error","message":"wrong","type":"x","code":3000}"#, "wrong"),
        (Dialect::OpenAi, r#"{"detail":"Not Found"}"#, "Not Found"),
        (Dialect::OpenAi, r#"{"error":7}"#, "did not say which"),
        (Dialect::OpenAi, "<html>gateway</html>", "The provider answered with status 404."),
        (Dialect::OpenAi, "", "The provider answered with status 404."),
        (Dialect::OpenAi, r#"{"error":{"message":1},"error":{}}"#, "The provider answered with status 404."),
        (Dialect::Anthropic, r#"{"type":"error"}"#, "did not say which"),
        (Dialect::Anthropic, r#"{"type":"error","error":[]}"#, "did not say which"),
        (Dialect::Anthropic, "not json", "The provider answered with status 404."),
    ] {
        let (status, told) = told(provider, 404, body);
        let told: Value = serde_json::from_str(&told).expect(body);
        assert!(told["error"]["message"].as_str().unwrap().contains(want), "{body} {told}");
        assert_eq!(status, 404);
        let kind = &told["error"]["type"];
        assert_eq!(
            kind,
            if provider == Dialect::OpenAi { "not_found_error" } else { "invalid_request_error" },
            "{body}"
        );
    }
}
