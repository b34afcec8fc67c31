//! TLS: who trusts whom, who is known by a certificate, and certificates that change while the server runs.

use std::fs;
use std::path::{Path, PathBuf};

use paymux_proto::client::{Client, ConnectError, Credentials, Refusal};
use paymux_proto::v1::ErrorReason;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;
use tonic::Code;

use crate::access::{Keyed, config_with};
use crate::rig::{PATIENCE, Ports, Server, World, get, http, paymux};

/// An authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a test rig that works");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).expect("a test rig that works").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a test rig that works");
        let certificate = params.signed_by(&key, &self.issuer).expect("a test rig that works").pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn server(&self) -> Pair {
        self.sign(&CertificateParams::new(["127.0.0.1".to_owned()]).expect("a test rig that works"))
    }

    fn client(&self, uri: &str) -> Pair {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::URI(uri.try_into().expect("a test rig that works")));
        self.sign(&params)
    }
}

/// A server with TLS on both doors, and one caller of each kind.
struct Rig {
    world: World,
    server: Server,
    ports: Ports,
    authority: Authority,
    shop: Keyed,
    _data: TempDir,
}

const MESH_URI: &str = "spiffe://cluster/shop";

impl Rig {
    fn start(clients: &str) -> Self {
        let world = World::start(&[]);
        let authority = Authority::new("authority");
        let shop = Keyed::new("shop");
        write_pair(world.folder.path(), &authority.server());
        fs::write(world.folder.path().join("ca.pem"), &authority.pem).expect("a test rig that works");
        let files = "certificate_file = \"server.pem\"\nprivate_key_file = \"server.key\"\n";
        let mut sections = shop.section("\"read\"", "\"m01\"", "");
        if !clients.is_empty() {
            sections.push_str(&format!(
                "[callers.mesh]\ncertificate_names = [\"uri:{MESH_URI}\"]\nrights = [\"read\"]\nmerchants = [\"m01\"]\n"
            ));
        }
        sections.push_str(&format!("[server.grpc_tls]\n{files}{clients}\n[server.notify_tls]\n{files}"));
        let config = config_with(&world, "tls.toml", &sections);
        let (data, ports) = (TempDir::new().expect("a test rig that works"), Ports::free());
        let mut server = Server::start(&config, data.path(), ports);
        server.grpc = server.grpc.replace("http://", "https://");
        Self { world, server, ports, authority, shop, _data: data }
    }

    fn trusting(&self) -> Credentials {
        Credentials::default().with_server_ca(&self.authority.pem)
    }

    async fn connect(&self, credentials: &Credentials) -> Result<Client, ConnectError> {
        Client::connect_as(&self.server.grpc, credentials).await
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.world.folder.path().join(name);
        fs::write(&path, text).expect("a test rig that works");
        path
    }
}

fn write_pair(folder: &Path, pair: &Pair) {
    fs::write(folder.join("server.pem"), &pair.certificate).expect("a test rig that works");
    fs::write(folder.join("server.key"), &pair.key).expect("a test rig that works");
}

/// What a call about no order leads to; the transport may refuse with the connection or with the first call on it.
async fn asked(connected: Result<Client, ConnectError>) -> Result<(Code, ErrorReason), String> {
    let client = connected.map_err(|error| format!("{error:?}"))?;
    let status =
        client.orders().get_order(get("m01", "TLS-0001", 0)).await.expect_err("there is no such order");
    let refusal = Refusal::of(&status);
    if refusal.reason == ErrorReason::Unspecified {
        Err(format!("{status:?}"))
    } else {
        Ok((refusal.code, refusal.reason))
    }
}

