//! What members need that take clients by TLS and login, and what these clients need: made on the spot, with the JDK's own
//! keytool.
//!
//! Each Kafka broker has a second port that takes nothing else; a Cassandra node takes TLS on the port that it has, beside
//! plain connections or, where that is wanted, instead of them.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::started::{Kind, List, Started};
use super::{TOOL_MAX, wait};

/// The variable that names the folder with what clients need.
pub(super) const VARIABLE: &str = "PAYMUX_TEST_SECURE";

/// Who logs in at Kafka.
pub(super) const KAFKA_USER: &str = "paymux";
/// Who logs in at Cassandra, and the password: its first user, before it has others.
const CASSANDRA_USER: &str = "cassandra";

/// Where members are: what their certificate names. No host name is among them.
const NAMES: &str = "SAN=ip:127.0.0.1,ip:127.0.0.2,ip:127.0.0.3";
const DAYS: &str = "3650";

/// The file in a member's folder that says where it takes TLS.
const FILE: &str = "secured";

/// Whether a member takes anything else on its port for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Plain connections and no login, too.
    Nothing,
    /// TLS and login.
    All,
}

impl Demand {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "offered",
            Self::All => "demanded",
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The folder with certificates and passwords.
pub(super) struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    pub(super) fn at(members: &Path) -> Self {
        Self { folder: members.join("secure") }
    }

    /// Makes an authority, a certificate of it for all members, and passwords, unless they are there.
    ///
    /// # Errors
    /// keytool is missing or refuses, or a file cannot be written.
    pub(super) fn make(&self) -> Result<()> {
        if self.store().exists() {
            return Ok(());
        }
        let folder = &self.folder;
        // What was begun is begun again.
        drop(std::fs::remove_dir_all(folder));
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let mut random = [0_u8; 16];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random))?;
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        for (file, text) in [
            ("kafka_user", KAFKA_USER),
            ("kafka_password", &password),
            ("cql_user", CASSANDRA_USER),
            ("cql_password", CASSANDRA_USER),
        ] {
            std::fs::write(folder.join(file), text).with_context(|| format!("writing {file}"))?;
        }
        let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", DAYS];
        let authority =
            ["-ext", "bc:c=ca:true", "-ext", "KeyUsage:c=keyCertSign", "-dname", "CN=Services of paymux"];
        self.keytool("authority.p12", "authority", &[&key[..], &authority].concat())?;
        self.keytool("authority.p12", "authority", &["-exportcert", "-rfc", "-file", "ca.pem"])?;
        self.keytool("members.p12.new", "member", &[&key[..], &["-dname", "CN=Member"]].concat())?;
        self.keytool("members.p12.new", "member", &["-certreq", "-file", "member.csr"])?;
        let sign = ["-gencert", "-rfc", "-infile", "member.csr", "-outfile", "member.pem", "-validity", DAYS];
        let named = ["-ext", NAMES, "-ext", "EKU=serverAuth"];
        self.keytool("authority.p12", "authority", &[&sign[..], &named].concat())?;
        let part = |name: &str| {
            std::fs::read_to_string(folder.join(name)).with_context(|| format!("reading {name}"))
        };
        std::fs::write(folder.join("chain.pem"), part("member.pem")? + &part("ca.pem")?)?;
        self.keytool("members.p12.new", "member", &["-importcert", "-noprompt", "-file", "chain.pem"])?;
        std::fs::rename(folder.join("members.p12.new"), self.store()).context("naming the keys")
    }

    /// Deletes all of it.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub(super) fn forget(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("deleting {}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }

    fn keytool(&self, store: &str, alias: &str, args: &[&str]) -> Result<()> {
        let output = self.folder.join("keytool.log");
        let mut keytool = Command::new("keytool");
        keytool.args(args).args(["-alias", alias, "-keystore", store, "-storetype", "PKCS12"]);
        keytool.args(["-storepass:file", "kafka_password"]).current_dir(&self.folder);
        let told = wait::answer(&mut keytool, &output, TOOL_MAX)?;
        ensure!(told.status.success(), "keytool {}, {}", args.join(" "), wait::last_lines(&output));
        Ok(())
    }

    /// Key and certificates of the members, as PKCS #12.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.join("members.p12")
    }

    /// What opens that file, and Kafka for its user.
    ///
    /// # Errors
    /// It was not made, or cannot be read.
    pub(super) fn password(&self) -> Result<String> {
        std::fs::read_to_string(self.folder.join("kafka_password")).context("the password of the services")
    }
}

/// Notes where a member takes TLS.
///
/// # Errors
/// The file cannot be written.
pub(super) fn note(home: &Path, address: SocketAddr, demand: Demand) -> Result<()> {
    std::fs::write(home.join(FILE), format!("{address} {demand}")).context("noting where a member takes TLS")
}

/// Where a member takes TLS, and whether it takes anything else there.
fn noted(list: &List, one: &Started) -> Option<(SocketAddr, Demand)> {
    let text = std::fs::read_to_string(list.home(one.kind, &one.name).join(FILE)).ok()?;
    let (address, demand) = text.split_once(' ')?;
    let demand = [Demand::Nothing, Demand::All].into_iter().find(|known| known.as_str() == demand)?;
    Some((address.parse().ok()?, demand))
}

/// Whether a member takes plain connections where it is said to take clients.
pub(super) fn is_open(list: &List, one: &Started) -> bool {
    noted(list, one).is_none_or(|(address, demand)| address != one.address || demand == Demand::Nothing)
}

/// The variable that names the members of a service that take TLS, and where they do.
pub(super) fn addresses(list: &List, kind: Kind) -> Option<(&'static str, String)> {
    list.running(kind).next()?;
    let variable = match kind {
        Kind::Kafka => "PAYMUX_TEST_KAFKA_SECURE",
        Kind::Cassandra => "PAYMUX_TEST_CQL_SECURE",
    };
    let noted = list.of(kind).map(|one| noted(list, one).map(|(address, _)| address.to_string()));
    Some((variable, noted.collect::<Option<Vec<_>>>()?.join(",")))
}

/// The folder with what clients need, if there is one: authority (`ca.pem`), users and passwords, each a file.
pub(super) fn folder(members: &Path) -> Option<String> {
    let secrets = Secrets::at(members);
    secrets.store().exists().then(|| secrets.folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_tells_where_it_takes_tls() {
        let folder = tempfile::tempdir().unwrap();
        let line = "kafka kafka-1 1 1 127.0.0.1:10011 9\ncassandra cassandra-1 1 1 127.0.0.1:10013 9";
        std::fs::write(folder.path().join("started"), line).unwrap();
        let list = List::read(folder.path()).unwrap();
        let (kafka, cassandra) = (list.named("kafka-1").unwrap(), list.named("cassandra-1").unwrap());
        assert_eq!(noted(&list, kafka), None);
        assert!(is_open(&list, kafka), "one that was started before there was TLS");
        for (one, port, demand) in [(kafka, 10_012, Demand::All), (cassandra, 10_013, Demand::Nothing)] {
            let home = list.home(one.kind, &one.name);
            std::fs::create_dir_all(&home).unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            note(&home, address, demand).unwrap();
            assert_eq!(noted(&list, one), Some((address, demand)));
            assert!(is_open(&list, one));
        }
        note(&list.home(Kind::Cassandra, "cassandra-1"), cassandra.address, Demand::All).unwrap();
        assert!(!is_open(&list, cassandra));
    }
}
