//! A hub as small as can be that speaks the real protocol: TLS, optional client certificates, all three services.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ring::signature::Ed25519KeyPair;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use wardkeep_policy::signed::{Key, KeyList};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use wardkeep_proto::v1::report_server::{Report, ReportServer};
use wardkeep_proto::v1::tenant_link_server::{TenantLink, TenantLinkServer};
use wardkeep_proto::v1::{self, hub_message, tenant_message};

use super::Authority;
use crate::enrol::token::Token;
use crate::hub_address::HubAddress;
use crate::link::decision::tests::{key, public};

pub(crate) const TENANT: &str = "01890000-0000-7000-8000-000000000001";
pub(crate) const ROOT: u8 = 11;
pub(crate) const ONLINE: u8 = 12;
pub(crate) const DECISION: u8 = 13;

/// One accepted stream, as the test drives it.
pub(crate) struct Attached {
    from_tenant: Streaming<v1::TenantMessage>,
    to_tenant: mpsc::Sender<Result<v1::HubMessage, Status>>,
    seq: u64,
    /// Highest activity row that came.
    pub(crate) activity: u64,
}

impl Attached {
    /// The next message of the tenant that is not about its liveness.
    pub(crate) async fn next(&mut self) -> tenant_message::Body {
        let next = async {
            loop {
                let message = self.from_tenant.message().await.expect("the link works").expect("the link is open");
                match message.body.expect("a body") {
                    tenant_message::Body::Heartbeat(_) | tenant_message::Body::Delta(_) => {}
                    tenant_message::Body::Activity(activity) => {
                        self.activity = activity.rows.last().expect("never empty").number;
                        return tenant_message::Body::Activity(activity);
                    }
                    body => return body,
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), next).await.expect("a message in time")
    }

    /// The next message that `pick` wants; others are passed over.
    pub(crate) async fn until<T>(&mut self, pick: impl Fn(tenant_message::Body) -> Option<T>) -> T {
        loop {
            if let Some(wanted) = pick(self.next().await) {
                return wanted;
            }
        }
    }

    pub(crate) async fn send(&mut self, body: hub_message::Body) {
        self.seq += 1;
        self.send_numbered(self.seq, body).await;
    }

    pub(crate) async fn send_numbered(&mut self, seq: u64, body: hub_message::Body) {
        self.to_tenant.send(Ok(v1::HubMessage { seq, body: Some(body) })).await.expect("the tenant listens");
    }

    /// Hello in, welcome out.
    pub(crate) async fn greet(&mut self) -> v1::Hello {
        let tenant_message::Body::Hello(hello) = self.next().await else { panic!("no hello") };
        self.send(hub_message::Body::Welcome(v1::Welcome {
            protocol: 1,
            heartbeat_ms: 30_000,
            epoch: 1,
            hub_time_ms: super::NOW.millis(),
        }))
        .await;
        hello
    }
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) enrolments: Vec<v1::EnrolRequest>,
    pub(crate) renewals: Vec<v1::RenewRequest>,
    pub(crate) usage: Vec<v1::UsageReport>,
    pub(crate) checkpoints: Vec<v1::AuditCheckpointReport>,
}

pub(crate) struct FakeHub {
    pub(crate) ca: Authority,
    pub(crate) address: HubAddress,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) attached: AsyncMutex<mpsc::Receiver<Attached>>,
    spoil: Arc<Mutex<Spoil>>,
    _stop: tokio_util::sync::DropGuard,
}

/// How the hub lies about an enrolment.
pub(crate) type Spoil = Option<fn(&mut v1::EnrolResponse)>;

#[derive(Clone)]
struct Services {
    ca: Arc<Authority>,
    seen: Arc<Mutex<Seen>>,
    spoil: Arc<Mutex<Spoil>>,
    attached: mpsc::Sender<Attached>,
}

pub(crate) fn key_list() -> Vec<u8> {
    KeyList { version: 1, keys: vec![Key::new(&public(&key(ONLINE)))], decision: Vec::new() }.sign(&key(ROOT))
}

pub(crate) fn online_key() -> Ed25519KeyPair {
    key(ONLINE)
}

