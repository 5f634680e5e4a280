//! The way to a provider over TLS: whose certificate counts, and that the key goes to nobody else.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::harness::{KEY, PATIENT, Request, World, document};
use crate::Roots;

const TURN: &str = r#"{"model":"sonnet","messages":[]}"#;
const DONE: &str = r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#;

struct TlsProvider {
    port: u16,
    authority: CertificateDer<'static>,
    /// Everything that came through a finished handshake.
    seen: Arc<Mutex<String>>,
}

impl TlsProvider {
    /// A provider with a certificate for `name`.
    async fn start(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(String::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut raw = vec![0; 16 * 1024];
                let read = stream.read(&mut raw).await.unwrap_or(0);
                record.lock().unwrap().push_str(&String::from_utf8_lossy(&raw[..read]));
                let _ = stream.write_all(&document("200 OK", "connection: close\r\n", DONE)).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, authority: authority.der().clone(), seen }
    }
}

#[tokio::test]
async fn the_key_goes_to_the_named_host_only() {
    let right = TlsProvider::start("localhost").await;
    let wrong_name = TlsProvider::start("other.example").await;
    let strange = TlsProvider::start("localhost").await;
    let roots = Roots::given([right.authority.clone(), wrong_name.authority.clone()]).unwrap();
    let world = World::trusting(PATIENT, roots).await;
    for (name, provider) in [("certificate of another name", &wrong_name), ("unknown authority", &strange)] {
        world.move_provider(format!("https://localhost:{}", provider.port));
        assert_eq!(world.ask(Request::messages(TURN)).await.refusal(), (502, "unreachable"), "{name}");
        assert!(provider.seen.lock().unwrap().is_empty(), "{name}");
    }
    assert!(world.nothing_was_metered().await);
    world.move_provider(format!("https://localhost:{}", right.port));
    let reply = world.ask(Request::messages(TURN)).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, DONE));
    assert!(right.seen.lock().unwrap().contains(KEY));
}
