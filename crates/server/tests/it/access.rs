//! Access: what each method answers to whom, which keys are known, what limits hold, what is recorded.

mod audit;
mod keys;
mod limits;
mod matrix;
mod methods;

use std::path::Path;

use paymux_proto::client::{Client, Credentials, Refusal};
use paymux_proto::v1::ErrorReason;
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::rig::{Ports, Server, World, paymux};

/// The number of an order that exists, under the merchant that owns it.
const EXISTING: &str = "ACCESS-0001";

/// A number that nobody has used.
const MISSING: &str = "ACCESS-9999";

/// A caller with its key, as `paymux caller key` makes it.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    name: &'static str,
    pub(crate) key: String,
    hash: String,
}

impl Keyed {
    pub(crate) fn new(name: &'static str) -> Self {
        let output = paymux(&["caller", "key", name, "--output", "json"]);
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |field: &str| made[field].as_str().expect(field).to_owned();
        assert_eq!(text("caller"), name);
        Self { name, key: text("key"), hash: text("key_sha256") }
    }

    /// Its section of the configuration.
    pub(crate) fn section(&self, rights: &str, merchants: &str, more: &str) -> String {
        let Self { name, hash, .. } = self;
        format!(
            "\n[callers.{name}]\nkey_sha256 = [\"{hash}\"]\nrights = [{rights}]\nmerchants = [{merchants}]\n{more}\n"
        )
    }

    async fn client(&self, server: &Server) -> Client {
        client(server, Some(&self.key)).await
    }
}

async fn client(server: &Server, key: Option<&str>) -> Client {
    let credentials = Credentials::default();
    let credentials = match key {
        Some(key) => credentials.with_key(key).expect("a key that can be sent"),
        None => credentials,
    };
    Client::connect_as(&server.grpc, &credentials).await.expect("the server answers")
}

/// The configuration of a world with further sections, beside it so that its secrets are found.
pub(crate) fn config_with(world: &World, name: &str, sections: &str) -> std::path::PathBuf {
    let base = std::fs::read_to_string(world.config_file()).expect("a configuration");
    let file = world.folder.path().join(name);
    std::fs::write(&file, format!("{base}\n{sections}")).expect("it can be written");
    file
}

fn audit_section(file: &Path) -> String {
    format!("[access]\naudit_file = \"{}\"\n", file.display())
}

fn judged(answer: Result<(), Status>) -> Option<(Code, ErrorReason)> {
    let refusal = Refusal::of(&answer.err()?);
    Some((refusal.code, refusal.reason))
}

const UNKNOWN: Option<(Code, ErrorReason)> = Some((Code::Unauthenticated, ErrorReason::CredentialsInvalid));
const DENIED: Option<(Code, ErrorReason)> = Some((Code::PermissionDenied, ErrorReason::NotAllowed));

/// A world, and a server with callers on it.
struct Rig {
    world: World,
    server: Server,
    _data: TempDir,
    audit: std::path::PathBuf,
}

impl Rig {
    fn start(sections: &str) -> Self {
        let world = World::start(&[]);
        let data = TempDir::new().expect("a test rig that works");
        let audit = data.path().join("audit.jsonl");
        let config = config_with(&world, "access.toml", &format!("{}{sections}", audit_section(&audit)));
        let server = Server::start(&config, &data.path().join("data"), Ports::free());
        Self { world, server, _data: data, audit }
    }

    fn audited(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.audit).expect("a test rig that works");
        text.lines().map(|line| serde_json::from_str(line).expect("a test rig that works")).collect()
    }
}
