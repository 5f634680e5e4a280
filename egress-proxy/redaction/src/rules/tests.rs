use super::builtin;
use crate::anchors::Anchors;
use crate::hits::Hit;
use crate::patterns::PatternScan;
use crate::{Engine, RuleSet};

fn redacted(text: &str) -> String {
    Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap().redact(text).text.into_owned()
}

/// The texts with what must go between `«` and `»`.
fn check(kind: &str, cases: &[&str]) {
    for case in cases {
        let text = case.replace(['«', '»'], "");
        let (before, rest) = case.split_once('«').unwrap();
        let (_, after) = rest.split_once('»').unwrap();
        let out = redacted(&text);
        let placeholder =
            out.strip_prefix(before).and_then(|o| o.strip_suffix(after)).unwrap_or_else(|| panic!("{case}: {out}"));
        assert!(placeholder.starts_with(&format!("[REDACTED:{kind}:")) && placeholder.ends_with(']'), "{case}: {out}");
        assert_eq!(redacted(&out), out, "redacting twice");
    }
}

#[test]
fn ordinary_text_stays() {
    for text in [
        "MAX_TOKENS=100 prompt_tokens: 512, \"total_tokens\": 1024",
        "password: ${DB_PASSWORD}",
        "password = os.environ[\"PASSWORD\"]",
        "token = get_token(user)",
        "const token = session.accessToken;",
        "api_key: process.env.API_KEY",
        "password: <password>",
        "PASSWORD=********",
        "password=xxxxxxxxxxxx",
        "the password is wrong, the token has expired, the key: unknown",
        "bypass=everything compass: north",
        "public_key = \"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7\"",
        "primary_key: customer_id_0001_abcdefgh",
        "https://example.com/a:b@c",
        "https://user@example.com/path",
        "postgres://app:${PASSWORD}@db:5432/app",
        "postgres://db.internal:5432/app",
        "task-sk-ant-hill ask-ant-questions",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "a line with -----BEGIN PRIVATE KEY----- in prose",
        "eyJ is how a token begins; eyJhbGci.eyJ",
        "integrity sha512-oRSIpR8pxT1Wr2FquTNnGet79b3BWljqOuoW/h4oBhxJ/HUbX5nX6JSruTkvXDCFMwDPvsaTTbvMLKZWSy0R5g==",
        "github.com/acme/token v0.5.7 h1:3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "\"id\": \"toolu_01A09q90qw90lq917835lq9\", \"key\": \"chatcmpl-123\"",
        "AKIA1234",
        "Authorization: Bearer $TOKEN",
        "Cookie: theme=dark; lang=en-US; consent=yes",
        "Set-Cookie: lang=en; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=31536000",
        "const cookie = parseCookieHeader(request.headers.cookie);",
        "the cookie: it is set by the server, see session=<id>",
        "\"authorization\": \"required\"",
        "passwordResetUrl = \"https://example.com/reset\"",
        "token_file=/run/secrets/token",
        // Logs of tests, words of programs and of documents.
        "PASS: bfd\nPASS: i386 arch 7\nPASS: ld-elf/pr22836-1a\nFAIL: x86-64-7\n",
        "Running tests\nPASS: pr22836-1a\n",
        "private_key_ops: &p256::PRIVATE_KEY_OPS,",
        "secret_key: \"libtomcrypt/pk/pkcs1/pkcs_1_i2osp.c\",",
        "token = 'acme_[A-Za-z0-9]{32}'",
        "token_alphabet = \"hijklmnopuvwDEFqrABCxyzsHIJGPQRSTUVWXYZKLMNOgabctdfe\"",
        "sig_key: 51:C4:0C:6D:7E:A5:6C:D8:8F:B4:3A:DF:91:78:4F:18:BC:D5:E4:C5",
        "a problem identified by \"jamesh\" last week",
        "the --ftp-password command switches",
        "expected '-----BEGIN PRIVATE KEY-----'\\\n  and '-----END PRIVATE KEY-----' PEM guards",
        "Passed: okta/login/key/Dtlsv10NotEnabledRc4Test2.java",
        "yubikey.wrapping_mul(0x9E3779B97F4A7C15)",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn tokens_of_known_vendors_go() {
    for (kind, token) in [
        (
            "anthropic-key",
            "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfAA",
        ),
        ("openai-key", "sk-proj-Q9x2mn7pk4rt8wy1cv5bT3BlbkFJq9x2mn7pk4rt8wy1cv5b"),
        ("openai-key", "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"),
        ("github-token", "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"),
        ("slack-token", "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"),
        ("stripe-key", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
        ("aws-key", "AKIAQ7XK2M5NPLD4WZ3R"),
        ("google-key", "AIzaSyD4x7k2m9p1q8r5t3v6w0y2z4a7b9c1d3e"),
    ] {
        check(
            kind,
            &[
                &format!("use «{token}» now"),
                &format!("«{token}».\nNext"),
                &format!("x=\\n«{token}»\\n"),
                &format!("https://a.test/?k=%3D«{token}»&b=1"),
            ],
        );
        let glued = format!("x{token}");
        assert_eq!(redacted(&glued), glued, "inside a word it is no token");
    }
}

#[test]
fn structures_go_whole() {
    check(
        "jwt",
        &[
            "t: «eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U».",
        ],
    );
    check(
        "private-key",
        &[
            "a\n«-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdef\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----»\nb",
            "{\"k\":\"«-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA0123456789abcdef\\n-----END PRIVATE KEY-----»\\n\"}",
            "«-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdef\nMIIEpAIBA»",
            "k='«-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA0123456789abcdef\\nMIIEpA==»'",
            "«-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdef»\nand prose",
            "«-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE»\n\n\nand then it was cut off - sadly",
        ],
    );
    check(
        "url-password",
        &[
            "postgres://app:«s3cr3t-Pa55»@db.internal:5432/app",
            "\"redis://:«hunter22»@cache:6379\"",
            "https://me:«p@ss:w0rd»@example.com/x",
            "mongodb+srv://u:«a%40b9xyz»@c.mongodb.net",
        ],
    );
    check(
        "cookie",
        &[
            "Cookie: session=«q9x2mn7pk4rt8wy1cv5b»; theme=dark\r\nHost: x",
            "Cookie: theme=dark; sid=«q9x2mn7pk4rt8»",
            "cookie: a=«q9x2mn7pk4rt8wy1cv5b; theme=dark; t=b5vc1yw8tr4kp7nm2x9q»; lang=en",
            "Set-Cookie: __Host-s=«s%3Aq9x2mn7pk4rt8wy1cv5bzz.Hn3kf92jf»; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly",
            "{\"cookie\": \"id=«q9x2mn7pk4rt8wy1cv5b»; lang=en\"}",
            "curl -H 'Cookie: id=«q9x2mn7pk4rt8wy1cv5b»' https://a.test",
        ],
    );
    check(
        "authorization",
        &[
            "Authorization: Bearer «q9x2mn7pk4rt8wy1cv5bz3df6gh0jl2e»\r\nHost: x",
            "-H 'Authorization: Basic «ZGVwbG95Omh1bnRlcjI=»'",
            "{\"Authorization\":\"Bearer «q9x2mn7pk4rt8wy1cv5bz3df6gh0jl2e»\"}",
        ],
    );
}

#[test]
fn assigned_values_go() {
    check(
        "password",
        &[
            "DB_PASSWORD=«hunter2»",
            "export PGPASSWORD='«correct-horse-1»'",
            "  password: \"«Tr0ub4dor&3»\"",
            "{\"password\": \"«hunter22»\"}",
            "{\\\"password\\\": \\\"«hunter22»\\\"}",
            "<password>«hunter22»</password>",
            "mysql --password «hunter22» -u root",
            "spring.datasource.password=«S3cr3t!»",
            "'passwd' => '«hunter22»',",
            "USER: app\nPASS: «hunter22»\n",
            "create user app identified by \"«hunter22»\"",
        ],
    );
    check(
        "token",
        &[
            "client_secret: \"«q9x2mn7pk4rt8wy1cv5b»\"",
            "\"access_token\" : \"«q9x2mn7pk4rt8wy1cv5b»\"",
            "--token «q9x2mn7pk4rt8wy1cv5b» --verbose",
        ],
    );
    check("key", &["API_KEY=«q9x2mn7pk4rt8wy1»"]);
    check("aws-secret", &["aws_secret_access_key = «wJalrXUtnFEMI7K7MDENGbPxRfiCYzq9x2mn7pk4»"]);
}

#[test]
fn what_a_rule_finds_is_found_anywhere_in_a_long_text() {
    let anchors = Anchors::new(&RuleSet::builtin());
    let found = |text: &str| {
        let mut found = Vec::new();
        PatternScan::new().push(&anchors, text.as_bytes(), 0, true, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    };
    let packs = builtin::packs().flat_map(|pack| pack.unwrap().rules);
    for (n, text) in packs.flat_map(|rule| rule.matches).enumerate() {
        // Alone it is too short for its parts to be told apart.
        let alone = found(&format!("\n{text}\n() ()"));
        for before in [300 + n % 64, 400 + n * 7 % 64] {
            let padded = format!("{}\n{text}\n{}", " ".repeat(before), "() ".repeat(500));
            let moved: Vec<Hit> = alone.iter().map(|hit| hit.shifted(before)).collect();
            assert_eq!(found(&padded), moved, "{before} blanks before {text}");
        }
    }
}
