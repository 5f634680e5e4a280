//! Where a request goes.

use wardkeep_policy::Dialect;

use super::super::*;

#[test]
fn only_https_or_loopback() {
    for bad in [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "ftp://127.0.0.1",
        "https://user:pass@api.example.com",
        "http://127.0.0.1@api.example.com",
        "https://api.example.com/?x=1",
        "api.example.com",
        "/v1",
        "",
    ] {
        assert_eq!(Upstream::parse(bad, "/v1/messages", None), Err(BadAddress), "{bad}");
    }
}

#[test]
fn the_endpoint_is_joined_once() {
    for (base, uri, host, port) in [
        ("https://API.example.com", "https://API.example.com/v1/messages", "api.example.com", 443),
        ("https://api.example.com/v1/", "https://api.example.com/v1/messages", "api.example.com", 443),
        (
            "https://api.example.com:8443/llm/v1",
            "https://api.example.com:8443/llm/v1/messages",
            "api.example.com",
            8443,
        ),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9/v1/messages", "127.0.0.1", 9),
        ("http://[::1]", "http://[::1]/v1/messages", "::1", 80),
    ] {
        let upstream = Upstream::parse(base, "/v1/messages", None).expect(base);
        assert_eq!((upstream.uri.to_string().as_str(), upstream.host.as_str(), upstream.port), (uri, host, port));
    }
    let upstream = Upstream::parse("https://a.example", "/v1/messages", Some("beta=true")).expect("valid");
    assert_eq!(upstream.uri.to_string(), "https://a.example/v1/messages?beta=true");
}

#[test]
fn a_provider_says_where_its_endpoints_are() {
    let mut provider = Provider::new("p", Dialect::Anthropic, "https://a.example/v1", None);
    let uri = |provider: &Provider, endpoint, query| {
        Upstream::of(provider, endpoint, "a.b-v1:0", query)
            .map(|upstream| upstream.uri.to_string())
            .map_err(|r| r.code())
    };
    let streamed = Endpoint::MessagesStream;
    assert_eq!(uri(&provider, streamed, None).as_deref(), Ok("https://a.example/v1/messages"));
    assert_eq!(uri(&provider, Endpoint::Responses, None), Err("not-served"));
    provider.paths = [(streamed, "/model/{model}/stream".to_owned())].into();
    provider.query = [("api-version".to_owned(), "1".to_owned())].into();
    let asked = Some("beta=true&key=wka_x&api-version=2&k%65y=wka_y&access_token=z&alt=sse");
    let want = "https://a.example/v1/model/a.b-v1%3A0/stream?beta=true&alt=sse&api-version=1";
    assert_eq!(uri(&provider, streamed, asked).as_deref(), Ok(want));
    assert_eq!(
        uri(&provider, Endpoint::Messages, Some("key=wka_x")).as_deref(),
        Ok("https://a.example/v1/messages?api-version=1")
    );
    let google = Provider::new("g", Dialect::Gemini, "https://g.example/v1beta/", None);
    let want = "https://g.example/v1beta/models/a.b-v1%3A0:generateContent";
    assert_eq!(uri(&google, Endpoint::GenerateContent, None).as_deref(), Ok(want));
    let azure = Provider {
        paths: [(Endpoint::Responses, "/openai/v1/responses".to_owned())].into(),
        ..Provider::new("z", Dialect::OpenAi, "https://z.example/openai", None)
    };
    assert_eq!(uri(&azure, Endpoint::Responses, None).as_deref(), Ok("https://z.example/openai/v1/responses"));
}
