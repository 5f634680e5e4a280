use std::io::Write as _;

use super::*;
use crate::vault::tests::{Place, bound, name, value};
use wardkeep_proto::secret::SecretSource as _;

/// Name, value and suggested places of each item; then what was skipped.
fn seen(bytes: &[u8]) -> (Format, Vec<String>, Vec<String>) {
    let (format, found) = read_import(bytes).unwrap_or_else(|e| panic!("{e}"));
    let items = found.items.iter().map(|item| {
        let places: Vec<_> = item.suggested.iter().map(ToString::to_string).collect();
        format!("{}={} {}", item.name, item.value.expose(), places.join(" ")).trim_end().to_owned()
    });
    (format, items.collect(), found.skipped.iter().map(|s| format!("{}: {}", s.key, s.why)).collect())
}

const EXPORT_DATA: &str = r#"{"accounts":[{"attrs":{"name":"Ada"},"vaults":[{"attrs":{"name":"Work"},"items":[
 {"uuid":"a","state":"active","categoryUuid":"001","overview":{"title":"GitHub","url":"https://github.com/login","urls":[
   {"label":"website","url":"https://github.com/login"},{"label":"api","url":"https://api.github.com"}]},
  "details":{"loginFields":[{"value":"ada","designation":"username","fieldType":"T"},
    {"value":"correct-horse","designation":"password","fieldType":"P","name":"password"}],
   "sections":[{"title":"Tokens","fields":[{"title":"Deploy key","value":{"concealed":"deploy-secret"}},
     {"title":"one-time password","value":{"totp":"otpauth://totp/x?secret=AAAA"}},
     {"title":"plan","value":{"string":"free of charge"}}]}],"notesPlain":"n"}},
 {"uuid":"b","state":"active","categoryUuid":"005","overview":{"title":"Wi-Fi"},"details":{"password":"only-a-password"}},
 {"uuid":"c","state":"archived","categoryUuid":"001","overview":{"title":"Old"},"details":{"password":"old-password"}},
 {"uuid":"d","state":"active","categoryUuid":"003","overview":{"title":"A note"},"details":{"notesPlain":"hidden-note"}},
 {"uuid":"e","state":"active","categoryUuid":"114","overview":{"title":"Server"},"details":{"sections":[{"fields":[
   {"title":"private key","value":{"sshKey":{"privateKey":"-----BEGIN KEY-----","metadata":{}}}}]}]}}]}]}]}"#;

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let deflate = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(*name, deflate).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_1password_export_gives_passwords_and_concealed_fields() {
    let whole = zipped(&[("export.attributes", b"{}"), ("export.data", EXPORT_DATA.as_bytes()), ("files/x", b"doc")]);
    for bytes in [&whole[..], EXPORT_DATA.as_bytes()] {
        let (format, items, skipped) = seen(bytes);
        assert_eq!(format, Format::OnePassword);
        assert_eq!(
            items,
            [
                "github=correct-horse host:api.github.com host:github.com",
                "github_deploy_key=deploy-secret host:api.github.com host:github.com",
                "github_totp=otpauth://totp/x?secret=AAAA host:api.github.com host:github.com",
                "wi_fi=only-a-password",
                "server_private_key=-----BEGIN KEY-----",
            ]
        );
        assert_eq!(skipped.len(), 2, "{skipped:?}");
        assert!(skipped[0].starts_with("Old: it is archived") && skipped[1].starts_with("A note: it is a note"));
    }
}

#[test]
fn items_of_the_op_command_are_read_one_or_many() {
    let one = r#"{"id":"x","title":"Stripe","category":"API_CREDENTIAL","urls":[{"primary":true,"href":"https://api.stripe.com"}],
      "fields":[{"id":"username","type":"STRING","purpose":"USERNAME","label":"username","value":"ada"},
      {"id":"password","type":"CONCEALED","purpose":"PASSWORD","label":"password","value":"pass-of-stripe"},
      {"id":"y","type":"CONCEALED","label":"live key","value":"live-key-of-stripe"},
      {"id":"z","type":"OTP","label":"otp","value":"otpauth://x","totp":"123456"},{"id":"e","type":"CONCEALED","label":"none"}]}"#;
    let wanted = [
        "stripe=pass-of-stripe host:api.stripe.com",
        "stripe_live_key=live-key-of-stripe host:api.stripe.com",
        "stripe_totp=otpauth://x host:api.stripe.com",
    ];
    for text in [one.to_owned(), format!("[{one}]")] {
        let (format, items, skipped) = seen(text.as_bytes());
        assert_eq!((format, skipped.len()), (Format::OnePasswordItems, 0));
        assert_eq!(items, wanted);
    }
    let (_, items, _) = seen(format!("{one}\n{one}").as_bytes());
    assert_eq!(items.len(), 6);
    assert!(items[3].starts_with("stripe_2="));
    let (_, items, skipped) = seen(br#"[{"id":"x","title":"Stripe","category":"LOGIN","vault":{"id":"v"}}]"#);
    assert!(items.is_empty() && skipped[0].contains("op item get"), "{skipped:?}");
}

