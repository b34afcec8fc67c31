//! Signing keys across reloads: the new one takes over, the old one goes on for calls under way, and then goes.

use std::fs;

use paymux_providers::signing::PoolOptions;
use tempfile::TempDir;

use super::*;
use crate::clock::ScaledClock;

const MAIN: &str = r#"
[backend]
folder = "data"
[accounts.tea]
provider = "wechatpay"
kind = "direct"
mchid = "1900000109"
app_ids = ["wx8888888888888888"]
serial_no = "OLD"
private_key_file = "key.pem"
apiv3_key_file = "apiv3"
platform_keys = [{ id = "PUB_KEY_ID_01", public_key_file = "public.pem" }]
[merchants.tea]
name = "Tea"
routes = [{ account = "tea" }]
"#;

/// The main file with another serial number of the merchant's key.
fn main_file(serial: &str) -> String {
    MAIN.replace("OLD", serial)
}

fn site() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("key.pem", include_str!("../../tests/fixtures/key.pem"));
    write("public.pem", include_str!("../../tests/fixtures/public.pem"));
    write("apiv3", "0123456789abcdef0123456789abcdef");
    write("paymux.toml", &main_file("5F1C"));
    folder
}

fn reloader(site: &TempDir) -> Arc<Reloader> {
    let config = Config::load(Some(&site.path().join("paymux.toml")), [], &[]).unwrap();
    let Providers { registry: providers, signing_keys } = config.providers.clone();
    let signer = Arc::new(SigningPool::start(PoolOptions { threads: 1, queue: 1 }, signing_keys).unwrap());
    let live = LiveRegistry::new(config.registry.clone(), lookup_in(providers.in_force()));
    let clock = Arc::new(ScaledClock::new(config.clock));
    Reloader::new(&config, InUse { live: Arc::new(live), providers, signer }, clock)
}

impl Reloader {
    fn signs_with(&self, serial: &str) -> bool {
        self.in_use.signer.keys().get(&format!("wechatpay/tea/{serial}")).is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_signing_key_takes_over_and_the_old_one_stays_for_calls_under_way() {
    let site = site();
    let reloader = reloader(&site);
    assert!(reloader.signs_with("5F1C"));
    let under_way = reloader.in_use.providers.in_force();
    fs::write(site.path().join("paymux.toml"), main_file("6A2D")).unwrap();
    reloader.reload().await.unwrap();
    assert!(reloader.signs_with("6A2D") && reloader.signs_with("5F1C"));
    assert!(!Arc::ptr_eq(&under_way, &reloader.in_use.providers.in_force()));

    // Another exchange meanwhile: the first key may still be in use.
    tokio::time::advance(KEYS_KEPT / 2).await;
    fs::write(site.path().join("paymux.toml"), main_file("7B3E")).unwrap();
    reloader.reload().await.unwrap();
    tokio::time::advance(KEYS_KEPT / 2).await;
    reloader.retire_keys();
    assert!(["5F1C", "6A2D", "7B3E"].iter().all(|serial| reloader.signs_with(serial)));

    tokio::time::advance(KEYS_KEPT / 2).await;
    reloader.retire_keys();
    assert!(reloader.signs_with("7B3E") && !reloader.signs_with("6A2D") && !reloader.signs_with("5F1C"));
}

#[tokio::test(start_paused = true)]
async fn a_faulty_state_is_told_and_leaves_every_key_as_it_was() {
    let site = site();
    let reloader = reloader(&site);
    let begun = reloader.status().borrow().clone();
    fs::write(site.path().join("paymux.toml"), main_file("no serial")).unwrap();
    let faults = reloader.reload().await.unwrap_err();
    let told = reloader.status().borrow().clone();
    assert_eq!((told.tries, told.in_force_time), (1, begun.in_force_time));
    assert_eq!(told.faults, [faults.to_string()]);
    assert!(told.faults[0].contains("paymux.toml:9: accounts.tea.serial_no: must be"), "{told:?}");
    assert!(reloader.signs_with("5F1C"));
    fs::write(site.path().join("paymux.toml"), main_file("5F1C")).unwrap();
    reloader.reload().await.unwrap();
    assert!(reloader.status().borrow().faults.is_empty());
}
