//! Faults of a configuration: each names where it stands, which key it is and what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line (from 1) of the configuration file, as far as it is known.
    File(PathBuf, Option<usize>),
    /// The environment variable of that name.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("flag --set"),
        }
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub origin: Origin,
    /// The dotted key, such as `accounts.main.in_flight_max`.
    pub key: String,
    /// What is wrong; never the value of a secret.
    pub problem: String,
    /// What is allowed, in words; empty where the problem says it already.
    pub allowed: String,
}

impl Fault {
    /// A fault of a file as a whole.
    pub(crate) fn of_file(path: &Path, line: Option<usize>, problem: String) -> Self {
        let origin = Origin::File(path.to_owned(), line);
        Self { origin, key: "(file)".to_owned(), problem, allowed: String::new() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.problem)?;
        if self.allowed.is_empty() { Ok(()) } else { write!(f, "; allowed: {}", self.allowed) }
    }
}

/// Every fault of a configuration at once; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// The one fault of a file that cannot be read or parsed at all.
    pub(crate) fn of_file(path: &Path, line: Option<usize>, problem: String) -> Self {
        Self(vec![Fault::of_file(path, line, problem)])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