const KNOWN: (Code, ErrorReason) = (Code::NotFound, ErrorReason::OrderNotFound);
const UNKNOWN: (Code, ErrorReason) = (Code::Unauthenticated, ErrorReason::CredentialsInvalid);

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_speak_tls_and_trust_each_other_or_nothing_is_said() {
    let rig = Rig::start("");
    let keyed = rig.trusting().with_key(&rig.shop.key).unwrap();
    assert_eq!(asked(rig.connect(&keyed).await).await, Ok(KNOWN));
    assert_eq!(asked(rig.connect(&rig.trusting()).await).await, Ok(UNKNOWN));
    let stranger = Authority::new("stranger");
    let mistrusting = Credentials::default().with_server_ca(&stranger.pem).with_key(&rig.shop.key).unwrap();
    let refused = asked(rig.connect(&mistrusting).await).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    // Plain text to a door with TLS, and TLS to a door without.
    let plain = Credentials::default().with_key(&rig.shop.key).unwrap();
    let address = rig.server.grpc.replace("https://", "http://");
    assert!(asked(Client::connect_as(&address, &plain).await).await.is_err());
    let open_door = rig.world.grpc.replace("http://", "https://");
    assert!(asked(Client::connect_as(&open_door, &keyed).await).await.is_err());
    // The door is open all the same.
    assert_eq!(asked(rig.connect(&keyed).await).await, Ok(KNOWN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_known_by_its_certificate() {
    let rig = Rig::start("client_ca_file = \"ca.pem\"");
    let shown = |pair: &Pair| rig.trusting().with_certificate(&pair.certificate, &pair.key);
    let mesh = rig.authority.client(MESH_URI);
    assert_eq!(asked(rig.connect(&shown(&mesh)).await).await, Ok(KNOWN));
    let other = rig.authority.client("spiffe://cluster/other");
    assert_eq!(asked(rig.connect(&shown(&other)).await).await, Ok(UNKNOWN));
    // A key beside a certificate decides, also when it is wrong.
    let keyed = shown(&other).with_key(&rig.shop.key).unwrap();
    assert_eq!(asked(rig.connect(&keyed).await).await, Ok(KNOWN));
    let wrong = shown(&mesh).with_key("pmx_wrong").unwrap();
    assert_eq!(asked(rig.connect(&wrong).await).await, Ok(UNKNOWN));
    // The same name, signed by somebody else.
    let forged = Authority::new("authority").client(MESH_URI);
    assert!(asked(rig.connect(&shown(&forged)).await).await.is_err());
    // Without a certificate a key is as good.
    let keyed = rig.trusting().with_key(&rig.shop.key).unwrap();
    assert_eq!(asked(rig.connect(&keyed).await).await, Ok(KNOWN));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_certificates_are_required_nothing_goes_without() {
    let rig = Rig::start("client_ca_file = \"ca.pem\"\nclient_certificate = \"required\"");
    let mesh = rig.authority.client(MESH_URI);
    let shown = rig.trusting().with_certificate(&mesh.certificate, &mesh.key);
    assert_eq!(asked(rig.connect(&shown).await).await, Ok(KNOWN));
    let keyed = rig.trusting().with_key(&rig.shop.key).unwrap();
    assert!(asked(rig.connect(&keyed).await).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_in_force_for_new_connections_and_old_ones_go_on() {
    let rig = Rig::start("");
    let before = rig.connect(&rig.trusting()).await.unwrap();
    let next = Authority::new("next");
    write_pair(rig.world.folder.path(), &next.server());
    let trusting_next = Credentials::default().with_server_ca(&next.pem);
    let begun = tokio::time::Instant::now();
    loop {
        match asked(rig.connect(&trusting_next).await).await {
            Ok(answer) => break assert_eq!(answer, UNKNOWN),
            Err(error) => assert!(begun.elapsed() < PATIENCE, "the new one is not in force: {error}"),
        }
    }
    assert_eq!(asked(Ok(before)).await, Ok(UNKNOWN));
    assert!(asked(rig.connect(&rig.trusting()).await).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_over_tls_too() {
    let rig = Rig::start("");
    let url = format!("https://{}/notify/wechatpay/nobody", rig.ports.notify);
    let authority = reqwest::Certificate::from_pem(rig.authority.pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let answer = client.post(&url).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::BAD_REQUEST);
    assert!(http().post(&url).body("{}").send().await.is_err(), "an authority that is not trusted");
    assert!(http().post(url.replace("https://", "http://")).body("{}").send().await.is_err(), "no TLS");
}

#[test]
fn the_command_line_speaks_tls_with_the_files_that_it_is_given() {
    let rig = Rig::start("client_ca_file = \"ca.pem\"");
    let mesh = rig.authority.client(MESH_URI);
    let [ca, certificate, key, stranger] = [
        rig.file("cli-ca.pem", &rig.authority.pem),
        rig.file("cli.pem", &mesh.certificate),
        rig.file("cli.key", &mesh.key),
        rig.file("stranger.pem", &Authority::new("stranger").pem),
    ]
    .map(|path| path.to_str().unwrap().to_owned());
    let get = |more: &[&str]| {
        let base = ["order", "--server", &rig.server.grpc, "get", "--merchant", "m01", "--order", "TLS-0001"];
        paymux(&[&base[..], more].concat())
    };
    let known = get(&["--tls-ca", &ca, "--tls-cert", &certificate, "--tls-key", &key]);
    assert!(String::from_utf8_lossy(&known.stdout).contains("ORDER_NOT_FOUND"), "{known:?}");
    let unknown = get(&["--tls-ca", &ca]);
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("CREDENTIALS_INVALID"), "{unknown:?}");
    let mistrusting = get(&["--tls-ca", &stranger]);
    assert_eq!(mistrusting.status.code(), Some(1));
    let told = String::from_utf8_lossy(&mistrusting.stderr).into_owned();
    assert!(told.contains("no connection to https://") && told.contains("UnknownIssuer"), "{told}");
    let broken = get(&["--tls-ca", &ca, "--tls-cert", &certificate, "--tls-key", &ca]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
}

#[test]
fn beyond_loopback_a_server_starts_only_with_callers_and_tls() {
    let world = World::start(&[]);
    let authority = Authority::new("authority");
    write_pair(world.folder.path(), &authority.server());
    let tls = "[server.grpc_tls]\ncertificate_file = \"server.pem\"\nprivate_key_file = \"server.key\"\n";
    let caller = Keyed::new("shop").section("\"read\"", "\"m01\"", "");
    let everywhere = ["server.grpc_listen=0.0.0.0:0", "server.notify_listen=0.0.0.0:0"];
    let data = TempDir::new().unwrap();
    let refused = |name: &str, sections: &str| {
        let config = config_with(&world, name, sections);
        let mut command = Server::command(&config, data.path(), Ports::free());
        for setting in everywhere {
            command.args(["--set", setting]);
        }
        let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused("none.toml", "").contains("no callers are configured"));
    assert!(refused("tls.toml", tls).contains("no callers are configured"));
    assert!(refused("callers.toml", &caller).contains("there is no TLS"));
    let both = config_with(&world, "both.toml", &format!("{tls}{caller}"));
    drop(Server::start_with(&both, data.path(), Ports::free(), &everywhere));
}
