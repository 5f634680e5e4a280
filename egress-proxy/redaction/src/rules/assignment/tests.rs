//! One list per syntax and per judgment: what must go stands between `«` and `»`, texts without must stay.

use crate::rules::{Matcher, builtin};
use crate::{Engine, RuleSet};

/// The rules of assignments alone.
fn engine() -> Engine {
    let own = builtin::rules().iter().filter(|rule| matches!(rule.matcher, Matcher::Assignment(_)));
    Engine::build([], &RuleSet::of(own.cloned().collect(), Vec::new()), [7; 32]).unwrap()
}

/// Whether exactly the marked parts go, checked for every text before any failure is told.
fn check(cases: &[&str]) {
    let engine = engine();
    let mut wrong = Vec::new();
    for case in cases {
        let text = case.replace(['«', '»'], "");
        let out = engine.redact(&text).text.into_owned();
        let mut rest = out.as_str();
        let mut good = true;
        for (n, part) in case.split(['«', '»']).enumerate() {
            if n % 2 == 0 {
                good = good && rest.starts_with(part);
                rest = rest.get(part.len()..).unwrap_or_default();
            } else {
                good = good && rest.starts_with("[REDACTED:");
                rest = rest.split_once(']').map_or("", |(_, rest)| rest);
            }
        }
        if !good || !rest.is_empty() {
            wrong.push(format!("{case}\n    became {out}"));
        }
        if engine.redact(&out).text != out {
            wrong.push(format!("{case}\n    changed twice"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn configuration_files() {
    check(&[
        "DB_PASSWORD=«kestrel9»",
        "export SMTP_PASS='«Gr4nite-Loop»'",
        "set MQTT_PWD=«zu4nahs2»",
        "database.password = «moss&Fern7»",
        "spring.datasource.password=«quartzfold»",
        "  password: «wq7Lantern!»\n  host: db",
        "password: \"«bramblewick»\"",
        "  password: |\n    «Tin9whistle!»\n",
        "\"password\": \"«plinth-and-cove»\",",
        "\"password\" :\n    \"«plinth44»\"",
        "password = '''«plinth44»'''",
        "api_token = \"«h4sk2n9d8f7w6q5z3x1c»\" # rotated",
        "  client_secret: «h4sk2n9d8f7w6q5z3x1c»",
        "db_password => \"«vexillum3»\"",
        "variable \"x\" { default = 1 }\nadmin_password = \"«Orchard_77»\"",
        "env:\n  - name: DB_PASSWORD\n    value: «kestrel9»",
        "{ \"name\": \"API_TOKEN\", \"value\": \"«h4sk2n9d8f7w6q5z3x1c»\" }",
        "Server=db;User Id=sa;Password=«Kestrel!9»;Encrypt=yes",
        "DefaultEndpointsProtocol=https;AccountKey=«h4sk2n9d8f7w6q5z3x1cTTq8»;EndpointSuffix=x",
        "machine db.internal login app password «kestrel91»",
        "requirepass: «kestrel91»",
    ]);
}

#[test]
fn elements_and_attributes() {
    check(&[
        "<password>«kestrel9»</password>",
        "<ns:dbPassword>\n  «kestrel9»\n</ns:dbPassword>",
        "<Pass encoding=\"plain\">«kestrel9»</Pass>",
        "<connection user=\"app\" password=\"«kestrel9»\"/>",
        "<property name=\"password\" value=\"«kestrel9»\"/>",
        "<input name=\"password\" type=\"password\" value=\"«kestrel9»\">",
        "<entry key=\"db.password\">«kestrel9»</entry>",
        "<setting name=\"ApiSecret\" serializeAs=\"String\">\n<value>«h4sk2n9d8f7w6q5z»</value>",
        "<key>Password</key>\n\t<string>«kestrel9»</string>",
        "<property><name>db.password</name><value>«kestrel9»</value></property>",
        "Password: &quot;«kestrel9»&quot;<br>",
        "<password><![CDATA[«kestrel<9»]]></password>",
        "std::forward<PassT>(Pass)",
        "<password>${db.password}</password>",
        "<label for=\"password\">Password</label>",
        "<p>Forgot <b>password</b>? Click here</p>",
    ]);
}

#[test]
fn source_code() {
    check(&[
        "String password = \"«kestrel9»\";",
        "val password: String = \"«kestrel9»\"",
        "password: &str = \"«kestrel9»\",",
        "var token string = \"«h4sk2n9d8f7w6q5z»\"",
        "static const char password[32] = \"«kestrel9»\";",
        "$cfg['db']['password'] = '«kestrel9»';",
        "'password' => '«kestrel9»',",
        ":password => '«kestrel9»'",
        "os.environ[\"DB_PASSWORD\"] = \"«kestrel9»\"",
        "os.getenv(\"DB_PASSWORD\", \"«kestrel9»\")",
        "process.env.DB_PASSWORD || '«kestrel9»'",
        "ENV['DB_PASSWORD'] or \"«kestrel9»\"",
        "password := \"«kestrel9»\"",
        "cfg.Password = []byte(\"«kestrel9»\")",
        "password: Some(\"«kestrel9»\".to_owned())",
        "client.setPassword(\"«kestrel9»\");",
        ".option(\"password\", \"«kestrel9»\")",
        "define('DB_PASSWORD', '«kestrel»');",
        "curl_setopt($ch, CURLOPT_PROXYPASSWORD, '«kestrel9»');",
        "new NetworkCredential(\"app\", \"«kestrel9»\")",
        "if (password == \"«kestrel9»\") {",
        "def connect(user, password='«kestrel9»'):",
        "#define WIFI_PASSWORD \"«kestrel9»\"",
        "$env:DB_PASSWORD = \"«kestrel9»\"",
        "ConvertTo-SecureString -Password \"«kestrel9»\"",
        "{\\\"password\\\": \\\"«kestrel9»\\\"}",
        "let secret = b\"«h4sk2n9d8f7w6q5z»\";",
        "tokens: [\"«h4sk2n9d8f7w6q5z\", \"z5q6w7f8d9n2ks4h»\"]",
        "authData := []byte{«197, 36, 59, 29, 19, 97, 60, 242, 98, 167, 64, 75, 70, 11»}",
        "password := '«kestrel''s9»';",
        "api_token = \"api_token = \"h4sk2n9d8f7w6q5z3x1c\"\"",
        "password = user.password",
        "password = password.encode(\"latin1\")",
        "key = config.get(\"h4sk2n9d8f7w6q5z3x1c\")",
        "token = get_token(user, 3600)",
        "const token = session.accessToken;",
        "Password: config.Password,",
        "connect(user, password=password, timeout=10)",
        "pub password: *mut c_char,",
        "pub const ERROR_PASSWORD: WIN32_ERROR = 1324u32;",
        "password: Curve25519Secret<'_>,",
        "private_key: ed25519.Ed25519PrivateKey,",
        "key_id = self._lib.NID_aes_256_cbc",
        "my ($key, $password) = @ARGV;",
        "if password == \"\" {",
        "password.is_empty() || token.len() > 16",
        "fields = [\"username\", \"password\", \"repository\", \"security9x\"]",
        "'splitpasswd', 'splitport', 'splitquery'",
        "getPassword(\"orders-db-01\")",
        "read_secret(\"orders-db-password-v3\")",
        "#define aes128_set_key nettle_aes128_set_key",
        "\"AWS::ApiGateway::ApiKey\": \"48205d4ffd7feba3\",",
        "password = '%s:%s' % (user, pw)",
        "let key = hex!(\"000102030405060708090a0b0c0d0e0f\");",
    ]);
}

#[test]
fn commands() {
    check(&[
        "tool --password «kestrel9» --verbose",
        "tool --token=«h4sk2n9d8f7w6q5z»",
        "mysql -u root -p«kestrel9» shop",
        "mysqldump -h db -p'«kestrel9»' shop",
        "sshpass -p «kestrel9» ssh host",
        "docker login -u app -p «kestrel9» registry",
        "redis-cli -h cache -a «kestrel9» ping",
        "curl -u app:«kestrel9» https://host/",
        "curl --user \"app:«kestrel 9»\" https://host/".replace("kestrel 9", "kestrel+9").as_str(),
        "openssl rsa -passin pass:«qzfwtk» -in key.pem",
        "-Djavax.net.ssl.trustStorePassword=«qzfwtkpx»",
        "curl -H 'X-Api-Key: «h4sk2n9d8f7w6q5z»' https://host/",
        "https://host/cb?token=«h4sk2n9d8f7w6q5z»&next=1",
        "CREATE USER app IDENTIFIED BY '«kestrel9»';",
        "ALTER USER 'r'@'%' IDENTIFIED WITH mysql_native_password BY '«kestrel9»'",
        "ALTER ROLE app WITH PASSWORD '«kestrel9»';",
        "cp -p source target",
        "docker run -u 1000:1000 image",
        "chown -u www-data:www-data x",
        "tar -pxzf archive9.tar.gz",
        "mysql -u root -p shop",
        "curl -u \"$USER:$PASS\" https://host/",
        "tool --password-file /run/secrets/db",
        "tool --password $DB_PASSWORD",
        "blocks are identified by their number",
        "gpg --recv-keys 5BE8A3F6C8A5C01D106C0AD820B1A390B168D356",
        "make -w all; grep -a pattern file",
    ]);
}

#[test]
fn sentences() {
    check(&[
        "The password is «kestrel91», do not share it.",
        "pw: «kestrel91»",
        "Passwort lautet «kestrel91»",
        "contraseña: «kestrel91»",
        "Das Kennwort ist «kestrel91».",
        "пароль: «kestrel91»",
        "**Password:** «kestrel91»",
        "- **Password**: `«kestrel91»`",
        "acme api token «h4sk2n9d8f7w6q5z3x1c»",
        "ACME SECRET «h4sk2n9d8f7w6q5z3x1c»",
        "acme-token-«h4sk2n9d8f7w6q5z3x1c8v7b»",
        "| Password | «kestrel91» |",
        "the password is wrong, the token has expired, the key is unknown",
        "Pass the token to the server. Pass `-v/-q` on.",
        "your password must have 8 characters and 1 digit",
        "access 0x7ffd9a3b1c2d at offset 12",
        "key 4 of 12, key 0001, keys 1-9",
        "using RSA key 9D5F1A4EAE18F83A",
        "kpasswd\t\t464/tcp\t\tkdc",
        "public key h4sk2n9d8f7w6q5z3x1c",
    ]);
}

#[test]
fn several_words_in_quotes() {
    check(&[
        "export PGPASSWORD='«p@ss w0rd Xk2»'",
        "PGPASSWORD='«correct horse 9 battery»' psql",
        "password: \"«zwei Worte9 und mehr»\"",
        "\"password\": \"«blue Lantern 77 kestrel»\",",
        "password: \"must not be empty\"",
        "password: \"must be at least 8 characters\"",
        "\"password\": \"Passwort hat mindestens 12 Zeichen\",",
        "password_hint = \"Step 2 of 3\"",
        "password: \"correct horse battery\"",
        "PASSWORD=\"my ${OTHER} 9x\"",
        "password = \"SELECT 1 FROM users;\"",
        "token: \"two words 77x\"",
    ]);
}

#[test]
fn what_everybody_may_see() {
    check(&[
        "ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbC123",
        "\"arn:aws:secretsmanager:eu-central-1:123456789012:secret:h4sk2n9d8f7w6q5z3x1c\"",
        "STRIPE_KEY=pk_live_h4sk2n9d8f7w6q5z3x1cB7vR",
        "stripe_api_key: \"pk_test_h4sk2n9d8f7w6q5z3x1cB7vR\"",
    ]);
}

#[test]
fn values_for_when_the_environment_has_none() {
    check(&[
        "const jwtSecret = process.env.S || \"«h4sk2n9d8f7w6q5z3x1ch4sk2n9d8f7w»\";",
        "const apiKey = process.env.K ?? '«h4sk2n9d8f7w6q5z3x1c»'",
        "token: import.meta.env.T || `«h4sk2n9d8f7w6q5z3x1c»`",
        "const secret = process.env.S || \"\";",
        "const secret = process.env.S || defaults.secret;",
        "const secret = process.env.S;",
        "const secret = process.env.S || \"development\";",
        "PASSWORD: ${DB_PASSWORD:-«Gx7kPq2mZ9»}",
        "url=x ${API_TOKEN:-«h4sk2n9d8f7w6q5z3x1c»}/y",
        "PASSWORD: ${DB_PASSWORD:-}",
        "PASSWORD: ${DB_PASSWORD:-${OTHER}}",
        "PASSWORD: ${DB_PASSWORD:-changeme}",
        "PASSWORD: ${DB_PASSWORD:?must be set}",
    ]);
}

#[test]
fn names_that_promise_no_secret() {
    let random = "h4sk2n9d8f7w6q5z3x1c";
    let mut cases = Vec::new();
    for name in [
        "public_key",
        "primary_key",
        "foreignKey",
        "cache_key",
        "sort-key",
        "PARTITION_KEY",
        "next_page_token",
        "max_tokens",
        "token_count",
        "token_type",
        "tokenizer",
        "key_id",
        "keyboard",
        "keyword",
        "monkey",
        "hotkey",
        "password_hash",
        "password_file",
        "passwordPolicy",
        "secret_name",
        "secretRef",
        "token_url",
        "csrf_token",
        "authenticity_token",
        "passenger",
        "compass",
        "bypass",
        "author",
        "authority",
        "access_log",
        "private_ip",
        "key_vault_name",
        "keystore",
        "credit",
        "idempotency_key",
        "continuation-token",
        "host_key",
        "key_arn",
    ] {
        for text in [format!("{name}={random}"), format!("{name}: \"{random}\""), format!("\"{name}\": \"{random}\"")] {
            cases.push(text);
        }
    }
    check(&cases.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn names_that_promise_a_secret() {
    let mut cases = Vec::new();
    for name in [
        "token",
        "API_TOKEN",
        "accessToken",
        "access-token",
        "client_secret",
        "ClientSecret",
        "SECRET_KEY",
        "apikey",
        "api.key",
        "x-api-key",
        "encryptionKey",
        "signing_key",
        "STRIPE_KEY",
        "acmeKey",
        "credentials",
        "OAUTH_TOKEN_2",
        "secret_value",
        "TOKEN_PROD",
        "botToken",
        "auth",
        "_authToken",
        "license_key",
        "webhook_secret",
    ] {
        for text in [format!("{name}=«h4sk2n9d8f7w6q5z3x1c»"), format!("\"{name}\": \"«h4sk2n9d8f7w6q5z3x1c»\"")] {
            cases.push(text);
        }
    }
    check(&cases.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn values_that_are_no_secret() {
    let mut cases = Vec::new();
    for value in [
        "${DB_PASSWORD}",
        "$DB_PASSWORD",
        "{{ db_password }}",
        "<password>",
        "[your password]",
        "((db-password))",
        "********",
        "xxxxxxxxxxxx",
        "%DB_PASSWORD%",
        "#{password}",
        "$(cat /run/secret)",
        "SECRET_REF(db)",
        "[REDACTED:password:a1b2]",
        "changeme",
        "change_me_now",
        "your-password-here",
        "example-password-1",
        "password",
        "new_password",
        "test",
        "null",
        "undefined",
        "/run/secrets/db-password",
        "./secrets/db.txt",
        "https://vault.internal/v1/db9",
        "vault:secret/db#pw1",
        "session.redis.password",
        "settings.password.label",
        "user@example.com",
        "2026-11-21T10:00:00",
        "string",
        "required",
        "ResetPassword",
        "DB_PASSWORD_PROD",
        "{CRYPT}$argon2id$v=19$m=65536,t=3,p=2$BpLnfgDs",
        "process.env.PASSWORD1",
        "certs/server-2026.pem",
        "h4sk2n9d...",
        "&lt;password&gt;",
        "invalid-password",
        "fake-password-123",
        "arn:aws:secretsmanager:eu:1:secret:db9",
    ] {
        for text in [format!("password: \"{value}\""), format!("token = \"{value}\""), format!("PASSWORD={value}")] {
            cases.push(text);
        }
    }
    for value in [
        "sha256-h4sk2n9d8f7w6q5z3x1c",
        "chatcmpl-h4sk2n9d8f7w6q5z3x1c",
        "toolu_01h4sk2n9d8f7w6q5z3x1c",
        "utf8mb4_general_ci",
        "application/vnd.api+json",
        "eu-central-1",
        "IdentifierName",
        "refresh_token",
        "10/minute;1000/hour",
        "abcdef1234",
        "0xdeadbeef1234567890",
        "node-18-alpine-3",
        "not_a_valid_token_1",
    ] {
        cases.push(format!("token: \"{value}\""));
        cases.push(format!("\"api_key\": \"{value}\""));
    }
    for value in
        ["d41d8cd98f00b204e9800998ecf8427e", "3b241101-e2bb-4255-8caf-4136c566a962", "answer", "user:42:profile"]
    {
        cases.push(format!("\"key\": \"{value}\""));
    }
    check(&cases.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn weak_passwords_count_where_nothing_else_can_stand() {
    check(&[
        "POSTGRES_PASSWORD=«postgres»",
        "password: «letmein»\n",
        "password: \"«sunshine»\"",
        "\"passphrase\": \"«swordfish»\"",
        "password: «admin123»",
        "ADMIN_PASSWORD=«admin»",
        "password=«12345678»",
        "password: «qzkfwtpx»",
        "password: encrypted\n",
        "password: String!",
        "password: 12",
        "passes: 12345678",
        "password required pam_unix.so",
    ]);
}

#[test]
fn long_values_go_whole() {
    // Drawn from a fixed sequence, three characters in four of base64.
    let mut state = 7_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 26) as usize])
    };
    let long: String = (0..4_400).map(|_| letter()).collect();
    check(&[
        &format!("PRIVATE_KEY_B64=«{long}»\n"),
        &format!("client_secret: \"«{long}==»\","),
        &format!("<secret>«{long}»</secret>"),
        &format!("comment = \"{long}\""),
    ]);
}

#[test]
fn a_decision_reads_so_far_and_no_further() {
    let engine = engine();
    for piece in ["password=", "key: \"", "token(\"", "secret = [\"", "-u a:", " -p", "<password>", "auth", "pw=\"\"\""]
    {
        let text = format!("{}{}", piece.repeat(500), "x".repeat(20_000));
        let mut stream = engine.stream();
        let mut most = 0;
        for part in text.as_bytes().chunks(97) {
            stream.push(part);
            most = most.max(stream.held_back());
        }
        assert!(most < 6_000, "{piece}: {most}");
        for cut in 0..piece.len() {
            let mut stream = engine.stream();
            let mut out = stream.push(&text.as_bytes()[..cut]);
            stream.push_into(&text.as_bytes()[cut..], &mut out);
            out.extend(stream.finish());
            assert_eq!(String::from_utf8(out).unwrap(), engine.redact(&text).text, "{piece} cut at {cut}");
        }
    }
}
