//! The folder of merchant files: read with the main file as one, every fault with its file and line.

use std::os::unix::fs::symlink;

use super::*;

/// A main file that leaves accounts and merchants to the folder.
const MAIN: &str = "merchants_dir = \"merchants.d\"\n[backend]\nfolder = \"data\"\n";

/// An account and its merchant, in a file of their own.
pub(super) fn merchant_file(id: &str, mchid: &str) -> String {
    format!(
        r#"[accounts.{id}]
provider = "wechatpay"
kind = "direct"
mchid = "{mchid}"
app_ids = ["wx8888888888888888"]
serial_no = "5F1C"
private_key_file = "../secrets/wechatpay/apiclient_key.pem"
apiv3_key_env = "WECHATPAY_APIV3_KEY"
platform_keys = [{{ id = "PUB_KEY_ID_01", public_key_file = "../secrets/wechatpay/pub_key.pem" }}]
[merchants.{id}]
name = "{id}"
[[merchants.{id}.routes]]
account = "{id}"
"#
    )
}

fn ids(config: &Config) -> Vec<&str> {
    config.registry.merchants.keys().map(paymux_domain::name::MerchantId::as_str).collect()
}

#[test]
fn files_of_the_folder_and_one_level_below_are_read_as_one_with_the_main_file() {
    let case = Case::new(&format!("merchants_dir = \"merchants.d\"\n{GOOD}"));
    case.write("merchants.d/rice.toml", &merchant_file("rice", "1900000110"));
    fs::create_dir_all(case.folder.path().join("merchants.d/more/deeper")).unwrap();
    // Paths of secrets are relative to the folder of the file that they stand in.
    let below = merchant_file("soup", "1900000111").replace("\"../", "\"../../");
    case.write("merchants.d/more/soup.toml", &below);
    case.write("merchants.d/more/deeper/unread.toml", "not read");
    case.write("merchants.d/.hidden.toml", "not read");
    case.write("merchants.d/notes.txt", "not read");
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(ids(&config), ["rice", "soup", "tea"]);
    assert!(config.dump().contains("merchants.d/more/soup.toml:4"), "{}", config.dump());
}

#[test]
fn a_folder_that_kubernetes_mounts_is_read_through_its_links() {
    let case = Case::new(MAIN);
    let folder = case.folder.path().join("merchants.d");
    let version = |name: &str, mchid: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("tea.toml"), merchant_file("tea", mchid)).unwrap();
    };
    version("..2026_01_01", "1900000109");
    symlink("..2026_01_01", folder.join("..data")).unwrap();
    symlink("..data/tea.toml", folder.join("tea.toml")).unwrap();
    let source = case.source();
    let Loaded { result, seen } = source.load(None);
    let config = result.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(ids(&config), ["tea"]);
    assert_eq!(seen.now(), seen);

    version("..2026_01_02", "1900000110");
    symlink("..2026_01_02", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    assert_ne!(seen.now(), seen, "the exchange of the link is noticed");
    let account = "tea".parse().unwrap();
    let config = source.load(None).result.unwrap();
    assert_eq!(config.providers.registry.account(&account).unwrap().number_space, "1900000110");
}

#[test]
fn every_fault_of_every_file_is_named_at_once() {
    let case = Case::new(MAIN);
    case.write("merchants.d/a.toml", &merchant_file("rice", "1900000110"));
    let again = merchant_file("rice", "1900000111").replace("name = \"rice\"", "name = 7");
    case.write("merchants.d/b.toml", &again);
    case.write("merchants.d/c.toml", "[server]\ncalls_in_flight_max = 1\n[merchants\n");
    case.write("merchants.d/d.toml", "[server]\ncalls_in_flight_max = 1\n");
    let keyless =
        merchant_file("soup", "1900000112").replace("../secrets/wechatpay/apiclient_key.pem", "gone.pem");
    case.write("merchants.d/e.toml", &keyless.replace("account = \"soup\"", "account = \"soap\""));
    let grouped =
        merchant_file("noodles", "1900000113").replace("account = \"noodles\"", "account = \"rice\"");
    case.write("merchants.d/f.toml", &grouped);
    let faults = case.faults();
    let expected = [
        "merchants.d/b.toml:1: accounts.rice: stands already in ",
        "merchants.d/b.toml:10: merchants.rice: stands already in ",
        "merchants.d/c.toml:3: (file): is not TOML",
        "merchants.d/d.toml:1: server: does not belong into a file of merchants_dir; allowed: [accounts.NAME]",
        "merchants.d/e.toml:7: accounts.soup.private_key_file: merchants.d/gone.pem cannot be read",
        "merchants.d/e.toml:13: merchants.soup.routes[0].account: no usable account soap",
        "merchants.d/a.toml:12: merchants.rice.routes: on account rice",
        "merchants.d/a.toml:1: accounts.rice: is shared across shard groups: noodles in noodles, rice in rice",
    ];
    for line in expected {
        assert!(faults.lines().any(|fault| fault.starts_with(line)), "{line}\nis not among\n{faults}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_by_its_key() {
    let case = Case::new(&MAIN.replace("merchants.d", "gone.d"));
    let faults = case.faults();
    assert!(faults.starts_with("paymux.toml:1: merchants_dir: gone.d cannot be read"), "{faults}");
    let flag = Case::new(MAIN).flag("merchants_dir", "elsewhere");
    assert!(
        flag.faults().contains("flag --set: merchants_dir: elsewhere cannot be read"),
        "{}",
        flag.faults()
    );
}

#[test]
fn whatever_was_looked_at_is_noticed_when_it_changes() {
    let case = Case::new(MAIN);
    case.write("merchants.d/rice.toml", &merchant_file("rice", "1900000110"));
    let source = case.source();
    type Change = fn(&Case);
    let changes: [(&str, Change); 5] = [
        ("a merchant's file", |case| {
            case.write(
                "merchants.d/rice.toml",
                &format!("# longer\n{}", merchant_file("rice", "1900000110")),
            );
        }),
        ("a new file", |case| case.write("merchants.d/soup.toml", &merchant_file("soup", "1900000111"))),
        ("a file less", |case| fs::remove_file(case.folder.path().join("merchants.d/soup.toml")).unwrap()),
        ("a secret alone", |case| case.write("secrets/wechatpay/apiclient_key.pem", &format!("{KEY}\n"))),
        ("the main file", |case| case.write("paymux.toml", &format!("# longer\n{MAIN}"))),
    ];
    for (what, change) in changes {
        let Loaded { result, seen } = source.load(None);
        assert!(result.is_ok() && seen.now() == seen, "{what}: {result:?}");
        change(&case);
        assert_ne!(seen.now(), seen, "{what}");
    }
    // A state with faults is watched too, so that its repair is noticed.
    case.write("merchants.d/rice.toml", "[merchants");
    let Loaded { result, seen } = source.load(None);
    assert!(result.is_err());
    case.write("merchants.d/rice.toml", &merchant_file("rice", "1900000110"));
    assert_ne!(seen.now(), seen);
}

#[test]
fn the_example_of_a_merchant_file_reads() {
    let case = Case::new(MAIN);
    let secrets = case.folder.path().join("merchants.d");
    std::os::unix::fs::symlink("../secrets", secrets.join("secrets")).unwrap();
    case.write("merchants.d/tea-house.toml", &merchant_file_example());
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(ids(&config), ["tea-house"]);
}