impl FakeHub {
    pub(crate) async fn start() -> Self {
        let ca = Authority::new("hub");
        let server = ca.server("localhost");
        let pem = |der: &[u8], label: &str| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", data_encoding::BASE64.encode(der))
        };
        let chain = format!("{}{}", pem(&server.leaf, "CERTIFICATE"), ca.pem());
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(chain, pem(&server.key, "PRIVATE KEY")))
            .client_ca_root(Certificate::from_pem(ca.pem()))
            .client_auth_optional(true);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (sender, attached) = mpsc::channel(8);
        let (seen, spoil) = (Arc::<Mutex<Seen>>::default(), Arc::<Mutex<Spoil>>::default());
        let services =
            Services { ca: Arc::new(ca.clone()), seen: seen.clone(), spoil: spoil.clone(), attached: sender };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(
            Server::builder()
                .tls_config(tls)
                .expect("tls")
                .add_service(EnrolmentServer::new(services.clone()))
                .add_service(TenantLinkServer::new(services.clone()))
                .add_service(ReportServer::new(services))
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped),
        );
        let address = format!("https://localhost:{port}").parse().expect("an address");
        Self { ca, address, seen, attached: AsyncMutex::new(attached), spoil, _stop: stop.drop_guard() }
    }

    pub(crate) fn spoil(&self, spoil: Spoil) {
        *self.spoil.lock().expect("unpoisoned") = spoil;
    }

    pub(crate) fn token(&self) -> Token {
        self.token_with(self.ca.pin(), Digest::plain(&public(&key(ROOT))))
    }

    pub(crate) fn token_with(&self, authority: Digest, root: Digest) -> Token {
        let secret = data_encoding::BASE64URL_NOPAD.encode(&[5; 32]);
        let json = format!(r#"{{"a":"{}","c":"{authority}","r":"{root}","t":"{secret}"}}"#, self.address);
        format!("wke1.{}", data_encoding::BASE64URL_NOPAD.encode(json.as_bytes())).parse().expect("a token")
    }

    /// The next stream that a tenant opens.
    pub(crate) async fn next_stream(&self) -> Attached {
        let mut attached = self.attached.lock().await;
        let next = attached.recv();
        tokio::time::timeout(std::time::Duration::from_secs(20), next).await.expect("in time").expect("a stream")
    }
}

impl Services {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("unpoisoned")
    }
}

fn certified<T>(request: &Request<T>) -> Result<(), Status> {
    match request.peer_certs() {
        Some(certs) if !certs.is_empty() => Ok(()),
        _ => Err(Status::unauthenticated("a client certificate is needed")),
    }
}

#[tonic::async_trait]
impl Enrolment for Services {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let request = request.into_inner();
        let mut answer = v1::EnrolResponse {
            tenant_id: TENANT.into(),
            tenant_name: "acme".into(),
            certificate_chain_pem: self.ca.answer(&request.csr_der),
            ca_pem: self.ca.pem(),
            decision_key: public(&key(DECISION)).to_vec(),
            key_list: key_list(),
            root_key: public(&key(ROOT)).to_vec(),
        };
        if let Some(spoil) = *self.spoil.lock().expect("unpoisoned") {
            spoil(&mut answer);
        }
        self.seen().enrolments.push(request);
        Ok(Response::new(answer))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        certified(&request)?;
        let request = request.into_inner();
        let certificate_chain_pem = self.ca.answer(&request.csr_der);
        self.seen().renewals.push(request);
        Ok(Response::new(v1::RenewResponse { certificate_chain_pem, ca_pem: self.ca.pem() }))
    }
}

#[tonic::async_trait]
impl TenantLink for Services {
    type AttachStream = Pin<Box<ReceiverStream<Result<v1::HubMessage, Status>>>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::TenantMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        certified(&request)?;
        let (to_tenant, messages) = mpsc::channel(64);
        let attached = Attached { from_tenant: request.into_inner(), to_tenant, seq: 0, activity: 0 };
        self.attached.send(attached).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

#[tonic::async_trait]
impl Report for Services {
    async fn usage(&self, request: Request<v1::UsageReport>) -> Result<Response<v1::UsageReceipt>, Status> {
        certified(&request)?;
        let report = request.into_inner();
        let accepted = report.buckets.iter().map(|bucket| v1::UsageAccepted {
            agent: bucket.agent.clone(),
            provider: bucket.provider.clone(),
            model: bucket.model.clone(),
            hour_ms: bucket.hour_ms,
            revision: bucket.revision,
        });
        let accepted = accepted.collect();
        self.seen().usage.push(report);
        Ok(Response::new(v1::UsageReceipt { accepted }))
    }

    async fn audit_checkpoint(
        &self,
        request: Request<v1::AuditCheckpointReport>,
    ) -> Result<Response<v1::AuditCheckpointReceipt>, Status> {
        certified(&request)?;
        let report = request.into_inner();
        let length = report.length;
        self.seen().checkpoints.push(report);
        Ok(Response::new(v1::AuditCheckpointReceipt { length, consistent: true }))
    }

    async fn audit_checkpoints(
        &self,
        request: Request<v1::AuditCheckpointsRequest>,
    ) -> Result<Response<v1::AuditCheckpointsList>, Status> {
        certified(&request)?;
        let stored = |report: &v1::AuditCheckpointReport| v1::StoredCheckpoint {
            length: report.length,
            head: report.head.clone(),
            at_ms: report.at_ms,
            signature: report.signature.clone(),
        };
        let checkpoints = self.seen().checkpoints.iter().map(stored).collect();
        Ok(Response::new(v1::AuditCheckpointsList { checkpoints }))
    }
}