#[test]
fn a_bitwarden_export_gives_passwords_and_hidden_fields() {
    let (format, items, skipped) = seen(
        br#"{"encrypted":false,"folders":[],"items":[
      {"type":1,"name":"Mail","notes":null,"login":{"uris":[{"match":null,"uri":"https://mail.example.com:8443"}],
        "username":"u","password":"pass-of-mail","totp":"TOTPSEED123"},
        "fields":[{"name":"app password","value":"app-password-1","type":1},{"name":"plan","value":"free","type":0}]},
      {"type":5,"name":"Host","sshKey":{"privateKey":"-----BEGIN KEY-----","publicKey":"p"}},
      {"type":2,"name":"Note","notes":"hidden"},{"type":3,"name":"Visa","card":{"number":"4111111111111111"}},
      {"type":4,"name":"Me","identity":{}},{"type":1,"name":"Empty","login":{"password":null}},
      {"type":1,"name":"Gone","deletedDate":"2026-01-01T00:00:00Z","login":{"password":"gone-password"}}]}"#,
    );
    assert_eq!(format, Format::Bitwarden);
    assert_eq!(
        items,
        [
            "mail=pass-of-mail host:mail.example.com:8443",
            "mail_totp=TOTPSEED123 host:mail.example.com:8443",
            "mail_app_password=app-password-1 host:mail.example.com:8443",
            "host_private_key=-----BEGIN KEY-----",
        ]
    );
    let keys: Vec<_> = skipped.iter().map(|s| s.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["Note", "Visa", "Me", "Empty", "Gone"]);
    assert!(!skipped.concat().contains("4111") && !skipped.concat().contains("hidden-"));
    let sealed = br#"{"encrypted":true,"encKeyValidation_DO_NOT_EDIT":"2.a|b|c","folders":[],"items":[]}"#;
    assert_eq!(read_import(sealed), Err(ImportError::EncryptedBitwarden));
}

#[test]
fn csv_of_both_is_told_apart() {
    let (format, items, skipped) = seen(
        b"folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\r\n\
          Social,1,login,Chat,,,0,\"chat.example.com,https://x.example.com\",me,\"pass,of \"\"chat\"\"\",\n\
          ,,note,My Note,\"two\nlines\",,,,,,\n,,login,Bank,,PIN: 1234,,,j,pass-of-bank,SEED1234\n",
    );
    assert_eq!(format, Format::BitwardenCsv);
    assert_eq!(
        items,
        ["chat=pass,of \"chat\" host:chat.example.com host:x.example.com", "bank=pass-of-bank", "bank_totp=SEED1234"]
    );
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    let (format, items, skipped) = seen(
        "\u{feff}Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes\nShop,https://shop.example.com,u,pass-of-shop,,false,false,,\n\
         Old,,u,old-password,,false,true,,\n"
            .as_bytes(),
    );
    assert_eq!((format, skipped.len()), (Format::OnePasswordCsv, 1));
    assert_eq!(items, ["shop=pass-of-shop host:shop.example.com"]);
}

