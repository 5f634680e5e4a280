//! An authenticator in software, for tests. It signs whatever it is told to: so do attackers.

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use wardkeep_proto::digest::Digest;

use crate::{Assertion, Passkey, PublicKey, Registration, rp_id_of};

/// One key.
pub struct SoftKey {
    signer: Signer,
    /// Its name.
    pub credential_id: Vec<u8>,
    /// The site it was made for.
    pub origin: String,
    /// How often it signed; stays 0 where it is `None`.
    pub counter: Option<u32>,
}

enum Signer {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// What an assertion or registration says; a test changes what it likes before it is signed.
#[derive(Clone, Debug)]
pub struct Says {
    /// `webauthn.get`.
    pub ceremony: String,
    /// What is signed.
    pub challenge: Vec<u8>,
    /// The page.
    pub origin: String,
    /// As JSON: what stands behind the origin.
    pub more: String,
    /// The relying party.
    pub rp_id: String,
    /// User present, verified and so on.
    pub flags: u8,
    /// The counter.
    pub counter: u32,
    /// Behind the fixed part.
    pub tail: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "ring takes no other source, and only tests sign")]
fn chance() -> SystemRandom {
    SystemRandom::new()
}

impl SoftKey {
    /// A key of P-256.
    ///
    /// # Panics
    /// Without chance.
    #[must_use]
    pub fn es256(origin: &str, credential_id: &[u8]) -> Self {
        let random = chance();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("chance");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random).expect("a key");
        Self::of(Signer::Es256(pair), origin, credential_id)
    }

    /// A key of Ed25519.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn ed25519(origin: &str, credential_id: &[u8], seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes");
        Self::of(Signer::EdDsa(pair), origin, credential_id)
    }

    fn of(signer: Signer, origin: &str, credential_id: &[u8]) -> Self {
        Self { signer, credential_id: credential_id.to_vec(), origin: origin.to_owned(), counter: None }
    }

    /// What verifies it.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match &self.signer {
            Signer::Es256(pair) => PublicKey::Es256(pair.public_key().as_ref().try_into().expect("65 bytes")),
            Signer::EdDsa(pair) => PublicKey::EdDsa(pair.public_key().as_ref().try_into().expect("32 bytes")),
        }
    }

    /// As it is registered.
    ///
    /// # Panics
    /// When the origin is none.
    #[must_use]
    pub fn passkey(&self) -> Passkey {
        Passkey::new(self.credential_id.clone(), &self.public_key().to_cose(), &self.origin).expect("a key")
    }

    /// What it says when its person uses it on its site.
    #[must_use]
    pub fn says(&mut self, ceremony: &str, challenge: &[u8]) -> Says {
        if let Some(counter) = &mut self.counter {
            *counter += 1;
        }
        Says {
            ceremony: ceremony.to_owned(),
            challenge: challenge.to_vec(),
            origin: self.origin.clone(),
            more: r#","crossOrigin":false"#.to_owned(),
            rp_id: rp_id_of(&self.origin).unwrap_or_default().to_owned(),
            flags: 0b0000_0101,
            counter: self.counter.unwrap_or_default(),
            tail: Vec::new(),
        }
    }

    /// Uses it.
    #[must_use]
    pub fn assert(&mut self, challenge: &Digest) -> Assertion {
        let says = self.says("webauthn.get", &challenge.0);
        self.sign(&says)
    }

    /// Signs what it is told to.
    ///
    /// # Panics
    /// Without chance.
    #[must_use]
    pub fn sign(&self, says: &Says) -> Assertion {
        let (authenticator_data, client_data_json) = (says.authenticator_data(), says.client_data());
        let covered = [authenticator_data.as_slice(), &Digest::plain(&client_data_json).0].concat();
        let signature = match &self.signer {
            Signer::Es256(pair) => pair.sign(&chance(), &covered).expect("chance").as_ref().to_vec(),
            Signer::EdDsa(pair) => pair.sign(&covered).as_ref().to_vec(),
        };
        Assertion { credential_id: self.credential_id.clone(), authenticator_data, client_data_json, signature }
    }

    /// What a browser sends when the key is made.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn register(&mut self, challenge: &[u8]) -> Registration {
        let mut says = self.says("webauthn.create", challenge);
        says.flags |= 1 << 6;
        let length = u16::try_from(self.credential_id.len()).expect("short").to_be_bytes();
        says.tail = [&[0; 16], length.as_slice(), &self.credential_id, &self.public_key().to_cose()].concat();
        Registration { authenticator_data: says.authenticator_data(), client_data_json: says.client_data() }
    }
}

impl Says {
    fn authenticator_data(&self) -> Vec<u8> {
        let hash = Digest::plain(self.rp_id.as_bytes()).0;
        [&hash, [self.flags].as_slice(), &self.counter.to_be_bytes(), &self.tail].concat()
    }

    fn client_data(&self) -> Vec<u8> {
        let challenge = BASE64URL_NOPAD.encode(&self.challenge);
        let Self { ceremony, origin, more, .. } = self;
        format!(r#"{{"type":"{ceremony}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes()
    }
}

/// Reads `bytes` in every way that hostile ones are read; what must hold for all of them is checked.
///
/// # Panics
/// When something is taken that must not be.
pub fn try_hostile(bytes: &[u8]) {
    let asked = Digest([7; 32]);
    if let Ok(key) = PublicKey::from_cose(bytes) {
        assert_eq!(key.to_cose(), bytes, "a key with two encodings");
    }
    let passkey = SoftKey::ed25519("https://h.example", b"c", 1).passkey();
    let (head, tail) = bytes.split_at(bytes.len().min(37));
    // As data that the authenticator signed, in front of what it says; with the right site, so that the rest is reached.
    let site = Digest::plain(b"h.example").0;
    for data in [
        bytes.to_vec(),
        [&site, [0x45].as_slice(), &[0; 4], bytes].concat(),
        [&site, [0x85].as_slice(), &[0; 4], bytes].concat(),
    ] {
        let says = |ceremony| {
            Says { ceremony, ..SoftKey::ed25519("https://h.example", b"c", 1).says("", &asked.0) }.client_data()
        };
        let registration =
            Registration { authenticator_data: data.clone(), client_data_json: says("webauthn.create".to_owned()) };
        if let Ok(made) = registration.accept(&asked, "https://h.example") {
            assert!(
                Passkey::new(made.passkey.credential_id, &made.passkey.public_key.to_cose(), "https://h.example")
                    .is_ok()
            );
        }
        let signed = Assertion {
            credential_id: b"c".to_vec(),
            authenticator_data: data,
            client_data_json: says("webauthn.get".to_owned()),
            signature: tail.to_vec(),
        };
        assert!(passkey.verify(&signed, &asked).is_err(), "a signature that nobody made");
    }
    let other = Assertion {
        credential_id: b"c".to_vec(),
        authenticator_data: head.to_vec(),
        client_data_json: bytes.to_vec(),
        signature: tail.to_vec(),
    };
    assert!(passkey.verify(&other, &asked).is_err(), "a signature that nobody made");
    if let Ok(assertion) = serde_json::from_slice::<Assertion>(bytes) {
        assert!(passkey.verify(&assertion, &asked).is_err(), "a signature that nobody made");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(code) = text.parse::<crate::Code>() {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        if let Some(host) = rp_id_of(text) {
            assert!(text.contains(host));
        }
    }
}
