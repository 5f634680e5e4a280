//! Paths and their patterns, compared as they are written.

/// Whether `pattern` covers the whole of `path`: `*` is any text without `/`, `**` any text.
pub(super) fn covers(pattern: &str, path: &str) -> bool {
    let pattern = pattern.as_bytes();
    // Every place in the pattern that can be reached with the bytes read so far.
    let mut places = vec![false; pattern.len() + 1];
    places[0] = true;
    pass_stars(pattern, &mut places);
    for byte in path.bytes() {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|at| places[*at]) {
            match pattern[at] {
                b'*' if byte != b'/' || is_double(pattern, at) => next[at] = true,
                b'*' => {}
                literal if literal == byte => next[at + 1] = true,
                _ => {}
            }
        }
        pass_stars(pattern, &mut next);
        places = next;
    }
    places[pattern.len()]
}

/// A star may also be nothing.
fn pass_stars(pattern: &[u8], places: &mut [bool]) {
    for at in 0..pattern.len() {
        if places[at] && pattern[at] == b'*' {
            places[at + 1] = true;
        }
    }
}

fn is_double(pattern: &[u8], at: usize) -> bool {
    pattern.get(at + 1) == Some(&b'*') || (at > 0 && pattern[at - 1] == b'*')
}

/// Whether servers could read `path` as another one: dot segments (`..;` too), encoded slashes, backslashes, also when they
/// are encoded more than once.
pub(super) fn is_ambiguous(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    loop {
        if path.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()) {
            return true;
        }
        let dots = path.split(|byte| *byte == b'/').any(|segment| {
            let name = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
            matches!(name, b"." | b"..")
        });
        if dots {
            return true;
        }
        let decoded = decode_once(&path);
        if decoded == path {
            return false;
        }
        if slashes(&decoded) != slashes(&path) {
            return true;
        }
        path = decoded;
    }
}

fn slashes(path: &[u8]) -> usize {
    path.iter().filter(|byte| **byte == b'/').count()
}

fn decode_once(path: &[u8]) -> Vec<u8> {
    let hex =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        match (byte, hex(path.get(at + 1)), hex(path.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}
