use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use crate::cbor::Reader;
use crate::soft::{Says, SoftKey};
use crate::*;

const ORIGIN: &str = "https://hub.example.com";

fn key() -> SoftKey {
    SoftKey::es256(ORIGIN, b"credential-1")
}

fn asked() -> Digest {
    Digest::plain(b"one call")
}

/// What becomes of an assertion that says something else, rightly signed.
fn saying(change: impl FnOnce(&mut Says)) -> Result<Seen, Refused> {
    let mut key = key();
    let mut says = key.says("webauthn.get", &asked().0);
    change(&mut says);
    key.passkey().verify(&key.sign(&says), &asked())
}

#[test]
fn what_its_person_signed_counts() {
    for mut key in [key(), SoftKey::ed25519(ORIGIN, b"c2", 7)] {
        key.counter = Some(4);
        let assertion = key.assert(&asked());
        assert_eq!(key.passkey().verify(&assertion, &asked()), Ok(Seen { counter: 5 }), "{:?}", key.public_key());
    }
    // Members that browsers add, a missing cross-origin mark, extensions that nobody asked for, a synced key.
    for more in ["", r#","crossOrigin":false,"other_keys_can_be_added_here":"do not compare""#] {
        assert!(saying(|says| says.more = more.to_owned()).is_ok(), "{more}");
    }
    let extensions = |says: &mut Says| (says.flags, says.tail) = (0x85, b"\xa1\x63abc\xf5".to_vec());
    assert!(saying(extensions).is_ok());
    assert!(saying(|says| says.flags = 0b0001_1101).is_ok(), "a synced key");
}

#[test]
fn rsa_keys_of_windows_count_too() {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/rs256.json")).expect("a recorded assertion");
    let passkey: Passkey = serde_json::from_value(vector["passkey"].clone()).expect("a key");
    let assertion: Assertion = serde_json::from_value(vector["assertion"].clone()).expect("an assertion");
    assert_eq!(passkey.public_key.algorithm(), "RS256");
    assert_eq!(passkey.verify(&assertion, &asked()), Ok(Seen { counter: 0 }));
    for at in [0, assertion.signature.len() - 1] {
        let mut other = assertion.clone();
        other.signature[at] ^= 1;
        assert_eq!(passkey.verify(&other, &asked()), Err(Refused::Signature));
    }
}

