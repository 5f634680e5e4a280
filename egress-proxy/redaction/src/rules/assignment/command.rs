//! Passwords on command lines and in SQL: `curl -u name:…`, `sshpass -p …`, `mysql -p…`, `IDENTIFIED BY '…'`.

use super::judge;
use crate::cursor::{Cursor, Decision, More};

/// Longest word of a command line, in bytes.
const WORD: usize = 256;

/// One word of a shell line, without its quotes.
fn word<'a>(cursor: &mut Cursor<'a>) -> Result<(usize, &'a [u8]), More> {
    cursor.run(2, |b| b == b'\\')?;
    let quote = cursor.take(|b| b == b'"' || b == b'\'')?;
    let from = cursor.at;
    let text = match quote {
        Some(quote) => cursor.run(WORD, |b| b != quote && b != b'\n' && b != b'\\')?,
        None => cursor.run(WORD, |b| (b.is_ascii_graphic() || b >= 0x80) && !b"\"`;<>()|&\\,".contains(&b))?,
    };
    Ok((from, text))
}

/// Whether a word of the command line is a password that was written out.
fn is_password(text: &[u8]) -> bool {
    let traits = judge::Traits::of(text);
    text.len() >= 4
        && traits.space == 0
        && traits.letters() + traits.digits >= 3
        && !judge::is_reference(text)
        && !judge::is_example(text)
        && !judge::names_a_secret(text)
        && !judge::is_place(text)
}

/// `-u name:password`, `--user "name:password"`.
pub(super) fn user(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    if !matches!(cursor.behind(), [] | [.., b' ' | b'\t' | b'\n' | b'-' | b'y' | b'\'' | b'"']) {
        return Ok(None);
    }
    cursor.at += anchor;
    if matches!(cursor.behind(), [.., b'"']) {
        cursor.at -= 1;
    }
    cursor.run(3, |b| b == b' ' || b == b'=')?;
    let (from, text) = word(&mut cursor)?;
    let Some(colon) = text.iter().position(|b| *b == b':') else { return Ok(None) };
    let (name, password) = (&text[..colon], &text[colon + 1..]);
    let named = name.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.@+%$\\{}".contains(b));
    // `1000:1000` and `www-data:www-data` are a user and a group.
    let good = named && name != password && is_password(password) && password.iter().any(|b| !b.is_ascii_digit());
    let at = from + colon + 1;
    Ok(good.then_some(at..at + password.len()))
}

/// Programs, the letter of their flag, and whether the password follows it at once.
const PROGRAMS: [(&[u8], u8, bool); 19] = [
    (b"mysql", b'p', true),
    (b"mysqldump", b'p', true),
    (b"mysqladmin", b'p', true),
    (b"mysqlimport", b'p', true),
    (b"mariadb", b'p', true),
    (b"mariadb-dump", b'p', true),
    (b"7z", b'p', true),
    (b"sshpass", b'p', true),
    (b"sshpass", b'p', false),
    (b"psexec", b'p', false),
    (b"PsExec", b'p', false),
    (b"psExec", b'p', false),
    (b"login", b'p', false),
    (b"mongo", b'p', false),
    (b"mongodump", b'p', false),
    (b"redis-cli", b'a', false),
    (b"ldapsearch", b'w', false),
    (b"ldapadd", b'w', false),
    (b"plink", b'p', false),
];

/// `sshpass -p …`, `mysql -u root -p…`, `redis-cli -a …`: the flag of a program that takes its password so.
pub(super) fn password(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    let behind = cursor.behind();
    let line = behind.rsplit(|b| b"\n;|&".contains(b)).next().unwrap_or_default();
    cursor.at += anchor.min(3);
    let letter = cursor.behind().last().copied().unwrap_or_default().to_ascii_lowercase();
    let words = || line.split(|b| !(b.is_ascii_alphanumeric() || *b == b'-'));
    let runs = |attached: bool| {
        words().any(|word| {
            PROGRAMS.iter().any(|(program, own, joined)| *own == letter && *joined == attached && word == *program)
        })
    };
    if letter == b'p' {
        cursor.take(|b| b == b'w')?;
    }
    let spaces = cursor.run(3, |b| b == b' ')?.len();
    if !runs(spaces == 0) {
        return Ok(None);
    }
    let (from, text) = word(&mut cursor)?;
    Ok((is_password(text) && !text.starts_with(b"-")).then_some(from..from + text.len()))
}

/// `IDENTIFIED BY 'password'`, `IDENTIFIED WITH plugin BY 'password'`.
pub(super) fn identified_by(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    let behind = cursor.behind();
    let shouted = cursor.text_between(cursor.at, cursor.at + anchor).iter().all(u8::is_ascii_uppercase);
    cursor.at += anchor;
    let blank = |cursor: &mut Cursor<'_>| cursor.run(8, |b| b.is_ascii_whitespace()).map(<[u8]>::len);
    let either =
        |cursor: &mut Cursor<'_>, upper: &[u8], lower: &[u8]| Ok::<_, More>(cursor.word(upper)? || cursor.word(lower)?);
    blank(&mut cursor)?;
    if either(&mut cursor, b"WITH", b"with")? {
        blank(&mut cursor)?;
        cursor.run(64, |b| b.is_ascii_alphanumeric() || b"_'\"`".contains(&b))?;
        blank(&mut cursor)?;
    }
    if !either(&mut cursor, b"BY", b"by")? || blank(&mut cursor)? == 0 {
        return Ok(None);
    }
    if either(&mut cursor, b"PASSWORD", b"password")? || either(&mut cursor, b"VALUES", b"values")? {
        blank(&mut cursor)?;
    }
    // "is identified by its name" is prose: without quotes the words are those of the statement.
    // So do some people quote: "identified by "name"".
    let quoted = match cursor.peek()? {
        Some(b'\'' | b'\\') => true,
        Some(b'"') => {
            ["user ", "role ", "grant ", "login "].iter().any(|word| judge::words::contains_any(behind, &[word]))
        }
        _ => false,
    };
    let (from, text) = word(&mut cursor)?;
    Ok(((quoted || shouted) && is_password(text)).then_some(from..from + text.len()))
}
