//! The cells of one line of an export: read, checked, and made a line, with every fault at once.

use paymux_domain::name::NameError;

use super::Source;
use super::columns::{Column, Columns, beijing_time, fen};
use super::export::Fault;
use super::judge::{Line, What};
use crate::ingest::check_provider_refund_no;

/// The cells of one line.
pub(super) struct Cells<'a> {
    pub(super) source: &'a Source,
    pub(super) columns: &'a Columns,
    pub(super) record: &'a csv::StringRecord,
    pub(super) line: u64,
    pub(super) faults: Vec<Fault>,
}

impl Cells<'_> {
    fn text(&self, column: Column) -> &str {
        self.columns.cell(self.record, column).1
    }

    fn fault(&mut self, column: Column, reason: impl Into<String>) {
        let (name, _) = self.columns.cell(self.record, column);
        self.faults.push(Fault { line: self.line, column: name.to_owned(), reason: reason.into() });
    }

    fn name<T: std::str::FromStr<Err = NameError>>(&mut self, column: Column) -> Option<T> {
        match self.text(column).parse() {
            Ok(name) => Some(name),
            Err(NameError { allowed, .. }) => {
                self.fault(column, format!("must be {allowed}"));
                None
            }
        }
    }

    fn money(&mut self, column: Column) -> Option<i64> {
        let minor = fen(self.text(column)).filter(|minor| *minor > 0);
        if minor.is_none() {
            self.fault(column, "must be an amount above zero in yuan, such as 12.34");
        }
        minor
    }

    /// A time that is there must be one.
    fn time(&mut self, column: Column) -> Option<prost_types::Timestamp> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let time = beijing_time(text);
        if time.is_none() {
            self.fault(column, "must be a time such as 2026-05-10 08:00:00");
        }
        time
    }

    fn payment(&mut self) -> Option<What> {
        let trade_no = self.name(Column::TradeNo);
        let total_minor = self.money(Column::Total);
        let success_time = self.time(Column::Time);
        Some(What::Payment { trade_no: trade_no?, total_minor: total_minor?, success_time })
    }

    /// Whose bill the line is of, and in what money; neither provider's text decides what the file is of.
    fn belongs(&mut self) {
        for (column, wanted) in
            [(Column::Mchid, &self.source.mchid), (Column::SubMchid, &self.source.sub_mchid)]
        {
            let (name, found) = self.columns.cell(self.record, column);
            // Where there is no sub-merchant the bill has a nought.
            let is_same = found == wanted || (wanted.is_empty() && found == "0");
            if !is_same && !name.is_empty() {
                let wanted = if wanted.is_empty() { "none" } else { wanted };
                self.fault(
                    column,
                    format!("is {found}, the account's is {wanted}: see --mchid and --sub-mchid"),
                );
            }
        }
        let (name, currency) = self.columns.cell(self.record, Column::Currency);
        if !name.is_empty() && currency != "CNY" {
            self.fault(Column::Currency, "must be CNY");
        }
    }

    /// The provider's number of a refund, as the server takes it.
    fn provider_refund_no(&mut self) -> Option<String> {
        let text = self.text(Column::ProviderRefundNo).to_owned();
        match check_provider_refund_no(&text) {
            Ok(()) => Some(text),
            Err(allowed) => {
                self.fault(Column::ProviderRefundNo, allowed);
                None
            }
        }
    }

    fn refund(&mut self) -> Option<What> {
        let out_refund_no = self.name(Column::OutRefundNo);
        let total_minor = self.money(Column::RefundTotal);
        let done = self.text(Column::RefundState) == "SUCCESS";
        let provider_refund_no = self.provider_refund_no();
        Some(What::Refund {
            out_refund_no: out_refund_no?,
            total_minor: total_minor?,
            done,
            provider_refund_no: provider_refund_no?,
        })
    }

    pub(super) fn wechatpay(&mut self) -> Option<Line> {
        self.belongs();
        let out_trade_no = self.name(Column::OutTradeNo);
        let what = match self.text(Column::State) {
            "SUCCESS" => self.payment(),
            "REFUND" => self.refund(),
            "REVOKED" => Some(What::Unpaid("revoked before it was paid")),
            _ => {
                self.fault(Column::State, "must be SUCCESS, REFUND or REVOKED");
                None
            }
        };
        Some(Line { number: self.line, out_trade_no: out_trade_no?, what: what? })
    }

    pub(super) fn payjs(&mut self) -> Option<Line> {
        let out_trade_no = self.name(Column::OutTradeNo);
        let what = match self.text(Column::State) {
            "已支付" | "支付成功" | "SUCCESS" | "1" => self.payment(),
            "已退款" | "REFUND" => Some(What::Refunded),
            "未支付" | "已关闭" | "CLOSED" | "0" => Some(What::Unpaid("not paid")),
            _ => {
                self.fault(Column::State, "must be 已支付, 已退款, 未支付 or 已关闭");
                None
            }
        };
        Some(Line { number: self.line, out_trade_no: out_trade_no?, what: what? })
    }
}
