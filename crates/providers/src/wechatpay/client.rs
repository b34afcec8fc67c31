//! The provider value: finds the account of a call and hands it to request, answer and notification.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::Amount;
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

use super::config::{self, Account, Kind};
use super::notify::{self, Verifiers};
use super::sign::SKEW_MAX;
use super::{answer, check, product, request, resolve, workbench};
use crate::gateway::{UNKNOWN_ACCOUNT, unconfigured};
use crate::registry::{AccountInfo, Loaded, Loading};
use crate::upkeep::Upkeep;
use crate::workbench::{Examination, SignFault, SignedText, Workbench};

/// No platform key is configured, and none has been downloaded.
const NO_KEY: &str = "NO_PLATFORM_KEY";
/// Pause of a call that waits for the first download.
const KEY_PAUSE: Duration = Duration::from_secs(1);

/// All accounts at WeChat Pay.
pub(super) struct Wechatpay {
    id: ProviderId,
    accounts: BTreeMap<AccountId, Arc<Account>>,
    verifiers: Verifiers,
    /// Largest age of a signature, in schedule time.
    skew_max: Duration,
}

/// The factory: reads all accounts' sections.
pub(super) fn load(loading: &Loading<'_>) -> Loaded {
    let id: ProviderId = super::NAME.parse().expect("a constant of lower-case letters");
    let mut accounts: BTreeMap<AccountId, Arc<Account>> = BTreeMap::new();
    let mut keys = Vec::new();
    let mut identities: BTreeMap<String, AccountId> = BTreeMap::new();
    for section in &loading.sections {
        let reader = loading.reader(section);
        let read = reader.whole(|reader| config::read(section, reader, loading.keys));
        let Some((account, key)) = read else { continue };
        if let Some(twin) = identities.insert(account.kind.identity(), account.id.clone()) {
            reader.fault("", format!("is the same merchant as account {twin}"));
        }
        keys.push((account.signing_key(), key));
        accounts.insert(account.id.clone(), Arc::new(account));
    }
    let infos = accounts.values().map(|account| (account.id.clone(), info(&id, account))).collect();
    let verifiers = Verifiers::of(accounts.values());
    let skew_max = loading.clock_factor.stretch(SKEW_MAX);
    let provider = Arc::new(Wechatpay { id, accounts, verifiers, skew_max });
    let upkeep = Some(provider.clone() as Arc<dyn Upkeep>);
    Loaded { workbench: provider.clone(), provider, upkeep, accounts: infos, keys }
}

fn info(id: &ProviderId, account: &Account) -> AccountInfo {
    let methods = match account.kind {
        Kind::Direct { .. } => product::DIRECT_METHODS,
        Kind::Partner { .. } => product::PARTNER_METHODS,
    };
    AccountInfo {
        provider: id.clone(),
        methods,
        number_space: account.mchid().to_owned(),
        identity: account.kind.identity(),
        timeout: account.timeout,
    }
}

impl Wechatpay {
    /// The account of that name.
    pub(super) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id).map(Arc::as_ref)
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().map(Arc::as_ref)
    }

    pub(super) const fn skew_max(&self) -> Duration {
        self.skew_max
    }
}

/// No key at all verifies yet: a call is kept back until a download has brought one, since its answer would not be
/// believed. Once that was tried in vain a person is called.
fn without_key(account: &Account, now: Timestamp) -> Option<CallReport> {
    if account.can_verify(now) {
        return None;
    }
    let has_given_up = account.trust().is_none_or(|trust| trust.chore.has_given_up());
    if has_given_up {
        return Some(CallReport::of(Class::Ops, NO_KEY));
    }
    Some(CallReport { retry_after: Some(KEY_PAUSE), ..CallReport::withheld(NO_KEY) })
}

impl Provider for Wechatpay {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        super::capabilities(&created.method).copied()
    }

    fn check(&self, created: &Created) -> Vec<FieldFault> {
        let account = self.account(&created.account);
        account.map_or_else(|| unconfigured(created), |account| check::faults(account, created))
    }

    fn check_refund(&self, options_json: &str, amount: Amount) -> Vec<FieldFault> {
        check::refund_faults(options_json, amount)
    }

    fn resolve(&self, created: Created) -> Created {
        match self.account(&created.account) {
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
            let account = self.account(&call.created.account);
            let account = account.ok_or_else(|| BuildError::UnknownAccount(call.created.account.clone()))?;
            if let Some(report) = without_key(account, call.now) {
                return Ok(Built::Local(report));
            }
            request::build(account, call, signer).await.map(Built::Request)
        })
    }

    fn parse<'a>(
        &'a self,
        call: &'a Call,
        response: &'a HttpResponse,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            match self.account(&call.created.account) {
                Some(account) => answer::parse(account, call, response, signer, self.skew_max).await,
                None => CallReport::of(Class::Unknown, UNKNOWN_ACCOUNT),
            }
        })
    }

    fn verify(
        &self,
        raw: &RawNotification,
        now: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        notify::verify(&self.verifiers, raw, now, self.skew_max)
    }

    fn unknown_key(&self, accounts: &[AccountId]) {
        let accounts = accounts.iter().filter_map(|id| self.account(id));
        accounts.filter_map(Account::trust).for_each(|trust| trust.chore.wish());
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        Some(notify::answer(fate))
    }
}

impl Workbench for Wechatpay {
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
        let (checks, said) = workbench::examine(self.accounts.get(account)?, raw, now, self.skew_max);
        Some(Examination { checks, said, verdict: self.verify(raw, now) })
    }
}