#[test]
fn plain_json_is_read_and_other_json_is_named() {
    let (format, items, skipped) =
        seen(br#"{"API_KEY":"sk-12345678","port":5432,"on":true,"none":null,"deep":{"a":"b"},"empty":""}"#);
    assert_eq!(format, Format::Json);
    assert_eq!(items, ["api_key=sk-12345678", "port=5432"]);
    assert_eq!(skipped.len(), 4);
    let (_, items, _) = seen(br#"[{"name":"A-B","value":"one-value"},{"name":"a b","value":"two-value"}]"#);
    assert_eq!(items, ["a_b=one-value", "a_b_2=two-value"]);
    for unknown in ["[1,2]", "[{\"x\":1}]", "[[]]", "{}{}", "[\"a\"]"] {
        assert_eq!(read_import(unknown.as_bytes()), Err(ImportError::UnknownJson), "{unknown}");
    }
    let (format, items, _) = seen(b"[]");
    assert_eq!((format, items.len()), (Format::Json, 0));
}

#[test]
fn what_cannot_be_read_is_refused_without_repeating_it() {
    let bomb = zipped(&[("export.data", &vec![b' '; IMPORT_BYTES + 1])]);
    assert!(bomb.len() < 1024 * 1024);
    assert_eq!(read_import(&bomb), Err(ImportError::TooLarge));
    // An archive that announces less than it holds.
    let mut liar = zipped(&[("export.data", EXPORT_DATA.as_bytes())]);
    let size = u32::try_from(EXPORT_DATA.len()).unwrap().to_le_bytes();
    while let Some(at) = liar.windows(4).position(|w| w == size) {
        liar[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    assert!(read_import(&liar).is_err());
    for (bytes, text) in [
        (&b"\xff\xfe"[..], "UTF-8"),
        (b"PK\x03\x04hunter2", "1PUX"),
        (&zipped(&[("other", b"hunter2")]), "1PUX"),
        (&zipped(&[("export.data", b"{\"hunter2\":")]), "1PUX"),
        (&zipped(&[("export.data", b"[]")]), "anything"),
        (b"{\"a\":\"hunter2\"", "JSON"),
        (b"{\"a\":hunter2}", "JSON"),
        (b"title,password\nx,\"hunter2", "CSV"),
        (b"age-encryption.org/v1\nhunter2", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nhunter2", "age"),
        (br#"{"format":"wardkeep/vault-export/v1","secrets":[{"name":"A","value":"hunter2"}]}"#, "Wardkeep"),
        (br#"{"format":"wardkeep/vault-export/v1"}"#, "Wardkeep"),
    ] {
        match read_import(bytes) {
            Err(error) => {
                assert!(error.to_string().contains(text) && !error.to_string().contains("hunter2"), "{error}")
            }
            Ok((_, found)) => assert!(text == "anything" && found.items.is_empty(), "{text}"),
        }
    }
    let deep = "[".repeat(100_000);
    assert!(read_import(deep.as_bytes()).is_err());
    let many: String = (0..=ITEMS).map(|n| format!("K{n}=value-number-{n}\n")).collect();
    assert_eq!(read_import(many.as_bytes()), Err(ImportError::TooMany));
}

fn options(bind: bool, dry_run: bool) -> ImportOptions<'static> {
    ImportOptions {
        bind,
        dry_run,
        fits: &|value| if value == "password1" { Err("it is too common".to_owned()) } else { Ok(()) },
    }
}

#[test]
fn an_import_stores_what_is_fit_and_a_dry_run_nothing() {
    let place = Place::new();
    let vault = place.create();
    vault
        .set(&name("db_password"), &value("old-password"), &Terms::bound(bound(&["host:db.example.com:5432"])))
        .unwrap();
    vault.set(&name("same"), &value("same-value"), &Terms::default()).unwrap();
    let (_, found) = read_import(
        b"API_KEY=sk-12345678\nDB_PASSWORD='new-password'\nSAME=same-value\nSHORT=abc\nCOMMON=password1\nNOT VALID\n",
    )
    .unwrap();
    let generation = vault.generation().unwrap();
    let tried = vault.import(&found, &options(false, true)).unwrap();
    assert_eq!(vault.generation().unwrap(), generation, "a dry run changes nothing");
    let report = vault.import(&found, &options(false, false)).unwrap();
    assert_eq!(report, tried, "a dry run says what happens");
    assert_eq!(report.added, [name("api_key")]);
    assert_eq!(report.updated, [name("db_password")]);
    assert_eq!(report.unchanged, [name("same")]);
    let keys: Vec<_> = report.skipped.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(keys, ["entry 6", "SHORT", "COMMON"]);
    assert!(!format!("{report:?} {found:?}").contains("abc"), "{report:?}");
    assert_eq!(
        vault.show(&name("db_password")).unwrap().bindings,
        bound(&["host:db.example.com:5432"]),
        "bindings stay"
    );
    assert_eq!(vault.history(&name("api_key")).unwrap()[0].note, "import");
}

#[test]
fn suggested_bindings_are_applied_only_when_asked() {
    let place = Place::new();
    let vault = place.create();
    let (_, found) = read_import(b"title,url,password\nGitHub,https://github.com,correct-horse\n").unwrap();
    vault.import(&found, &options(false, false)).unwrap();
    assert!(vault.show(&name("github")).unwrap().bindings.is_empty());
    vault.import(&found, &options(true, false)).unwrap();
    assert_eq!(vault.show(&name("github")).unwrap().bindings, bound(&["host:github.com"]));
    assert_eq!(vault.every_value().unwrap().len(), 1);
}
