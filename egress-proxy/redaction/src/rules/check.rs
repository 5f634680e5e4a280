//! What the characters of a secret must satisfy beyond their pattern: check digits, checksums, inner structure.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use ring::digest;
use serde::{Deserialize, Serialize};

/// A validator, named by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Check digit of card numbers; spaces and hyphens between the digits. ISO/IEC 7812-1, annex B.
    Luhn,
    /// Country, its length, remainder 1 modulo 97; single spaces between groups. ISO 13616, SWIFT IBAN registry.
    Iban,
    /// After the last `_`: characters, then their CRC-32 in six digits of base 62. GitHub's and npm's tokens,
    /// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>.
    Crc32Base62,
    /// From the first `ey` on: base64 of a JSON object, in either alphabet.
    Base64Json,
    /// Base64 of any bytes, in either alphabet, with whole groups.
    Base64,
    /// Two or more parts of base64url divided by dots, the first a JSON object. RFC 7515, RFC 7519.
    Jwt,
    /// A checksum over prefix and data. BIP 173; age keys.
    Bech32,
    /// The first four bytes of a double SHA-256 at the end. Wallet keys.
    Base58check,
}

impl Check {
    /// Whether `secret` satisfies it.
    pub(super) fn holds(self, secret: &[u8]) -> bool {
        match self {
            Self::Luhn => luhn(secret),
            Self::Iban => iban(secret),
            Self::Crc32Base62 => crc32_base62(secret),
            Self::Base64Json => {
                secret.windows(2).position(|w| w == b"ey").is_some_and(|at| is_base64_json(&secret[at..]))
            }
            Self::Base64 => base64(secret).is_some(),
            Self::Jwt => jwt(secret),
            Self::Bech32 => bech32(secret),
            Self::Base58check => base58check(secret),
        }
    }
}

/// Shannon entropy in bits per byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|&b| counts[usize::from(b)] += 1);
    let len = text.len() as f64;
    counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / len).map(|p| -p * p.log2()).sum()
}

/// `xxxx`, `****`, `0000`: the place of a secret in documentation, where a vendor's prefix leaves no other doubt.
pub(super) fn is_blank(text: &[u8]) -> bool {
    const BLANKS: &[u8] = b"xX0*._-";
    text.iter().all(|b| BLANKS.contains(b))
        || text.windows(4).any(|w| w[1..].iter().all(|b| b.eq_ignore_ascii_case(&w[0])) && b"xX*._-".contains(&w[0]))
}

/// As [`is_blank`], everything made of two characters at most, and what says itself that it stands for something else.
pub(super) fn is_filler(text: &[u8]) -> bool {
    let mut different = [false; 256];
    text.iter().for_each(|b| different[usize::from(b.to_ascii_lowercase())] = true);
    let stands_for = |word: &[u8]| text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    different.iter().filter(|&&d| d).count() <= 2
        || is_blank(text)
        || stands_for(b"placeholder")
        || stands_for(b"your_")
        || stands_for(b"your-")
}

fn luhn(text: &[u8]) -> bool {
    let digits: Vec<u32> =
        text.iter().filter(|b| !matches!(b, b' ' | b'-')).map(|b| u32::from(b.wrapping_sub(b'0'))).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    (12..=19).contains(&digits.len()) && digits.iter().all(|&d| d < 10) && sum.is_multiple_of(10) && !is_filler(text)
}

/// Countries with the length of their IBAN. SWIFT IBAN registry, release 99.
const IBAN: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 \
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 \
    RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

fn iban(text: &[u8]) -> bool {
    let text: Vec<u8> = text.iter().filter(|b| **b != b' ').map(u8::to_ascii_uppercase).collect();
    let known = text.len() > 4
        && IBAN
            .split(' ')
            .any(|entry| text.starts_with(&entry.as_bytes()[..2]) && entry[2..].parse() == Ok(text.len()));
    if !known || !text.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let remainder = text[4..].iter().chain(&text[..4]).fold(0_u32, |sum, &b| match b {
        b'0'..=b'9' => (sum * 10 + u32::from(b - b'0')) % 97,
        _ => (sum * 100 + u32::from(b - b'A') + 10) % 97,
    });
    remainder == 1
}

/// CRC-32 as in ISO 3309, zlib and PNG.
fn crc32(text: &[u8]) -> u32 {
    !text.iter().fold(!0, |crc, &b| {
        (0..8).fold(crc ^ u32::from(b), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

fn crc32_base62(secret: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = secret.rsplit(|b| *b == b'_').next().unwrap_or_default();
    let Some((text, sum)) = body.split_last_chunk::<6>() else { return false };
    let mut rest = crc32(text);
    let mut wanted = [b'0'; 6];
    for digit in wanted.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    !text.is_empty() && *sum == wanted
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let bare = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let usual: Vec<u8> = bare
        .iter()
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            b => *b,
        })
        .collect();
    BASE64_NOPAD.decode(&usual).ok().filter(|bytes| !bytes.is_empty())
}

/// Whether a JSON object begins here; it may be cut anywhere.
pub(super) fn is_base64_json(text: &[u8]) -> bool {
    let bare = text.split(|b| *b == b'=').next().unwrap_or_default();
    let Some(json) = base64(&bare[..bare.len() / 4 * 4]) else { return false };
    let inner = json.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inner.is_some_and(|inner| inner.first() == Some(&b'"')) && json.contains(&b':')
}

fn jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'.');
    let head = parts.next().is_some_and(is_base64_json);
    let rest: Vec<&[u8]> = parts.collect();
    head && (1..=4).contains(&rest.len())
        && rest.iter().all(|part| part.iter().all(|b| BASE64URL_NOPAD.specification().symbols.as_bytes().contains(b)))
}

