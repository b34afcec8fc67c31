//! A sixth provider, made up for this suite and known to nothing outside its tests: its client, its side, its rig.
//!
//! Its contract: JSON over HTTP. `POST /sixth/orders` makes an order, the same again is the same order. `GET
//! /sixth/orders/{shop}/{number}` tells of it. `POST /sixth/refunds` gives back a part under a number, `GET
//! /sixth/refunds/{shop}/{number}` tells of that. An order that is not paid by its `expires_at` cannot be paid any more;
//! nobody can close it before. It tells of payments alone. Requests, answers and notifications carry `sixth-time` in seconds and `sixth-seal`, the
//! HMAC-SHA256 in hexadecimal digits by the shared key over time, a line break, what is asked for (of a request: method,
//! blank, path; of an answer: its status; of a notification: `notify`), a line break, and the body.

pub(crate) mod provider;
pub(crate) mod rig;
pub(crate) mod simulator;

use std::fs;
use std::path::Path;

use paymux_domain::time::ClockFactor;
use paymux_providers::{AccountSection, Accounts, PROVIDERS};
use secrecy::SecretString;

/// Files below a folder that name the sixth provider.
fn naming_it(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(naming_it(&path));
        } else if fs::read(&path).unwrap().windows(5).any(|word| word.eq_ignore_ascii_case(b"sixth")) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn nothing_in_the_crates_knows_of_it() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut read = 0;
    for entry in fs::read_dir(crates).unwrap() {
        let sources = entry.unwrap().path().join("src");
        if sources.is_dir() {
            read += 1;
            assert_eq!(naming_it(&sources), Vec::<String>::new());
        }
    }
    assert!(read >= 7, "{read} crates were read");
    assert_eq!(naming_it(&crates.join("../proto")), Vec::<String>::new());
    assert!(PROVIDERS.iter().all(|known| known.name != provider::REGISTRATION.name));
}

/// An account of it is refused where it is not registered, and read where it is: by its line alone.
#[test]
fn its_registration_line_is_all_that_it_takes() {
    let section = AccountSection {
        account: "shop".parse().unwrap(),
        provider: provider::REGISTRATION.name.parse().unwrap(),
        settings: "shop = \"sixth-shop-1\"\nkey_env = \"KEY\"\nbase_url = \"http://127.0.0.1:1\""
            .parse()
            .unwrap(),
    };
    let secrets = |_: &paymux_providers::SecretRef| Ok(SecretString::from(simulator::KEY));
    let read = |registrations: &[paymux_providers::Registration]| {
        let (sections, keys) = ([section.clone()], paymux_providers::signing::KeyCache::default());
        Accounts::read_of(registrations, &sections, &secrets, ClockFactor::REAL, &keys)
    };
    let faults = read(PROVIDERS).unwrap_err();
    assert!(faults[0].reason.starts_with("unknown provider; there is wechatpay, payjs"), "{faults:?}");
    assert!(read(&crate::registry::providers()).is_ok());
}
