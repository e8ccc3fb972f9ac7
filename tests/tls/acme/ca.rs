//! A CA that gives certificates by ACME: as much of RFC 8555 as an honest client needs, and strict
//! about it. It looks at the proofs itself.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use intermission::digest;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::support::http1::{self, Message, Progress, Side};
use crate::support::tls::{Ca, Visitor};
use crate::support::{PATIENCE, eventually, raw};

/// Where the CA looks for proofs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Looks {
    /// At the host's port 80, which here is the node's listener in the clear.
    Http,
    /// At the host's port 443.
    Tls,
    /// Nowhere: it believes nothing.
    Nowhere,
}

/// The CA. Its thread ends with the process: it waits for connections and holds nothing.
pub(super) struct FakeCa(Arc<Shared>);

struct Shared {
    at: SocketAddr,
    looks: Looks,
    /// Whose certificate its own server shows.
    server_ca: Ca,
    /// Who signs what it gives.
    issuer: Ca,
    /// The node's two listeners.
    node: OnceLock<(SocketAddr, SocketAddr)>,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    nonces: HashSet<String>,
    /// The accounts' keys: the point, and its thumbprint (RFC 7638).
    accounts: HashMap<String, (Vec<u8>, String)>,
    orders: Vec<Order>,
    refused: usize,
}

#[derive(Clone)]
struct Order {
    domain: String,
    token: String,
    thumbprint: String,
    status: &'static str,
    certificate: String,
}

/// The beginning of a `SubjectPublicKeyInfo` of P-256, which a point follows.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What is answered: status, `Location`, body.
type Answer = (u16, Option<String>, String);

impl FakeCa {
    pub(super) fn start(looks: Looks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let shared = Arc::new(Shared {
            at: listener.local_addr().expect("it is bound"),
            looks,
            server_ca: Ca::new("of the CA's server"),
            issuer: Ca::new("of what it gives"),
            node: OnceLock::new(),
            desk: Mutex::default(),
        });
        let issued = shared.server_ca.issue(&["127.0.0.1"]);
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("our own PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![issued.der()], key)
            .expect("they match");
        let (config, serving) = (Arc::new(config), Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a config");
                let _ = serving.serve(StreamOwned::new(connection, stream));
            }
        });
        Self(shared)
    }

    /// Where it says what it offers.
    pub(super) fn directory(&self) -> String {
        self.0.url("directory")
    }

    /// Who has signed the certificate of its own server.
    pub(super) fn server_ca(&self) -> &Ca {
        &self.0.server_ca
    }

    /// Who signs what it gives.
    pub(super) fn issuer(&self) -> &Ca {
        &self.0.issuer
    }

    /// Looks for proofs there. Until this is said, it waits with looking.
    pub(super) fn look_at(&self, http: SocketAddr, https: SocketAddr) {
        let _ = self.0.node.set((http, https));
    }

    /// Certificates that it gave.
    pub(super) fn issued(&self) -> usize {
        let desk = self.0.desk.lock().expect("not poisoned");
        desk.orders.iter().filter(|order| !order.certificate.is_empty()).count()
    }

    /// Proofs that it did not believe.
    pub(super) fn refused(&self) -> usize {
        self.0.desk.lock().expect("not poisoned").refused
    }
}

