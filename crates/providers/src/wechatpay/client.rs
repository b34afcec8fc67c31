//! The provider value: finds the account of a call and hands it to request, answer and notification.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
use crate::gateway::UNKNOWN_ACCOUNT;
use crate::registry::{AccountInfo, Loaded, Loading};
use crate::workbench::{Examination, SignFault, SignedText, Workbench};

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
    Loaded { workbench: provider.clone(), provider, accounts: infos, keys }
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
    fn account(&self, created: &Created) -> Option<&Account> {
        self.accounts.get(&created.account).map(Arc::as_ref)
    }
}

impl Provider for Wechatpay {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        super::capabilities(&created.method).copied()
    }

    fn check(&self, created: &Created) -> Vec<FieldFault> {
        match self.account(created) {
            Some(account) => check::faults(account, created),
            None => {
                let reason = format!("account {} of the merchant is not configured", created.account);
                vec![FieldFault { field: "merchant_id".to_owned(), reason }]
            }
        }
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
            match self.account(&call.created) {
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
