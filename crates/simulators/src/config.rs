//! The settings of a simulator, readable from TOML or JSON; every key has a default.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::faults::{FaultPlan, FaultTuning};
use crate::maqian::MaqianConfig;
use crate::payers::PayerPlan;
use crate::payjs::PayjsConfig;
use crate::upaas::UpaasConfig;
use crate::wechatpay::WechatpayConfig;
use crate::xorpay::XorpayConfig;

/// Settings of a whole simulator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorConfig {
    /// Address of the one listener for provider and control API. Must be a loopback address, since the
    /// control API knows no authentication; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of WeChat Pay's stand-by host, a loopback address, too: it serves the same, whether the main host is there
    /// or not. Absent: there is none.
    pub stand_by_listen: Option<SocketAddr>,
    /// How many times faster than real time the provider's schedules run, 1 to 100,000 (see
    /// [`crate::clock`]).
    pub clock_factor: f64,
    /// Origin of the scaled clock in real milliseconds since the epoch; absent: the start of the simulator.
    pub clock_origin_ms: Option<i64>,
    /// Most orders that are held per provider. Further creates are answered 500 with a message that says so.
    pub orders_max: usize,
    /// Real time that a merchant's server has to answer a notification of WeChat Pay or UPaaS, in milliseconds
    /// (WeChat Pay's is 5 s).
    pub notify_timeout_ms: u64,
    /// Most notifications in flight at once.
    pub notify_concurrency: usize,
    /// Faults by rates.
    pub faults: FaultPlan,
    /// The numbers that shape faults.
    pub fault_tuning: FaultTuning,
    /// Payers that act on their own.
    pub payers: PayerPlan,
    /// WeChat Pay's side.
    pub wechatpay: WechatpayConfig,
    /// PayJS's side.
    pub payjs: PayjsConfig,
    /// XorPay's side.
    pub xorpay: XorpayConfig,
    /// 码钱's side.
    pub maqian: MaqianConfig,
    /// UPaaS's side.
    pub upaas: UpaasConfig,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            stand_by_listen: None,
            clock_factor: 1.0,
            clock_origin_ms: None,
            orders_max: 200_000,
            notify_timeout_ms: 5_000,
            notify_concurrency: 64,
            faults: FaultPlan::default(),
            fault_tuning: FaultTuning::default(),
            payers: PayerPlan::default(),
            wechatpay: WechatpayConfig::default(),
            payjs: PayjsConfig::default(),
            xorpay: XorpayConfig::default(),
            maqian: MaqianConfig::default(),
            upaas: UpaasConfig::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let config: SimulatorConfig = toml::from_str(example).unwrap();
        assert_eq!(config.fault_tuning, FaultTuning::default());
        assert_eq!(config.wechatpay.merchants[0].sub_merchants.len(), 1);
        assert_eq!(config.payjs.merchants[0].mchid, "1600000109");
        assert_eq!(config.xorpay.merchants[0].aid, "15627");
        assert_eq!(config.maqian.merchants[0].merch_no, "833651658120003");
        assert_eq!(config.upaas.merchants[0].offers.len(), 5);
        config.faults.validate().unwrap();
        config.payers.validate().unwrap();
    }

    #[test]
    fn an_empty_document_gives_the_defaults_and_unknown_keys_are_refused() {
        let config: SimulatorConfig = serde_json::from_str("{}").unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.faults, FaultPlan::default());
        assert!(serde_json::from_str::<SimulatorConfig>(r#"{"listn": "127.0.0.1:0"}"#).is_err());
        assert!(serde_json::from_str::<SimulatorConfig>(r#"{"faults": {"rate": {}}}"#).is_err());
    }
}
