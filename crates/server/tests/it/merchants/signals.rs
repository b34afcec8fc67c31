//! SIGHUP at the real process, `config check` and `merchants list` over a folder.

use paymux_proto::v1::ErrorReason;
use tempfile::TempDir;

use super::site::{Site, merchant_toml, without_folder};
use crate::rig::{Ports, Server, order, paymux};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_a_running_server_and_a_fault_leaves_it_as_it_was() {
    let site = Site::new(3_600_000);
    site.write("merchants.d/tea.toml", &merchant_toml("tea", "1900000109"));
    let data = TempDir::new().unwrap();
    let mut server = Server::start(&site.path("paymux.toml"), data.path(), Ports::free());
    let client = server.client().await;
    let refused = client.create(order("rice", "RICE-1", 100)).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::MerchantUnknown);

    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000110"));
    server.process.signal("HUP");
    server.process.wait_for(&["\"reloaded: merchants and accounts are in force\"", "\"merchants\":2"]);
    client.create(order("rice", "RICE-1", 100)).await.unwrap();

    site.write("merchants.d/soup.toml", "[merchants.soup]\nname = \"Soup\"\nroutes = 7\n");
    server.process.signal("HUP");
    let told = server.process.wait_for(&["not reloaded", "soup.toml:3"]);
    assert!(told.contains("merchants.soup.routes: is integer; allowed: a list of tables"), "{told}");
    client.create(order("rice", "RICE-2", 100)).await.unwrap();
    let grpc = server.grpc.clone();
    let listed = tokio::task::spawn_blocking(move || paymux(&["merchants", "list", "--server", &grpc])).await;
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert!(listed.contains("rice") && listed.contains("soup.toml:3"), "{listed}");
    server.process.signal("TERM");
    assert_eq!(server.process.exit_code(), Some(0));
}

#[test]
fn config_check_names_every_fault_of_a_folder() {
    let site = Site::new(5000);
    let config = site.path("paymux.toml");
    let check = || paymux(&["config", "check", "--config", config.to_str().unwrap()]);
    site.write("merchants.d/tea.toml", &merchant_toml("tea", "1900000109"));
    let output = check();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "no faults; 1 merchants, 1 accounts");

    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000109"));
    site.write("merchants.d/soup.toml", "= 1\n");
    let output = check();
    assert_eq!(output.status.code(), Some(64));
    let told = without_folder(&String::from_utf8_lossy(&output.stdout), &site);
    assert!(told.contains("merchants.d/soup.toml:1: (file): is not TOML"), "{told}");
    assert!(
        told.contains("merchants.d/tea.toml:1: accounts.tea: is the same merchant as account rice"),
        "{told}"
    );
}
