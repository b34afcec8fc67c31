//! The provider value: finds the account of a call and hands it to request, answer and notification.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::name::{AccountId, ProviderId};
use paymux_domain::outcome::{CallReport, Class};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, FieldFault, NotificationAnswer, NotificationFate,
    NotificationRefusal, Provider, RawNotification, Signer, VerifiedNotification,
};
use paymux_domain::time::Timestamp;

use super::config::{self, Account};
use super::notify::{self, Receivers};
use super::{METHODS, answer, check, request, resolve, workbench};
use crate::gateway::{UNKNOWN_ACCOUNT, unconfigured};
use crate::registry::{AccountInfo, Loaded, Loading};
use crate::workbench::{Examination, SignFault, SignedText, Workbench};

/// All accounts at UPaaS.
struct Upaas {
    id: ProviderId,
    accounts: BTreeMap<AccountId, Arc<Account>>,
    receivers: Receivers,
}

/// The factory: reads all accounts' sections. There are no keys for the signing pool: an MD5 is made where it is needed.
pub(super) fn load(loading: &Loading<'_>) -> Loaded {
    let id: ProviderId = super::NAME.parse().expect("a constant of lower-case letters");
    let mut accounts = BTreeMap::new();
    let mut receivers = Receivers::default();
    for section in &loading.sections {
        let reader = loading.reader(section);
        let account = reader.whole(|reader| config::read(section, reader)).map(Arc::new);
        let Some(account) = account else { continue };
        match receivers.add(&account) {
            Ok(None) => {}
            Ok(Some(twin)) => reader.fault("", format!("is the same store as account {}", twin.id)),
            Err(reason) => reader.fault("notification", reason),
        }
        accounts.insert(account.id.clone(), account);
    }
    let info = |account: &Account| AccountInfo {
        provider: id.clone(),
        methods: METHODS,
        number_space: account.merchant.as_ref().unwrap_or(&account.store_num).clone(),
        identity: format!("store {}", account.store_num),
        timeout: account.timeout,
    };
    let infos = accounts.values().map(|account| (account.id.clone(), info(account))).collect();
    let provider = Arc::new(Upaas { id, accounts, receivers });
    Loaded { workbench: provider.clone(), provider, upkeep: None, accounts: infos, keys: Vec::new() }
}

impl Upaas {
    fn account(&self, created: &Created) -> Option<&Account> {
        self.accounts.get(&created.account).map(Arc::as_ref)
    }
}

impl Provider for Upaas {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    /// An account that is not configured (any more) has the defaults: its orders keep their course.
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        let known = super::capabilities(&created.method)?;
        Some(self.account(created).map_or(*known, |account| account.capabilities))
    }

    fn check(&self, created: &Created) -> Vec<FieldFault> {
        let account = self.account(created);
        account.map_or_else(|| unconfigured(created), |account| check::faults(account, created))
    }

    fn resolve(&self, created: Created) -> Created {
        match self.account(&created) {
            Some(account) => resolve::resolve(account, created),
            None => created,
        }
    }

    fn build<'a>(&'a self, call: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        let account = self.account(&call.created);
        let account = account.ok_or_else(|| BuildError::UnknownAccount(call.created.account.clone()));
        let built = account.and_then(|account| request::build(account, call)).map(Built::Request);
        Box::pin(async move { built })
    }

    fn parse<'a>(
        &'a self,
        call: &'a Call,
        response: &'a HttpResponse,
        _: &'a dyn Signer,
    ) -> BoxFuture<'a, CallReport> {
        let report = match self.account(&call.created) {
            Some(account) => answer::parse(account, call, response),
            None => CallReport::of(Class::Unknown, UNKNOWN_ACCOUNT),
        };
        Box::pin(async move { report })
    }

    fn verify(
        &self,
        raw: &RawNotification,
        _: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        notify::verify(&self.receivers, &self.accounts, raw)
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        Some(notify::answer(fate))
    }
}

impl Workbench for Upaas {
    fn sign<'a>(
        &'a self,
        account: &'a AccountId,
        input: &'a [u8],
        _: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<SignedText, SignFault>> {
        let known = self.accounts.get(account);
        let known = known.ok_or_else(|| SignFault::UnknownAccount(account.clone()));
        let signed = known.and_then(|account| workbench::signed(account, input));
        Box::pin(async move { signed })
    }

    fn examine(&self, account: &AccountId, raw: &RawNotification, now: Timestamp) -> Option<Examination> {
        let (checks, said) = workbench::examine(self.accounts.get(account)?, raw);
        Some(Examination { checks, said, verdict: self.verify(raw, now) })
    }
}
