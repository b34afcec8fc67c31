//! The client of the sixth provider: registration, accounts, and the trait of the seam.

mod answer;
mod request;
mod workbench;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::name::{AccountId, ProviderId};
use paymux_domain::outcome::{CallReport, Class};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, FieldFault, NotificationAnswer, NotificationFate,
    NotificationRefusal, Provider, RawNotification, Signer, VerifiedNotification,
};
use paymux_domain::time::Timestamp;
use paymux_providers::{AccountInfo, AccountSection, Loaded, Loading, Reader, Registration};
use secrecy::{ExposeSecret as _, SecretString};

const NAME: &str = "sixth";
const NAIVE_NAME: &str = "naive";
const PAGE: &str = "page";

/// The line in the list of providers.
pub(crate) const REGISTRATION: Registration = Registration {
    name: NAME,
    methods: &[PAGE],
    capabilities: |method| (method == PAGE).then_some(&CAPABILITIES),
    example: "shop = \"sixth-shop-1\"\nkey_env = \"SIXTH_KEY\"\n",
    load: |loading| load(loading, NAME, false),
};

/// The same provider by a client that believes whatever it reads: the suite must notice.
pub(crate) const NAIVE: Registration =
    Registration { name: NAIVE_NAME, load: |loading| load(loading, NAIVE_NAME, true), ..REGISTRATION };

static CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Call,
    create_idempotent: true,
    query: QueryKind::ByOutTradeNo,
    query_amount: true,
    query_proof: QueryProof::Signed,
    close: CloseKind::None,
    refund: RefundKind::Partial { refunds_max: 10 },
    refund_idempotent: true,
    refund_query: true,
    refund_spacing: Duration::ZERO,
    refund_window: Duration::from_secs(90 * 24 * 3600),
    notification: true,
    refund_notification: false,
    confirm_above_minor: Some(1000),
    order_no_chars: (1, 20),
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    landing: Duration::from_secs(30),
    expiry_grace: Duration::from_secs(60),
};

/// One account.
struct Account {
    id: AccountId,
    shop: String,
    key: hmac::Key,
    base_url: String,
    timeout: Duration,
    /// It takes no proof.
    is_naive: bool,
}

impl Account {
    fn read(section: &AccountSection, reader: &Reader<'_>, is_naive: bool) -> Option<Self> {
        let shop = reader.required("shop", "a word", |text| !text.is_empty());
        let base_url = reader.required("base_url", "a URL", |text| text.starts_with("http"));
        let key = reader.secret("key").map(|(_, key): (String, SecretString)| key);
        let timeout_ms = reader.number("timeout_ms", 100..=15_000, 5_000);
        reader.finish();
        Some(Self {
            id: section.account.clone(),
            shop: shop?,
            key: hmac::Key::new(hmac::HMAC_SHA256, key?.expose_secret().as_bytes()),
            base_url: base_url?,
            timeout: Duration::from_millis(u64::from(timeout_ms)),
            is_naive,
        })
    }

    /// The seal of something.
    fn seal(&self, time_s: i64, what: &str, body: &[u8]) -> String {
        hex::encode(hmac::sign(&self.key, &text(time_s, what, body)))
    }

    /// Whether a seal is this account's, made within five minutes of now.
    fn is_sealed(&self, (time, seal): (&str, &str), what: &str, body: &[u8], now: Timestamp) -> bool {
        if self.is_naive {
            return true;
        }
        let (Ok(time_s), Ok(seal)) = (time.parse::<i64>(), hex::decode(seal)) else { return false };
        (now.as_secs() - time_s).abs() <= 300
            && hmac::verify(&self.key, &text(time_s, what, body), &seal).is_ok()
    }
}

/// The text under a seal.
fn text(time_s: i64, what: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{time_s}\n{what}\n").into_bytes();
    text.extend_from_slice(body);
    text
}

struct Sixth {
    id: ProviderId,
    accounts: BTreeMap<AccountId, Account>,
}

fn load(loading: &Loading<'_>, name: &str, is_naive: bool) -> Loaded {
    let id: ProviderId = name.parse().unwrap();
    let mut accounts = BTreeMap::new();
    for section in &loading.sections {
        let reader = loading.reader(section);
        if let Some(account) = reader.whole(|reader| Account::read(section, reader, is_naive)) {
            accounts.insert(account.id.clone(), account);
        }
    }
    let info = |account: &Account| AccountInfo {
        provider: id.clone(),
        methods: &[PAGE],
        number_space: account.shop.clone(),
        identity: format!("shop {}", account.shop),
        timeout: account.timeout,
    };
    let infos = accounts.values().map(|account| (account.id.clone(), info(account))).collect();
    let provider = Arc::new(Sixth { id, accounts });
    Loaded { workbench: provider.clone(), provider, upkeep: None, accounts: infos, keys: Vec::new() }
}

impl Provider for Sixth {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        (created.method == PAGE).then_some(CAPABILITIES)
    }

    fn check(&self, created: &Created) -> Vec<FieldFault> {
        let fault =
            |field: &str, reason: &str| FieldFault { field: field.to_owned(), reason: reason.to_owned() };
        let mut faults = Vec::new();
        if !self.accounts.contains_key(&created.account) {
            faults.push(fault("merchant_id", "has no account here"));
        }
        if created.out_trade_no.as_str().len() > CAPABILITIES.order_no_chars.1 {
            faults.push(fault("merchant_order_no", "is too long"));
        }
        faults
    }

    fn build<'a>(&'a self, call: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        let account = self.accounts.get(&call.created.account);
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
        let report = match self.accounts.get(&call.created.account) {
            Some(account) => answer::parse(account, call, response),
            None => CallReport::of(Class::Unknown, "UNKNOWN_ACCOUNT"),
        };
        Box::pin(async move { report })
    }

    fn verify(
        &self,
        raw: &RawNotification,
        now: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        answer::verify(&self.accounts, raw, now)
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        let status = match fate {
            NotificationFate::Taken => 200,
            NotificationFate::Refused(_) => 400,
            NotificationFate::NotNow => 503,
        };
        Some(NotificationAnswer { status, content_type: "text/plain", body: Vec::new() })
    }
}
