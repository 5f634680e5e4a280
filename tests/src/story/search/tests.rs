use super::*;
use crate::story::disguise;

/// Values of every kind that people keep.
const VALUES: &[&str] = &[
    "kT9qVbW2zRnLpXcDfGhJ4mY7sA1eU6oI",
    "Kx9#vT2+bQ7/mZ4!wL&p8s\"R3<d>'e\\",
    "correct horse battery staple 42",
    "Größe-€-пароль-日本語-7Qz",
    "{\"type\":\"service\",\"id\":\"a81\",\"key\":\"Zx8/Qw+3\"}",
    "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----",
    "q7Rz2Lm9Xw",
    "Ключ-пнжзавгдеб-日本-é-x81kQzVb",
    // The bar of one dump's text column is a letter in that of another.
    "dD*ZSkU|\\V(gTN7Dp\"EjnX=rR*'Em9*&W",
];

#[test]
fn each_disguise_is_seen_through() {
    let mut missed = Vec::new();
    for value in VALUES {
        let plants = [Plant::new("key", value)];
        for form in disguise::ALL.iter().chain(disguise::BEYOND) {
            let text = format!("some words before {} and behind", (form.apply)(value));
            if find(&plants, "here", text.as_bytes()).is_empty() {
                missed.push((form.name, *value));
            }
            // As a program would put it into a request.
            let json = serde_json::json!({"messages": [{"content": text}]}).to_string();
            if find(&plants, "here", json.as_bytes()).is_empty() {
                missed.push((form.name, "in JSON"));
            }
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn what_is_cut_over_strings_is_whole_again() {
    let value = VALUES[1];
    let plants = [Plant::new("key", value)];
    let (one, two) = value.split_at(value.len() / 2);
    let parts = serde_json::json!({"messages": [{"content": [{"text": one}, {"text": two}]}]}).to_string();
    let delta = |piece: &str| format!("event: x\ndata: {}\n\n", serde_json::json!({"delta": {"text": piece}}));
    let stream: String = value.chars().map(|c| delta(&c.to_string())).collect();
    let inside = serde_json::json!({"content": stream}).to_string();
    for text in [&parts, &stream, &inside] {
        assert!(!find(&plants, "", format!("POST / HTTP/1.1\r\n\r\n{text}").as_bytes()).is_empty(), "{text}");
    }
}

#[test]
fn a_cut_within_an_escape_hides_nothing() {
    let mut missed = Vec::new();
    for value in VALUES {
        let plants = [Plant::new("key", value)];
        for form in disguise::ALL {
            let hidden: Vec<char> = (form.apply)(value).chars().collect();
            for cut in (hidden.len() / 2).saturating_sub(8)..=hidden.len() / 2 {
                let [one, two] = [&hidden[..cut], &hidden[cut..]].map(|part| part.iter().collect::<String>());
                let parts = serde_json::json!({"content": [{"text": one}, {"text": two}]}).to_string();
                if find(&plants, "here", parts.as_bytes()).is_empty() {
                    missed.push((form.name, *value, cut));
                }
            }
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn what_is_not_there_is_not_found() {
    let plants: Vec<Plant> = VALUES.iter().map(|value| Plant::new("key", value)).collect();
    let long: String =
        (0..2000_u32).map(|n| format!("line {n}: {:08x} {}\n", n.wrapping_mul(2_654_435_761), n % 7)).collect();
    let wrapped = disguise::wrap(&data_encoding::BASE64.encode(long.as_bytes()), 76, "\n");
    for text in ["", "nothing of the kind", "-----BEGIN KEY-----", "kT9qVbW2zRnLpXc", &long, &wrapped] {
        assert_eq!(find(&plants, "here", text.as_bytes()), []);
    }
}

#[test]
fn more_than_half_is_a_leak_and_less_is_not() {
    let value = VALUES[0];
    let plants = [Plant::new("key", value)];
    for from in 0..value.len() {
        for to in from..=value.len() {
            let found = !find(&plants, "here", format!("_ {} _", &value[from..to]).as_bytes()).is_empty();
            assert_eq!(found, to - from > value.len() / 2, "{from}..{to}");
        }
    }
    // A value with another case, backwards, over lines.
    assert!(!find(&plants, "here", value.to_ascii_lowercase().as_bytes()).is_empty());
    assert!(!find(&plants, "here", value.chars().rev().collect::<String>().as_bytes()).is_empty());
    assert!(!find(&plants, "here", disguise::wrap(value, 5, "\n").as_bytes()).is_empty());
}

#[test]
fn a_database_file_is_searched_as_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("deep")).expect("made");
    fs::write(folder.path().join("deep/x.db"), b"\0\0secret-value-1\0").expect("written");
    let plants = [Plant::new("s", "secret-value-1")];
    let (searched, leaks) = files(&plants, folder.path(), &|_| false).expect("searched");
    assert_eq!((searched, leaks.len()), (1, 1));
    let (searched, leaks) = files(&plants, folder.path(), &|p| p.ends_with("x.db")).expect("searched");
    assert_eq!((searched, leaks.len()), (0, 0));
}

#[test]
fn names_of_files_and_targets_of_links_are_searched() {
    let folder = tempfile::tempdir().expect("a folder");
    let plants = ["secret-value-1", "secret-value-2", "secret-value-3"].map(|value| Plant::new(value, value));
    let found = || files(&plants, folder.path(), &|p| p.ends_with("skipped")).expect("searched").1;
    fs::create_dir_all(folder.path().join("skipped/secret-value-1")).expect("made");
    assert_eq!(found(), []);
    fs::create_dir(folder.path().join("secret-value-1")).expect("made");
    fs::write(folder.path().join("secret-value-2"), "x").expect("written");
    std::os::unix::fs::symlink("secret-value-3", folder.path().join("link")).expect("linked");
    assert_eq!(found().len(), 3);
}
