//! Opening the cashier: a payer's device comes with the signed launch, and is let in or told why not.

use std::sync::Arc;

use super::Maqian;
use super::launch::{Launch, MiniLaunch, NoLaunch};
use super::params::CashierParams;
use super::sign;
use crate::faults::{MaqianFault, Stage};
use crate::provider::OrderKey;
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Why a payer does not get into the cashier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpened {
    /// The device does not get there.
    #[error(transparent)]
    Launch(#[from] NoLaunch),
    /// 码钱 refuses, in words of its own.
    #[error("the cashier refuses: {0}")]
    Refused(String),
}

impl Maqian {
    /// An app opens the cashier by its URI.
    pub(crate) fn open_uri(self: &Arc<Self>, uri: &str) -> Result<OrderKey, NotOpened> {
        self.visit(Launch::of_uri(uri)?)
    }

    /// Another mini program opens the cashier.
    pub(crate) fn open_mini(self: &Arc<Self>, mini: &MiniLaunch) -> Result<OrderKey, NotOpened> {
        self.visit(Launch::of_mini(mini)?)
    }

    /// The opening is counted, whatever becomes of it. What the cashier's page answers the device is not HTTP of a merchant's,
    /// so it has no status; it is counted as 200 or 400.
    fn visit(self: &Arc<Self>, launch: Launch) -> Result<OrderKey, NotOpened> {
        let account = launch.get("merch_no").and_then(|merch_no| self.account(merch_no));
        let name = account.as_ref().map_or(UNKNOWN_ACCOUNT, |account| &account.merchant.merch_no).to_owned();
        self.world.stats.call(&name, Operation::Create, || self.world.clock.real_elapsed());
        let opened = match account {
            None => Err("商户不存在".to_owned()),
            Some(account) if !account.has_signed(&sign::launch_text(&launch.data), &launch.signature) => {
                Err("验签失败".to_owned())
            }
            Some(account) => CashierParams::parse(&launch, &account.merchant)
                .and_then(|params| self.open(&OrderKey::new(&name, &params.out_trade_no.clone()), params)),
        };
        self.world.stats.answer(&name, Operation::Create, if opened.is_ok() { 200 } else { 400 });
        opened.map_err(NotOpened::Refused)
    }

    fn open(self: &Arc<Self>, key: &OrderKey, params: CashierParams) -> Result<OrderKey, String> {
        let counted = {
            let mut book = self.book.lock();
            book.open(key, params.total).map(|entry| {
                entry.calls.create += 1;
                (entry.calls.create, entry.total)
            })
        };
        let Ok((attempt, total)) = counted else {
            self.world.stats.turned_away();
            let max = self.world.orders_max;
            return Err(format!(
                "the simulator is full: orders_max = {max} orders are held; raise it or POST /control/reset"
            ));
        };
        match self.fault_at(Stage::Create, key, total) {
            Some(kind @ MaqianFault::LaunchRefused) => {
                self.inject(key, kind);
                return Err("下单失败".to_owned());
            }
            Some(kind @ MaqianFault::LaunchError) if attempt == 1 => {
                self.inject(key, kind);
                return Err("系统繁忙，请稍后再试".to_owned());
            }
            _ => {}
        }
        let is_new = self.book.lock().make(key, params, self.world.clock.now_ms())?;
        if is_new {
            self.wake_payer(key);
            self.wake_forger(key);
        }
        Ok(key.clone())
    }
}
