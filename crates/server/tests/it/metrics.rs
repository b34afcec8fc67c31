//! Metrics of a running engine: what a scrape tells after orders, notifications and refusals, and what Prometheus makes
//! of it.

mod prometheus_scrape;
mod site;

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_proto::v1::ErrorReason;
use tokio::time::Instant;

use crate::rig::{PATIENCE, http};
use site::Site;

/// The samples of a page, by name with labels.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').expect("a value"))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect()
}

/// The page once it tells all of this: an effect may be seen before whoever had it has counted it.
async fn page_with(site: &Site, wanted: &[(&str, f64)]) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = site.scrape().await;
        let told = samples(&page);
        let differs = |name: &str, wanted: f64| {
            told.get(name).is_none_or(|value| (value - wanted).abs() > f64::EPSILON)
        };
        let Some((name, value)) = wanted.iter().find(|(name, value)| differs(name, *value)) else {
            return page;
        };
        assert!(Instant::now() < deadline, "{name} is {:?}, not {value}, in\n{page}", told.get(name));
        tokio::time::sleep(Duration::from_millis(50)).await; // tidy: looks again
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_tells_what_became_of_commands_orders_calls_and_notifications() {
    let site = Site::start(&[]).await;
    site.orders(3, 1).await;
    let refused = site.client.create(crate::rig::order("nobody", "METRICS-X", 100)).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::MerchantUnknown);
    let forged = http().post(format!("{}/notify/wechatpay/m01", site.notify)).body("{}");
    let status = forged.send().await.unwrap().status().as_u16();
    assert!((400..500).contains(&status), "{status}");

    let wanted = [
        ("paymux_commands_accepted_total{command=\"create\"}", 3.0),
        ("paymux_calls_refused_total{reason=\"merchant_unknown\"}", 1.0),
        ("paymux_orders_created_total{provider=\"wechatpay\"}", 3.0),
        ("paymux_orders_ended_total{provider=\"wechatpay\",end=\"paid\"}", 1.0),
        ("paymux_provider_calls_total{provider=\"wechatpay\",operation=\"create\",class=\"DONE\"}", 3.0),
        ("paymux_provider_call_duration_seconds_count{provider=\"wechatpay\",operation=\"create\"}", 3.0),
        ("paymux_limiter_wait_seconds_count{operation=\"create\"}", 3.0),
        ("paymux_notifications_total{verdict=\"taken\"}", 1.0),
        ("paymux_notifications_total{verdict=\"malformed\"}", 1.0),
        ("paymux_ready", 1.0),
        ("paymux_log_request_duration_seconds_count{role=\"ingest\",request=\"append\"}", 3.0),
        ("paymux_log_request_duration_seconds_count{role=\"notify\",request=\"append\"}", 1.0),
        ("paymux_log_records_dead_total", 0.0),
    ];
    let page = page_with(&site, &wanted).await;
    let told = samples(&page);
    let value = |name: &str| *told.get(name).unwrap_or_else(|| panic!("{name} in\n{page}"));
    let owned = value("paymux_partitions_owned");
    let leased: f64 = told
        .iter()
        .filter(|(name, _)| name.starts_with("paymux_partition_lease_held{"))
        .map(|(_, v)| v)
        .sum();
    assert!(owned >= 1.0 && (leased - owned).abs() < f64::EPSILON, "{leased} of {owned}");
    assert!(
        value("paymux_store_request_duration_seconds_count{role=\"worker\",request=\"write_step\"}") >= 6.0
    );
    assert!(
        value("paymux_provider_call_duration_seconds_sum{provider=\"wechatpay\",operation=\"create\"}") > 0.0
    );
    for hidden in ["METRICS-", "m01", "nobody", "oUpF8uMuAJO"] {
        assert!(!page.contains(hidden), "{hidden} is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merchants_are_named_where_it_is_asked_for_up_to_the_bound() {
    let site = Site::start(&["server.metrics_merchants_max=1"]).await;
    for (merchant, number) in [("m01", "METRICS-1"), ("m03", "METRICS-2"), ("m01", "METRICS-3")] {
        site.client
            .create(crate::rig::order(merchant, number, 100))
            .await
            .expect("an order that is accepted");
    }
    let page = site.scrape().await;
    let told = samples(&page);
    let of = |merchant: &str| {
        told.get(format!("paymux_merchant_commands_accepted_total{{merchant=\"{merchant}\"}}").as_str())
            .copied()
    };
    assert_eq!((of("m01"), of("*"), of("m03")), (Some(2.0), Some(1.0), None), "{page}");
}
