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
use secrecy::ExposeSecret as _;

use super::config::{self, Account};
use super::{JSAPI, answer, check, notify, request, workbench};
use crate::gateway::{UNKNOWN_ACCOUNT, unconfigured};
use crate::registry::{AccountInfo, Loaded, Loading};
use crate::workbench::{Examination, SignFault, SignedText, Workbench};

/// All accounts at XorPay, in the order of the configuration.
struct Xorpay {
    id: ProviderId,
    accounts: Vec<Arc<Account>>,
}

/// The factory: reads all accounts' sections. There are no keys for the signing pool: an MD5 is made where it is needed.
pub(super) fn load(loading: &Loading<'_>) -> Loaded {
    let id: ProviderId = super::NAME.parse().expect("a constant of lower-case letters");
    let mut accounts: Vec<Arc<Account>> = Vec::new();
    let mut by_aid: BTreeMap<String, AccountId> = BTreeMap::new();
    let mut by_secret: BTreeMap<String, AccountId> = BTreeMap::new();
    for section in &loading.sections {
        let reader = loading.reader(section);
        let account = reader.whole(|reader| config::read(section, reader)).map(Arc::new);
        let Some(account) = account else { continue };
        if let Some(twin) = by_aid.insert(account.aid.clone(), account.id.clone()) {
            reader.fault("", format!("is the same merchant as account {twin}"));
        }
        for secret in account.keys.iter() {
            let twin = by_secret.insert(secret.expose_secret().to_owned(), account.id.clone());
            if let Some(twin) = twin.filter(|twin| *twin != account.id) {
                reader.fault(
                    "",
                    format!("shares a secret with account {twin}: notifications tell accounts apart by it"),
                );
            }
        }
        accounts.push(account);
    }
    let info = |account: &Account| AccountInfo {
        provider: id.clone(),
        methods: &[JSAPI],
        number_space: account.aid.clone(),
        identity: format!("aid {}", account.aid),
        timeout: account.timeout,
    };
    let infos = accounts.iter().map(|account| (account.id.clone(), info(account))).collect();
    let provider = Arc::new(Xorpay { id, accounts });
    Loaded { workbench: provider.clone(), provider, upkeep: None, accounts: infos, keys: Vec::new() }
}

impl Xorpay {
    fn named(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == *id).map(Arc::as_ref)
    }
}

impl Provider for Xorpay {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    /// An account that is not configured (any more) has the defaults: its orders keep their course.
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        let known = super::capabilities(&created.method)?;
        Some(self.named(&created.account).map_or(*known, |account| account.capabilities))
    }

    fn check(&self, created: &Created) -> Vec<FieldFault> {
        let account = self.named(&created.account);
        account.map_or_else(|| unconfigured(created), |_| check::faults(created))
    }

    fn build<'a>(&'a self, call: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        let account = self.named(&call.created.account);
        let account = account.ok_or_else(|| BuildError::UnknownAccount(call.created.account.clone()));
        let built = account.and_then(|account| request::build(account, call));
        Box::pin(async move { built })
    }

    fn parse<'a>(
        &'a self,
        call: &'a Call,
        response: &'a HttpResponse,
        _: &'a dyn Signer,
    ) -> BoxFuture<'a, CallReport> {
        let report = match self.named(&call.created.account) {
            Some(_) => answer::parse(call, response),
            None => CallReport::of(Class::Unknown, UNKNOWN_ACCOUNT),
        };
        Box::pin(async move { report })
    }

    fn verify(
        &self,
        raw: &RawNotification,
        _: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        notify::verify(&self.accounts, raw)
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        Some(notify::answer(fate))
    }
}

impl Workbench for Xorpay {
    fn sign<'a>(
        &'a self,
        account: &'a AccountId,
        input: &'a [u8],
        _: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<SignedText, SignFault>> {
        let known = self.named(account).ok_or_else(|| SignFault::UnknownAccount(account.clone()));
        let signed = known.and_then(|account| workbench::signed(account, input));
        Box::pin(async move { signed })
    }

    fn examine(&self, account: &AccountId, raw: &RawNotification, now: Timestamp) -> Option<Examination> {
        let (checks, said) = workbench::examine(self.named(account)?, raw);
        Some(Examination { checks, said, verdict: self.verify(raw, now) })
    }
}
