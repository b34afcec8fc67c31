//! Records of a merchant that the worker does not know: they wait, and go on after the reload that brings it.

use paymux_proto::v1::OrderState;
use paymux_server::roles::Roles;

use super::site::{Site, eventually, merchant_toml};
use crate::rig::{get, order, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_merchant_that_is_not_known_yet_waits_for_it_and_others_go_on() {
    let site = Site::new(3_600_000);
    site.write("merchants.d/tea.toml", &merchant_toml("tea", "1900000109"));
    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000110"));
    // An ingest whose files are newer than those of the worker.
    let ingest = site.start(Roles { ingest: true, worker: false, notify: false }).await;
    let client = ingest.client().await;
    client.create(order("rice", "RICE-0001", 100)).await.unwrap();
    client.create(order("tea", "TEA-0001", 100)).await.unwrap();
    ingest.stop().await;

    site.remove("merchants.d/rice.toml");
    let running = site.start(Roles::ALL).await;
    let client = running.client().await;
    // Both lie in the one partition, and the unknown merchant's record is the earlier one.
    until(&client, "tea", "TEA-0001", |order| order.state() != OrderState::Unspecified).await;
    let worker = running.status.worker.clone().unwrap();
    eventually("the record waits", async || worker.waiting_for_configuration.get() > 0).await;
    assert!(client.orders().get_order(get("rice", "RICE-0001", 0)).await.is_err(), "nothing of it is stored");

    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000110"));
    running.reloader().reload().await.unwrap();
    let is_there = async || client.orders().get_order(get("rice", "RICE-0001", 0)).await.is_ok();
    eventually("it goes on by itself", is_there).await;
    running.stop().await;
}
