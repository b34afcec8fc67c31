//! The provider value: finds the account of a call and hands it to launch, request, answer and notification.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::name::{AccountId, ProviderId};
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, FieldFault, NotificationAnswer, NotificationFate,
    NotificationRefusal, Provider, RawNotification, Signer, VerifiedNotification,
};
use paymux_domain::time::Timestamp;

use super::config::{self, Account};
use super::notify::{self, ByMerchNo};
use super::{METHODS, answer, check, launch, request, resolve, workbench};
use crate::gateway::{UNKNOWN_ACCOUNT, unconfigured};
use crate::registry::{AccountInfo, Loaded, Loading};
use crate::workbench::{Examination, SignFault, SignedText, Workbench};

/// All accounts at 码钱.
struct Maqian {
    id: ProviderId,
    accounts: BTreeMap<AccountId, Arc<Account>>,
    by_merch_no: ByMerchNo,
}

/// The factory: reads all accounts' sections.
pub(super) fn load(loading: &Loading<'_>) -> Loaded {
    let id: ProviderId = super::NAME.parse().expect("a constant of lower-case letters");
    let mut accounts = BTreeMap::new();
    let mut by_merch_no = ByMerchNo::new();
    let mut keys = Vec::new();
    for section in &loading.sections {
        let reader = loading.reader(section);
        let read = reader.whole(|reader| config::read(section, reader, loading.keys));
        let Some((account, key)) = read else { continue };
        let account = Arc::new(account);
        if let Some(twin) = by_merch_no.insert(account.merch_no.clone(), account.clone()) {
            reader.fault("", format!("is the same merchant as account {}", twin.id));
        }
        keys.push((account.signing_key(), key));
        accounts.insert(account.id.clone(), account);
    }
    let info = |account: &Account| AccountInfo {
        provider: id.clone(),
        methods: METHODS,
        number_space: account.number_space.clone(),
        identity: format!("merch_no {}", account.merch_no),
        timeout: account.timeout,
    };
    let infos = accounts.values().map(|account| (account.id.clone(), info(account))).collect();
    let provider = Arc::new(Maqian { id, accounts, by_merch_no });
    Loaded { workbench: provider.clone(), provider, upkeep: None, accounts: infos, keys }
}

impl Maqian {
    fn account(&self, created: &Created) -> Option<&Account> {
        self.accounts.get(&created.account).map(Arc::as_ref)
    }
}

impl Provider for Maqian {
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

    fn build<'a>(
        &'a self,
        call: &'a Call,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<Built, BuildError>> {
        Box::pin(async move {
            let account = self.account(&call.created);
            let account = account.ok_or_else(|| BuildError::UnknownAccount(call.created.account.clone()))?;
            match call.operation {
                Operation::Create => launch::launched(account, &call.created, signer).await.map(Built::Local),
                _ => request::build(account, call).map(Built::Request),
            }
        })
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
        notify::verify(&self.by_merch_no, &self.accounts, raw)
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        Some(notify::answer(fate))
    }
}

impl Workbench for Maqian {
    fn sign<'a>(
        &'a self,
        account: &'a AccountId,
        input: &'a [u8],
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<SignedText, SignFault>> {
        Box::pin(async move {
            let known = self.accounts.get(account);
            let known = known.ok_or_else(|| SignFault::UnknownAccount(account.clone()))?;
            workbench::signed(known, input, signer).await
        })
    }

    fn examine(&self, account: &AccountId, raw: &RawNotification, now: Timestamp) -> Option<Examination> {
        let (checks, said) = workbench::examine(self.accounts.get(account)?, raw);
        Some(Examination { checks, said, verdict: self.verify(raw, now) })
    }
}
