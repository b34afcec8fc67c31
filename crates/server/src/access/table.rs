//! The callers as they are now: found by key or certificate, exchanged as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use paymux_domain::ports::Clock;

use super::caller::Usage;
use super::keys::{self, KeyHash};
use super::{AccessRefusal, Caller, CallerConfig, CertificateName, Peer};
use crate::metrics::Refused;

/// All configured callers by name; none: whoever reaches the port may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers(pub BTreeMap<String, CallerConfig>);

/// The live callers.
pub struct Access {
    clock: Arc<dyn Clock>,
    table: ArcSwap<Table>,
    refused: Arc<Refused>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({} callers)", self.table.load().callers.len())
    }
}

/// One version of the callers.
#[derive(Default)]
struct Table {
    is_open: bool,
    callers: Vec<Caller>,
    usage: BTreeMap<String, Arc<Usage>>,
    /// Hash of a key, position of its caller.
    keys: Vec<(KeyHash, u32)>,
    certificates: BTreeMap<CertificateName, u32>,
}

impl Access {
    /// Starts with these callers.
    #[must_use]
    pub fn new(callers: Callers, clock: Arc<dyn Clock>) -> Arc<Self> {
        let table = Table::new(callers, &Table::default(), &clock);
        Arc::new(Self { clock, table: ArcSwap::from_pointee(table), refused: Arc::default() })
    }

    /// The calls that were refused, whyever.
    pub(crate) fn refused(&self) -> &Arc<Refused> {
        &self.refused
    }

    /// Exchanges all callers at once. What a caller of the same name has used of its limits stays used; calls under
    /// way go on with the rights that they began with.
    pub fn swap(&self, callers: Callers) {
        let table = Table::new(callers, &self.table.load(), &self.clock);
        self.table.store(Arc::new(table));
    }

    /// Who shows this key or certificate. A key decides alone when there is one: a wrong key is refused, whatever the
    /// certificate.
    ///
    /// # Errors
    /// Nobody who is known, or a certificate that belongs to several callers.
    pub fn authenticate(&self, key: Option<&str>, peer: &Peer) -> Result<Caller, AccessRefusal> {
        let table = self.table.load();
        let position = match key {
            _ if table.is_open => Some(0),
            Some(key) => keys::find(table.keys.iter(), &KeyHash::of(key)),
            None => table.by_certificate(peer),
        };
        let caller = position.and_then(|position| table.callers.get(usize::try_from(position).ok()?));
        caller.cloned().ok_or(AccessRefusal::CredentialsInvalid)
    }
}

impl Table {
    fn new(Callers(mut callers): Callers, before: &Self, clock: &Arc<dyn Clock>) -> Self {
        let is_open = callers.is_empty();
        if is_open {
            callers.extend([CallerConfig::loopback()]);
        }
        let mut table = Self { is_open, ..Self::default() };
        for ((name, config), position) in callers.into_iter().zip(0..) {
            table.keys.extend(config.keys.iter().map(|hash| (hash.clone(), position)));
            table.certificates.extend(config.certificates.iter().map(|name| (name.clone(), position)));
            let usage = before.usage.get(&name).cloned().unwrap_or_default();
            table.callers.push(Caller::new(&name, config, Arc::clone(&usage), Arc::clone(clock)));
            table.usage.insert(name, usage);
        }
        table
    }

    fn by_certificate(&self, peer: &Peer) -> Option<u32> {
        let mut found = peer.names.iter().filter_map(|name| self.certificates.get(name).copied());
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}
