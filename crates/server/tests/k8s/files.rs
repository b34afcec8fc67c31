//! What a container finds: the files of its mounts in a folder of the test, with Secrets as docs/kubernetes.md asks for
//! them, and its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use paymux_server::config::Config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::tree::{Tree, Workload, list, name_of, text};

/// A merchant at a provider, in the form of a Secret.
const MERCHANT: &str = r#"
[accounts.tea-house]
provider = "payjs"
mchid = "1600000109"
key_file = "payjs.key"

[merchants.tea-house]
name = "Tea house"
[[merchants.tea-house.routes]]
account = "tea-house"
"#;

/// Secrets that people make, each with its files.
pub(crate) type Secrets = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

/// The Secrets.
pub(crate) fn secrets() -> &'static Secrets {
    static SECRETS: OnceLock<Secrets> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let (authority, certificate, key) = certificate();
        let tls = [("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.clone())];
        let password = || "a-password".to_owned();
        let kafka =
            [("ca.crt", authority.clone()), ("username", "paymux".to_owned()), ("password", password())];
        let cql = [("ca.crt", authority), ("password", password())];
        let merchant =
            [("tea-house.toml", MERCHANT.to_owned()), ("payjs.key", "8fmD8BXpSyKqo1Bz".to_owned())];
        [
            ("paymux-grpc-tls", tls.into()),
            ("paymux-kafka", kafka.into()),
            ("paymux-cql", cql.into()),
            ("paymux-merchants-1", merchant.into()),
        ]
        .into()
    })
}

fn certificate() -> (String, String, String) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).expect("a certificate").pem();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(["paymux-ingest.paymux.svc".to_owned()]).expect("names");
    let certificate = names.signed_by(&key, &issuer).expect("a certificate").pem();
    (authority, certificate, key.serialize_pem())
}

/// The file system of a container.
#[derive(Debug)]
pub(crate) struct Container {
    folder: TempDir,
    /// The variables that its manifest sets.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Container {
    /// Lays out the mounts.
    ///
    /// # Errors
    /// What a mount names is not there.
    pub(crate) fn of(tree: &Tree, workload: Workload<'_>) -> Result<Self, String> {
        let folder = TempDir::new().expect("a temporary folder");
        for (path, volume, _) in workload.mounts() {
            let at = under(folder.path(), path);
            std::fs::create_dir_all(&at).expect("a folder");
            for (file, contents) in contents(tree, workload, volume)? {
                std::fs::write(at.join(file), contents).expect("written");
            }
        }
        let mut environment = BTreeMap::new();
        for variable in list(&workload.container()["env"]) {
            let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
            let value = match (variable["value"].as_str(), text(field)) {
                (Some(value), _) => value.to_owned(),
                (None, "metadata.name") => format!("{}-0", workload.name()),
                other => return Err(format!("{}: a value from {other:?}", variable["name"])),
            };
            environment.insert(text(&variable["name"]).to_owned(), value);
        }
        Ok(Self { folder, environment })
    }

    /// Where a file of the container lies here.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        under(self.folder.path(), inside)
    }

    /// The file that the process is pointed at.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.path(self.environment.get("PAYMUX_CONFIG").map_or("", String::as_str))
    }

    /// The configuration as the process reads it.
    ///
    /// # Errors
    /// All that `paymux config check` finds.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let variables = self.environment.iter().map(|(name, value)| (OsString::from(name), value.into()));
        Config::load(Some(&self.config_file()), variables, &[]).map_err(|faults| faults.to_string())
    }
}

fn under(folder: &Path, inside: &str) -> PathBuf {
    folder.join(inside.trim_start_matches('/'))
}

fn contents(tree: &Tree, workload: Workload<'_>, volume: &str) -> Result<BTreeMap<String, String>, String> {
    let claims = list(&workload.document["spec"]["volumeClaimTemplates"]);
    if claims.iter().any(|claim| name_of(claim) == volume) {
        return Ok(BTreeMap::new());
    }
    let found = list(&workload.pod()["volumes"]).iter().find(|one| one["name"] == volume);
    let found = found.ok_or_else(|| format!("no volume {volume}"))?;
    if let Some(name) = found["configMap"]["name"].as_str() {
        let map = tree.find("ConfigMap", name).ok_or_else(|| format!("no ConfigMap {name}"))?;
        let data = map["data"].as_object().into_iter().flatten();
        return Ok(data.map(|(file, contents)| (file.clone(), text(contents).to_owned())).collect());
    }
    let secret: &Value = &found["secret"];
    let name = text(&secret["secretName"]);
    match secrets().get(name) {
        Some(files) => Ok(files.iter().map(|(file, text)| ((*file).to_owned(), text.clone())).collect()),
        None if secret["optional"] == true => Ok(BTreeMap::new()),
        None => Err(format!("nobody makes the Secret {name:?} of the volume {volume}")),
    }
}
