//! Opening the cashier: a payer's browser comes with the signed URL, and is sent on to the page or told why not.

use std::sync::Arc;

use super::Payjs;
use super::answer::Reply;
use super::book::NotOpened;
use super::form::{self, Fields};
use super::merchant::PayjsMerchant;
use super::params::CashierParams;
use crate::faults::{PayjsFault, Stage};
use crate::provider::OrderKey;
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Where payers' browsers are sent to.
pub(super) const PAGE_PATH: &str = "/payjs/cashier/";

/// The path of the launch URL.
pub(super) const CASHIER_PATH: &str = "/api/cashier";

/// Why the console's payer does not get to the page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpenedUrl {
    /// The text is not a URL of the cashier.
    #[error("not a cashier URL: want an absolute URL with the path {CASHIER_PATH}")]
    Url,
    /// PayJS refuses, in its own words.
    #[error("the cashier refuses: {0}")]
    Refused(String),
    /// A fault of this simulator came between.
    #[error("the cashier gave no page")]
    NoPage,
}

/// What one opening of the cashier came to.
pub(super) struct Visit {
    /// Under which it is counted.
    pub(super) account: String,
    pub(super) reply: Reply,
    /// The order, once the merchant's signature is verified.
    key: Option<OrderKey>,
}

impl Payjs {
    /// A payer opens the cashier with some fields, or with what is no form at all; the call is counted.
    pub(super) fn visit(self: &Arc<Self>, fields: Option<&Fields>) -> Visit {
        let merchant = fields.and_then(|fields| self.merchant(fields.get("mchid")?));
        let account = merchant.as_ref().map_or(UNKNOWN_ACCOUNT, |known| &known.mchid).to_owned();
        self.world.stats.call(&account, Operation::Create, || self.world.clock.real_elapsed());
        let (reply, key) = match (fields, merchant) {
            (None, _) => (Reply::cashier_failure("参数错误"), None),
            (_, None) => (Reply::cashier_failure("商户号不存在"), None),
            (Some(fields), Some(merchant)) => self.admit_payer(fields, &merchant),
        };
        Visit { account, reply, key }
    }

    fn admit_payer(self: &Arc<Self>, fields: &Fields, merchant: &PayjsMerchant) -> (Reply, Option<OrderKey>) {
        if !fields.is_signed_with(merchant.key.as_str()) {
            return (Reply::cashier_failure("签名错误"), None);
        }
        match CashierParams::parse(fields) {
            Ok(params) => {
                let key = OrderKey::new(&merchant.mchid, &params.out_trade_no);
                (self.open(&key, params), Some(key))
            }
            Err(message) => (Reply::cashier_failure(&message), None),
        }
    }

    /// The console hands a launch URL to a payer, who opens it.
    pub(crate) fn open_url(self: &Arc<Self>, url: &str) -> Result<OrderKey, NotOpenedUrl> {
        let url = reqwest::Url::parse(url).map_err(|_| NotOpenedUrl::Url)?;
        if url.path() != CASHIER_PATH {
            return Err(NotOpenedUrl::Url);
        }
        let fields = form::decode(url.query().unwrap_or_default().as_bytes());
        let Visit { account, reply, key } = self.visit(Some(&fields));
        if !reply.is_cut() {
            self.world.stats.answer(&account, Operation::Create, reply.status());
        }
        match (reply.refusal(), key) {
            (Some(message), _) => Err(NotOpenedUrl::Refused(message)),
            (None, Some(key)) if reply.is_redirect() => Ok(key),
            _ => Err(NotOpenedUrl::NoPage),
        }
    }

    fn open(self: &Arc<Self>, key: &OrderKey, params: CashierParams) -> Reply {
        let counted = {
            let mut book = self.book.lock();
            book.open(key, params.total_fee).map(|entry| {
                entry.calls.open += 1;
                (entry.calls.open, entry.total)
            })
        };
        let Ok((attempt, total)) = counted else {
            self.world.stats.turned_away();
            let max = self.world.orders_max;
            return Reply::server_error(&format!(
                "the simulator is full: orders_max = {max} orders are held; raise it or POST /control/reset"
            ));
        };
        let fault = self.fault_at(Stage::Create, key, total);
        let before = match fault {
            Some(PayjsFault::CashierRefused) => Some(Reply::cashier_failure("系统繁忙，请稍后再试")),
            Some(PayjsFault::CashierError) if attempt == 1 => Some(Reply::server_error("Server Error")),
            _ => None,
        };
        if let (Some(kind), Some(reply)) = (fault, before) {
            self.inject(key, kind);
            return reply;
        }
        let made = self.book.lock().make(key, params, self.world.clock.now_ms());
        let page = match made {
            Ok((page, true)) => {
                self.wake_payer(key);
                self.wake_forger(key);
                page
            }
            Ok((page, false)) => page,
            Err(NotOpened::Refused(message)) => return Reply::cashier_failure(message),
            Err(NotOpened::Random(error)) => {
                tracing::error!(%error, "a cashier page could not be named");
                return Reply::server_error("Server Error");
            }
        };
        if fault == Some(PayjsFault::CashierLost) && attempt == 1 {
            self.inject(key, PayjsFault::CashierLost);
            return Reply::cut();
        }
        Reply::redirect(format!("{PAGE_PATH}{page}"))
    }
}