#[test]
fn what_says_something_else_is_refused() {
    let other = Digest::plain(b"another call");
    let cross = |json: &str| {
        let json = json.to_owned();
        saying(|says| says.more = json)
    };
    for (what, result, want) in [
        ("another digest", saying(|says| says.challenge = other.0.to_vec()), Refused::Challenge),
        ("a cut digest", saying(|says| says.challenge.truncate(31)), Refused::Challenge),
        ("a longer digest", saying(|says| says.challenge.push(0)), Refused::Challenge),
        ("no digest", saying(|says| says.challenge.clear()), Refused::Challenge),
        ("a registration", saying(|says| says.ceremony = "webauthn.create".into()), Refused::Ceremony),
        ("a payment", saying(|says| says.ceremony = "payment.get".into()), Refused::Ceremony),
        ("another site", saying(|says| says.origin = "https://evil.example".into()), Refused::Origin),
        ("a longer name", saying(|says| says.origin = format!("{ORIGIN}.evil.example")), Refused::Origin),
        ("another port", saying(|says| says.origin = format!("{ORIGIN}:8443")), Refused::Origin),
        ("without TLS", saying(|says| says.origin = "http://hub.example.com".into()), Refused::Origin),
        ("within another page", cross(r#","crossOrigin":true"#), Refused::Origin),
        ("below another page", cross(r#","topOrigin":"https://evil.example""#), Refused::Origin),
        ("two challenges", cross(r#","challenge":"AAAA""#), Refused::Unreadable("client data")),
        ("two origins", cross(r#","origin":"https://evil.example""#), Refused::Unreadable("client data")),
        ("no JSON", cross("}"), Refused::Unreadable("client data")),
        ("much", cross(&format!(r#","x":"{}""#, "x".repeat(5000))), Refused::Unreadable("assertion")),
        ("another relying party", saying(|says| says.rp_id = "evil.example".into()), Refused::RpId),
        ("a parent domain", saying(|says| says.rp_id = "example.com".into()), Refused::RpId),
        ("nobody there", saying(|says| says.flags = 0b100), Refused::NotPresent),
        ("not verified", saying(|says| says.flags = 0b1), Refused::NotVerified),
        ("no flags", saying(|says| says.flags = 0), Refused::NotPresent),
        ("backed up that cannot be", saying(|says| says.flags = 0b1_0101), Refused::Unreadable("data")),
        ("something behind", saying(|says| says.tail = vec![0]), Refused::Unreadable("data")),
        ("no extensions", saying(|says| says.flags = 0x85), Refused::Unreadable("data")),
        (
            "extensions that are none",
            saying(|says| (says.flags, says.tail) = (0x85, vec![0])),
            Refused::Unreadable("data"),
        ),
        (
            "behind the extensions",
            saying(|says| (says.flags, says.tail) = (0x85, vec![0xa0, 0])),
            Refused::Unreadable("data"),
        ),
    ] {
        assert_eq!(result, Err(want), "{what}");
    }
    let mut key = key();
    let registration = key.register(&asked().0);
    let mut attested = key.assert(&asked());
    attested.authenticator_data = registration.authenticator_data;
    assert_eq!(key.passkey().verify(&attested, &asked()), Err(Refused::Unreadable("data")));
}

#[test]
fn what_was_changed_after_it_was_signed_is_refused() {
    let mut key = key();
    let (passkey, good) = (key.passkey(), key.assert(&asked()));
    assert!(passkey.verify(&good, &asked()).is_ok());
    let refused = |what: &str, assertion: &Assertion| {
        let result = passkey.verify(assertion, &asked());
        assert!(result.is_err(), "{what}: {result:?}");
    };
    for bit in 0..good.authenticator_data.len() * 8 {
        let mut other = good.clone();
        other.authenticator_data[bit / 8] ^= 1 << (bit % 8);
        refused("a bit of the authenticator's data", &other);
    }
    for bit in 0..good.signature.len() * 8 {
        let mut other = good.clone();
        other.signature[bit / 8] ^= 1 << (bit % 8);
        refused("a bit of the signature", &other);
    }
    for at in 0..good.client_data_json.len() {
        let mut other = good.clone();
        other.client_data_json[at] ^= 1;
        refused("a bit of the client data", &other);
    }
    for length in 0..good.authenticator_data.len() {
        refused(
            "cut data",
            &Assertion { authenticator_data: good.authenticator_data[..length].to_vec(), ..good.clone() },
        );
    }
    for length in 0..good.signature.len() {
        refused("a cut signature", &Assertion { signature: good.signature[..length].to_vec(), ..good.clone() });
    }
    for more in [&[0][..], &[0xa0], &[0x30, 0x00]] {
        refused(
            "longer data",
            &Assertion { authenticator_data: [&good.authenticator_data, more].concat(), ..good.clone() },
        );
        refused("a longer signature", &Assertion { signature: [&good.signature, more].concat(), ..good.clone() });
        refused(
            "longer client data",
            &Assertion { client_data_json: [&good.client_data_json, more].concat(), ..good.clone() },
        );
    }
    let name = Assertion { credential_id: b"credential-2".to_vec(), ..good.clone() };
    assert_eq!(passkey.verify(&name, &asked()), Err(Refused::OtherKey));
    let mut other = SoftKey::es256(ORIGIN, b"credential-1");
    assert_eq!(passkey.verify(&other.assert(&asked()), &asked()), Err(Refused::Signature), "another key of that name");
    assert_eq!(passkey.verify(&good, &Digest::plain(b"another call")), Err(Refused::Challenge));
}

/// Encodings of the same two numbers that lax readers take.
#[test]
fn a_signature_has_one_encoding() {
    let mut key = key();
    let (passkey, good) = (key.passkey(), key.assert(&asked()));
    let der = &good.signature;
    let (r, s) = (&der[4..4 + usize::from(der[3])], &der[6 + usize::from(der[3])..]);
    let integer = |bytes: &[u8]| [&[2, bytes.len() as u8], bytes].concat();
    let sequence = |inside: Vec<u8>| [vec![0x30, inside.len() as u8], inside].concat();
    assert_eq!(sequence([integer(r), integer(s)].concat()), *der, "the test reads it rightly");
    let raw = |number: &[u8]| [vec![0; 32], number.to_vec()].concat().split_off(number.len());
    for (what, signature) in [
        ("leading zeros", sequence([integer(&[&[0], r].concat()), integer(s)].concat())),
        ("a long length", [&[0x30, 0x81], &der[1..]].concat()),
        ("an indefinite length", [&[0x30, 0x80], &der[2..], &[0, 0]].concat()),
        ("something within", sequence([integer(r), integer(s), vec![5, 0]].concat())),
        ("fixed form", [raw(r), raw(s)].concat()),
        ("zeros", sequence([integer(&[0]), integer(&[0])].concat())),
        ("ones", sequence([integer(&[1]), integer(&[1])].concat())),
        ("nothing", Vec::new()),
        ("an empty sequence", vec![0x30, 0]),
    ] {
        let result = passkey.verify(&Assertion { signature, ..good.clone() }, &asked());
        assert!(result.is_err(), "{what}");
    }
}

#[test]
fn a_registration_gives_the_key_that_signs() {
    for mut key in [key(), SoftKey::ed25519(ORIGIN, &[9; 200], 3)] {
        let registered = key.register(&asked().0).accept(&asked(), ORIGIN).expect("accepted");
        assert_eq!(registered.passkey, key.passkey());
        assert!(registered.passkey.verify(&key.assert(&asked()), &asked()).is_ok());
        let json = serde_json::to_string(&registered.passkey).expect("JSON");
        assert_eq!(serde_json::from_str::<Passkey>(&json).expect("and back"), registered.passkey);
        let good = key.register(&asked().0);
        assert_eq!(good.accept(&Digest::plain(b"another"), ORIGIN), Err(Refused::Challenge));
        assert_eq!(good.accept(&asked(), "https://other.example"), Err(Refused::Origin));
        assert_eq!(good.accept(&asked(), "https://192.0.2.1"), Err(Refused::Site));
        for length in 0..good.authenticator_data.len() {
            let cut = Registration { authenticator_data: good.authenticator_data[..length].to_vec(), ..good.clone() };
            assert!(cut.accept(&asked(), ORIGIN).is_err());
        }
        let longer = Registration { authenticator_data: [&good.authenticator_data[..], &[0]].concat(), ..good };
        assert!(longer.accept(&asked(), ORIGIN).is_err());
        let assertion = key.assert(&asked());
        let (authenticator_data, client_data_json) = (assertion.authenticator_data, assertion.client_data_json);
        let assertion = Registration { authenticator_data, client_data_json };
        assert_eq!(assertion.accept(&asked(), ORIGIN), Err(Refused::Ceremony));
    }
}

#[test]
fn keys_that_are_not_taken() {
    let (point, edwards) = (key().public_key().to_cose(), SoftKey::ed25519(ORIGIN, b"c", 1).public_key().to_cose());
    let with = |cose: &[u8], at: usize, byte: u8| {
        let mut cose = cose.to_vec();
        cose[at] = byte;
        PublicKey::from_cose(&cose)
    };
    for good in [&point, &edwards] {
        assert_eq!(PublicKey::from_cose(good).expect("a key").to_cose(), *good);
        assert!(PublicKey::from_cose(&[good, &[0][..]].concat()).is_err(), "something behind");
        assert!(PublicKey::from_cose(&good[..good.len() - 1]).is_err(), "cut");
    }
    assert_eq!(with(&point, 4, 0x25), Err(Refused::Algorithm), "ECDSA with another hash");
    assert_eq!(with(&point, 6, 2), Err(Refused::Algorithm), "P-384");
    assert!(with(&point, 3, 1).is_err(), "a label twice");
    assert!(with(&edwards, 0, 0xa5).is_err(), "a member short");
    let rsa = PublicKey::Rs256(vec![0xff; 256], vec![1, 0, 1]).to_cose();
    assert!(PublicKey::from_cose(&rsa).is_ok());
    let two_exponents = [&[rsa[0] + 1], &rsa[1..], &[0x22, 0x41, 3]].concat();
    assert!(PublicKey::from_cose(&two_exponents).is_err(), "two exponents");
    for (what, n, e) in [
        ("1024 bits", vec![0xff; 128], vec![1, 0, 1]),
        ("a leading zero", [&[0][..], &[0xff; 255]].concat(), vec![1, 0, 1]),
        ("an even modulus", vec![0xfe; 256], vec![1, 0, 1]),
        ("no exponent", vec![0xff; 256], vec![]),
        ("an even exponent", vec![0xff; 256], vec![2]),
    ] {
        assert!(PublicKey::from_cose(&PublicKey::Rs256(n, e).to_cose()).is_err(), "{what}");
    }
    for long in ["id", "cose", "origin"] {
        let (mut id, mut cose, mut origin) = (b"c".to_vec(), point.clone(), ORIGIN.to_owned());
        match long {
            "id" => id = vec![1; 1024],
            "cose" => cose.push(0),
            _ => origin = format!("https://{}.example", "x".repeat(400)),
        }
        assert!(Passkey::new(id, &cose, &origin).is_err(), "{long}");
    }
    assert!(Passkey::new(Vec::new(), &point, ORIGIN).is_err(), "no name");
}

#[test]
fn cbor_that_others_read_in_two_ways_is_refused() {
    for (what, bytes) in [
        ("a long head", &[0x18, 23][..]),
        ("a longer head", &[0x19, 0, 255]),
        ("an indefinite map", &[0xbf, 0xff]),
        ("a reserved head", &[0x1c]),
        ("nothing", &[]),
        ("a cut head", &[0x19, 1]),
        ("cut bytes", &[0x42, 1]),
        ("a length beyond everything", &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("a list of all the world", &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("a map of all the world", &[0xbb, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("deep", &[0x81; 100]),
    ] {
        assert!(Reader::new(bytes).skip().is_err(), "{what}");
    }
    assert_eq!(Reader::new(&[0x3b, 127, 255, 255, 255, 255, 255, 255, 255]).int(), Ok(i64::MIN));
    assert!(PublicKey::from_cose(&[0xa1, 0x3b, 127, 255, 255, 255, 255, 255, 255, 255, 0]).is_err());
}

#[test]
fn sites_on_which_passkeys_work() {
    for (origin, host) in [
        ("https://hub.example.com", Some("hub.example.com")),
        ("https://hub.example.com:8443", Some("hub.example.com")),
        ("http://localhost:7480", Some("localhost")),
        ("https://localhost", Some("localhost")),
        ("http://hub.example.com", None),
        ("http://127.0.0.1:7480", None),
        ("https://127.0.0.1", None),
        ("https://[::1]", None),
        ("https://hub.example.com/", None),
        ("https://Hub.example.com", None),
        ("https://a@hub.example.com", None),
        ("https://hub.example.com:0x50", None),
        ("https://hub.example.com:99999", None),
        ("https://", None),
        ("hub.example.com", None),
    ] {
        assert_eq!(rp_id_of(origin), host, "{origin}");
    }
}

#[test]
fn counters_go_on() {
    for (before, seen, good) in
        [(0, 0, true), (0, 1, true), (1, 2, true), (1, 1, false), (2, 1, false), (1, 0, false), (u32::MAX, 0, false)]
    {
        assert_eq!(goes_on(before, seen), good, "{before} {seen}");
    }
}

#[test]
fn a_code_names_one_key_and_survives_a_person() {
    let passkey = key().passkey();
    let code = passkey.code();
    assert_eq!(code.to_string().len(), 29);
    assert_eq!(code.to_string().parse(), Ok(code));
    assert_eq!(format!(" {} ", code.to_string().to_lowercase().replace('-', " ")).parse(), Ok(code));
    let zero = Code::of(&Digest([0; 32])).to_string();
    assert_eq!(zero.replace('0', "o").parse::<Code>().expect("read"), Code::of(&Digest([0; 32])));
    for wrong in
        ["", "7QK4M", &zero[1..], &format!("{zero}0"), &zero.replacen('0', "U", 1), &zero.replacen('0', "ä", 1)]
    {
        assert_eq!(wrong.parse::<Code>(), Err(InvalidCode), "{wrong}");
    }
    let others = [
        Passkey { credential_id: b"other".to_vec(), ..passkey.clone() },
        Passkey { public_key: key().public_key(), ..passkey.clone() },
        Passkey { origin: "https://hub.example.com:8443".into(), ..passkey.clone() },
        Passkey { rp_id: "example.com".into(), ..passkey.clone() },
    ];
    for other in others {
        assert_ne!(other.code(), code, "{other:?}");
    }
    // What is written down somewhere stays what it is.
    let fixed = Passkey::new(b"c".to_vec(), &SoftKey::ed25519(ORIGIN, b"c", 1).public_key().to_cose(), ORIGIN);
    assert_eq!(fixed.expect("a key").code().to_string(), "MS1X6-6VZE6-3STQ1-HHYNR-EQQ9H");
}

#[test]
fn an_introduction_is_for_one_key_one_tenant_one_time() {
    let one = Introduction {
        expires_ms: Timestamp(1),
        fingerprint: asked(),
        tenant: "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID"),
    };
    let tenant = "0198f000-0000-7000-8000-000000000002".parse().expect("a UUID");
    for other in [
        Introduction { expires_ms: Timestamp(2), ..one },
        Introduction { fingerprint: Digest([0; 32]), ..one },
        Introduction { tenant, ..one },
    ] {
        assert_ne!(other.challenge(), one.challenge(), "{other:?}");
    }
}

/// What fuzzing found once, and texts that reach all code.
#[test]
fn the_corpus_of_the_fuzzer_breaks_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/passkey");
    let mut tried = 0;
    for file in std::fs::read_dir(folder).expect("a corpus") {
        soft::try_hostile(&std::fs::read(file.expect("an entry").path()).expect("a file"));
        tried += 1;
    }
    assert!(tried >= 8, "{tried} texts");
}