impl Shared {
    fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.at)
    }

    /// One request of one connection.
    fn serve(&self, mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
        stream.sock.set_read_timeout(Some(PATIENCE))?;
        let mut bytes = Vec::new();
        let request = loop {
            if let Progress::Whole(request, _) = http1::read(&bytes, Side::Request) {
                break request;
            }
            let mut piece = [0; 16 * 1024];
            match stream.read(&mut piece)? {
                0 => return Ok(()),
                count => bytes.extend_from_slice(&piece[..count]),
            }
        };
        let (status, location, body) = self.answer(&request);
        let nonce = digest::base64url(&digest::random::<16>());
        self.desk.lock().expect("not poisoned").nonces.insert(nonce.clone());
        let location = location.map(|to| format!("Location: {to}\r\n")).unwrap_or_default();
        let length = body.len();
        let body = if request.method() == "HEAD" { "" } else { &body };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nReplay-Nonce: {nonce}\r\nContent-Length: {length}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n{location}\r\n{body}"
        )?;
        stream.conn.send_close_notify();
        stream.flush()
    }

    fn answer(&self, request: &Message) -> Answer {
        let path = request.target().trim_start_matches('/').to_owned();
        match (request.method(), path.as_str()) {
            ("GET", "directory") => {
                let names =
                    [("newNonce", "nonce"), ("newAccount", "account"), ("newOrder", "order")];
                let map = names.map(|(name, path)| (name.to_owned(), json!(self.url(path))));
                (200, None, Value::Object(map.into_iter().collect()).to_string())
            }
            ("HEAD", "nonce") => (200, None, String::new()),
            ("POST", _) => match self.take(&path, &request.body) {
                Ok((payload, account)) => self.post(&path, &payload, &account),
                Err(what) => problem("malformed", what),
            },
            _ => problem("malformed", "no such place"),
        }
    }

    /// Takes a signed request (RFC 8555 §6.2): payload and account.
    fn take(&self, path: &str, body: &[u8]) -> Result<(Value, String), &'static str> {
        let signed: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
        let text = |name: &str| signed[name].as_str().ok_or("a part is missing");
        let read = |name: &str| digest::unbase64url(text(name)?).ok_or("not base64url");
        let header: Value = serde_json::from_slice(&read("protected")?).map_err(|_| "no header")?;
        let mut desk = self.desk.lock().expect("not poisoned");
        if !desk.nonces.remove(header["nonce"].as_str().unwrap_or_default()) {
            return Err("a nonce that was not given, or was used");
        }
        if header["url"] != json!(self.url(path)) || header["alg"] != "ES256" {
            return Err("signed for another place, or by another algorithm");
        }
        let account = match header["jwk"].as_object() {
            Some(_) => {
                let part = |name: &str| header["jwk"][name].as_str().unwrap_or_default();
                let (x, y) = (part("x"), part("y"));
                let shape = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                let thumbprint = digest::base64url(&digest::sha256(shape.as_bytes()));
                let halves = [x, y].map(|half| digest::unbase64url(half).unwrap_or_default());
                let name = self.url(&format!("account/{thumbprint}"));
                let point = [&[4][..], &halves[0], &halves[1]].concat();
                desk.accounts.insert(name.clone(), (point, thumbprint));
                name
            }
            None => header["kid"].as_str().unwrap_or_default().to_owned(),
        };
        let (point, _) = desk.accounts.get(&account).ok_or("no such account")?;
        let message = format!("{}.{}", text("protected")?, text("payload")?);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message.as_bytes(), &read("signature")?)
            .map_err(|_| "the signature is not the account's")?;
        Ok((serde_json::from_slice(&read("payload")?).unwrap_or_default(), account))
    }

    fn post(&self, path: &str, payload: &Value, account: &str) -> Answer {
        let mut parts = path.split('/');
        let place = parts.next().unwrap_or_default();
        let number: Option<usize> = parts.next().and_then(|number| number.parse().ok());
        match (place, number) {
            ("account", None) => {
                assert_eq!(payload["contact"], json!(["mailto:ops@acme.test"]));
                assert_eq!(payload["termsOfServiceAgreed"], true);
                (201, Some(account.to_owned()), json!({ "status": "valid" }).to_string())
            }
            ("order", None) => self.begin(payload, account),
            ("order", Some(number)) => self.shown(number, 200),
            ("authz", Some(number)) => {
                let order = self.order(number);
                let challenge = |kind: &str| {
                    let url = self.url(&format!("challenge/{number}/{kind}"));
                    json!({ "type": kind, "url": url, "token": order.token, "status": "pending" })
                };
                let status = if order.status == "pending" { "pending" } else { "valid" };
                let identifier = json!({ "type": "dns", "value": order.domain });
                let challenges = [challenge("http-01"), challenge("tls-alpn-01")];
                let body = json!({
                    "identifier": identifier, "status": status, "challenges": challenges,
                });
                (200, None, body.to_string())
            }
            ("challenge", Some(number)) => self.look(number, parts.next().unwrap_or_default()),
            ("finalize", Some(number)) => self.sign(number, payload),
            ("certificate", Some(number)) => (200, None, self.order(number).certificate),
            _ => problem("malformed", "no such place"),
        }
    }

    fn order(&self, number: usize) -> Order {
        self.desk.lock().expect("not poisoned").orders[number].clone()
    }

    fn begin(&self, payload: &Value, account: &str) -> Answer {
        let domain = payload["identifiers"][0]["value"].as_str().expect("a domain").to_owned();
        let mut desk = self.desk.lock().expect("not poisoned");
        let thumbprint = desk.accounts[account].1.clone();
        let token = digest::base64url(&digest::random::<24>());
        let (status, certificate) = ("pending", String::new());
        desk.orders.push(Order { domain, token, thumbprint, status, certificate });
        let number = desk.orders.len() - 1;
        drop(desk);
        self.shown(number, 201)
    }

    fn shown(&self, number: usize, status: u16) -> Answer {
        let order = self.order(number);
        let mut body = json!({
            "status": order.status,
            "identifiers": [{ "type": "dns", "value": order.domain }],
            "authorizations": [self.url(&format!("authz/{number}"))],
            "finalize": self.url(&format!("finalize/{number}")),
        });
        if order.status == "valid" {
            body["certificate"] = json!(self.url(&format!("certificate/{number}")));
        }
        (status, Some(self.url(&format!("order/{number}"))), body.to_string())
    }

    /// Looks at the proof, as a CA does from the internet.
    fn look(&self, number: usize, kind: &str) -> Answer {
        let order = self.order(number);
        let (http, https) = *eventually("somebody to look at", || self.node.get());
        let proof = format!("{}.{}", order.token, order.thumbprint);
        let proved = match (self.looks, kind) {
            (Looks::Http, "http-01") => {
                let path = format!("/.well-known/acme-challenge/{}", order.token);
                let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", order.domain);
                let answer = raw::exchange(http, request);
                answer.status() == 200 && answer.body == proof.as_bytes()
            }
            (Looks::Tls, "tls-alpn-01") => {
                let visitor = Visitor::trusting_anybody().offering(&["acme-tls/1"]);
                let shaken = visitor.connect(https, &order.domain);
                let hash = digest::sha256(proof.as_bytes());
                // The hash stands in the certificate in an extension of its own (RFC 8737 §3).
                let shown = shaken.shown();
                let agreed = shaken.connection().alpn_protocol() == Some(b"acme-tls/1");
                agreed && shown.windows(hash.len()).any(|part| part == hash)
            }
            _ => false,
        };
        let mut desk = self.desk.lock().expect("not poisoned");
        desk.refused += usize::from(!proved);
        desk.orders[number].status = if proved { "ready" } else { "invalid" };
        drop(desk);
        let url = self.url(&format!("challenge/{number}/{kind}"));
        let status = if proved { "valid" } else { "invalid" };
        let body = json!({ "type": kind, "url": url, "token": order.token, "status": status });
        (200, None, body.to_string())
    }

    fn sign(&self, number: usize, payload: &Value) -> Answer {
        let order = self.order(number);
        if order.status != "ready" {
            return problem("orderNotReady", "nothing is proved");
        }
        let csr = digest::unbase64url(payload["csr"].as_str().unwrap_or_default());
        let csr = csr.expect("base64url");
        let at = csr.windows(P256.len()).position(|part| part == P256).expect("a key of P-256");
        let point = csr[at + P256.len()..][..65].to_vec();
        let certificate = self.issuer.issue_for(&order.domain, point);
        let mut desk = self.desk.lock().expect("not poisoned");
        (desk.orders[number].certificate, desk.orders[number].status) = (certificate, "valid");
        drop(desk);
        self.shown(number, 200)
    }
}

fn problem(kind: &str, what: &str) -> Answer {
    let kind = format!("urn:ietf:params:acme:error:{kind}");
    (400, None, json!({ "type": kind, "detail": what }).to_string())
}