fn bech32(text: &[u8]) -> bool {
    const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const FACTORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let text = text.to_ascii_lowercase();
    let Some(one) = text.iter().rposition(|b| *b == b'1').filter(|at| *at > 0 && text.len() - at > 6) else {
        return false;
    };
    let (prefix, data) = (&text[..one], &text[one + 1..]);
    let data: Option<Vec<u32>> =
        data.iter().map(|b| DIGITS.iter().position(|d| d == b).and_then(|at| u32::try_from(at).ok())).collect();
    let Some(data) = data else { return false };
    let spread = prefix.iter().map(|b| u32::from(b >> 5)).chain([0]).chain(prefix.iter().map(|b| u32::from(b & 31)));
    let sum = spread.chain(data).fold(1_u32, |sum, value| {
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        FACTORS
            .iter()
            .enumerate()
            .filter(|(bit, _)| sum >> 25 >> bit & 1 == 1)
            .fold(next, |next, (_, factor)| next ^ factor)
    });
    sum == 1
}

fn base58check(text: &[u8]) -> bool {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for b in text {
        let Some(digit) = DIGITS.iter().position(|d| d == b) else { return false };
        let mut carry = digit as u32;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.insert(0, (carry & 0xff) as u8);
        }
    }
    let zeros = text.iter().take_while(|b| **b == b'1').count();
    bytes.splice(0..0, std::iter::repeat_n(0, zeros));
    let Some((data, sum)) = bytes.split_last_chunk::<4>() else { return false };
    let once = digest::digest(&digest::SHA256, data);
    let twice = digest::digest(&digest::SHA256, once.as_ref());
    !data.is_empty() && twice.as_ref()[..4] == *sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_refuse_one_wrong_character_and_take_the_published_examples() {
        let cases: &[(Check, &[&str], &[&str])] = &[
            // Test numbers of the card networks.
            (
                Check::Luhn,
                &["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"],
                &["4111 1111 1111 1112", "0000 0000 0000 0000", "411111111", "4111a1111b1111c1111"],
            ),
            // Examples of the IBAN registry.
            (
                Check::Iban,
                &["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO9386011117947"],
                &["DE88 3704 0044 0532 0130 00", "DE8937040044053201300", "ZZ89370400440532013000", "DE89"],
            ),
            (
                Check::Crc32Base62,
                &["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"],
                &["ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", "ghp_", "0mLq17"],
            ),
            (
                Check::Base64Json,
                &["eyJhIjoiYiJ9", "glc_eyJvIjoiMTIzIiwibiI6InQifQ=="],
                &["eyAgICAgICAg", "eyJhYmNkZWZn", "abcd"],
            ),
            (Check::Base64, &["c2VjcmV0", "c2VjcmV0cw==", "-_-_"], &["c2VjcmV0a", "c2Vj!mV0", ""]),
            (
                Check::Jwt,
                &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
                &["eyJhbGciOiJIUzI1NiJ9", "eyJhbGci!iJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "YWJj.YWJj.YWJj"],
            ),
            (
                // Valid strings of BIP 173.
                Check::Bech32,
                &["A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"],
                &["A12UEL5M", "1qqqqqqq", "abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxb"],
            ),
            (
                // The address of the first block.
                Check::Base58check,
                &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
                &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "0OIl", ""],
            ),
        ];
        for (check, good, bad) in cases {
            for text in *bad {
                assert!(!check.holds(text.as_bytes()), "{check:?}: {text}");
            }
            for text in *good {
                assert!(check.holds(text.as_bytes()), "{check:?}: {text}");
            }
        }
    }

    #[test]
    fn every_digit_counts() {
        for (check, good) in [(Check::Luhn, "4111111111111111"), (Check::Iban, "DE89370400440532013000")] {
            for at in 4..good.len() {
                let mut bad = good.as_bytes().to_vec();
                bad[at] = b'0' + (bad[at] - b'0' + 1) % 10;
                assert!(!check.holds(&bad), "{check:?} {at}");
            }
        }
    }

    #[test]
    fn entropy_grows_with_variety() {
        assert!(entropy(b"aaaaaaaa").abs() < 1e-9);
        assert!((entropy(b"abcdabcd") - 2.0).abs() < 1e-9);
        assert!(is_filler(b"abababab") && is_filler(b"AbcXXXXdef") && is_filler(b"k____q7z"));
        assert!(is_filler(b"your_api_key_here_12345") && is_filler(b"9aPlaceholder77"));
        assert!(!is_filler(b"q9x2mn7pk4") && !is_blank(b"aaaaaaaaaa") && is_blank(b"00000000"));
    }
}
