use super::*;

/// Facts of AWS's published test suite ("aws-sig-v4-test-suite", 2015): one moment, one scope, one pair of keys.
const MOMENT: &str = "20150830T123600Z";

fn signer(session_token: Option<&str>) -> Signer {
    let secret = |text: &str| SecretValue::new(text.to_owned());
    Signer {
        access_key_id: secret("AKIDEXAMPLE"),
        secret_access_key: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: session_token.map(secret),
        region: "us-east-1".to_owned(),
        service: "service".to_owned(),
    }
}

#[test]
fn the_published_signatures_come_out() {
    let form = &[("content-type", "application/x-www-form-urlencoded")][..];
    let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
    let with_token = &[("x-amz-security-token", token)][..];
    for (name, method, path, query, more, body, signature) in [
        (
            "get-vanilla",
            "GET",
            "/",
            "",
            &[][..],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/",
            "Param2=value2&Param1=value1",
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-utf8-query",
            "GET",
            "/",
            "\u{1234}=bar",
            &[],
            "",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "get-utf8",
            "GET",
            "/\u{1234}",
            "",
            &[],
            "",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "get-space",
            "GET",
            "/example space/",
            "",
            &[],
            "",
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
        ),
        ("post-vanilla", "POST", "/", "", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            "",
            form,
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "post-sts-header-before",
            "POST",
            "/",
            "",
            with_token,
            "",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "example.amazonaws.com"), ("x-amz-date", MOMENT)].iter().chain(more) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let value = signer(None).authorization(method, path, query, &headers, body.as_bytes(), MOMENT);
        let (credential, found) = value.split_once(", Signature=").expect("a signature");
        assert!(
            credential.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "),
            "{name}"
        );
        assert_eq!(found, signature, "{name}");
    }
}

#[test]
fn a_request_is_signed_as_it_goes_out() {
    let to =
        Upstream::parse("https://bedrock-runtime.eu-central-1.amazonaws.com:8443", "/model/a.b-v1%3A0/invoke", None)
            .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("x"));
    signer(Some("session")).sign("POST", &to, &mut headers, b"{}", Timestamp(1_440_938_160_000)).unwrap();
    assert_eq!(headers["host"], "bedrock-runtime.eu-central-1.amazonaws.com:8443");
    assert_eq!(
        (headers["x-amz-date"].to_str().unwrap(), &headers["x-amz-security-token"]),
        (MOMENT, &HeaderValue::from_static("session"))
    );
    let value = headers["authorization"].to_str().unwrap();
    assert!(value.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "), "{value}");
    assert!(headers["authorization"].is_sensitive());
    // What the service reads of the path is encoded once more for the signature.
    let (canonical, _) = canonical("POST", to.uri.path(), "", &headers, b"{}");
    assert_eq!(canonical.lines().nth(1), Some("/model/a.b-v1%253A0/invoke"));
}
