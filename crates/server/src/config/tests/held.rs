//! What a reload refuses to change, with file and key.

use super::folder::merchant_file;
use super::*;

/// The faults of a reload from one main file, or merchant file, to another.
struct Change {
    case: Case,
    held: Held,
    source: Arc<Source>,
}

impl Change {
    fn from(main: &str, merchants: &str) -> Self {
        let case = Case::new(main);
        case.write("merchants.d/m.toml", merchants);
        let source = case.source();
        let mut held = Held::default();
        held.hold(&source.load(None).result.unwrap_or_else(|faults| panic!("{faults}")));
        Self { case, held, source }
    }

    fn to(&mut self, file: &str, text: &str) -> Result<(), String> {
        self.case.write(file, text);
        let config =
            self.source.load(Some(&self.held)).result.map_err(|faults| self.case.text_of(&faults))?;
        self.held.hold(&config);
        Ok(())
    }
}

const MAIN: &str =
    "merchants_dir = \"merchants.d\"\n[server]\ncalls_in_flight_max = 7\n[backend]\nfolder = \"data\"\n";

#[test]
fn what_is_set_up_only_once_takes_a_restart() {
    let mut change = Change::from(MAIN, &merchant_file("tea", "1900000109"));
    let other = "clock_factor = 1\nmerchants_dir = \"merchants.d\"\n[server]\ngrpc_listen = \"127.0.0.1:9\"\n[backend]\n\
                 folder = \"elsewhere\"\npartitions = 16\n";
    let faults = change.to("paymux.toml", other).unwrap_err();
    has_lines(
        &faults,
        &[
            "paymux.toml:4: server.grpc_listen: cannot change while the process runs; it takes a restart; allowed: \"127.0.0.1:7700\"",
            "default: server.calls_in_flight_max: cannot change while the process runs; it takes a restart; allowed: 7",
            "paymux.toml:6: backend.folder: cannot change while the process runs; it takes a restart; allowed: \"data\"",
            "paymux.toml:7: backend.partitions: cannot change while the process runs; it takes a restart; allowed: 8",
        ],
    );
    assert_eq!(faults.lines().count(), 4, "{faults}");
    change.to("paymux.toml", &format!("# only a remark\n{MAIN}")).unwrap();
}

fn has_lines(faults: &str, expected: &[&str]) {
    for line in expected {
        assert!(faults.lines().any(|fault| fault == *line), "{line}\nis not among\n{faults}");
    }
}

#[test]
fn where_orders_lie_and_who_they_are_at_the_provider_stays_also_across_an_absence() {
    let before = merchant_file("tea", "1900000109");
    let mut change = Change::from(MAIN, &before);
    let moved = before.replace("name = \"tea\"", "name = \"tea\"\nshard_group = \"other\"");
    let refused = |change: &mut Change, text: &str| change.to("merchants.d/m.toml", text).unwrap_err();
    let expected = "merchants.d/m.toml:12: merchants.tea.shard_group: cannot change from tea to other while the process \
                    runs: its orders lie in the partition of the first; allowed: ";
    let faults = refused(&mut change, &moved);
    assert!(faults.starts_with(expected) && faults.lines().count() == 1, "{faults}");

    let faults = refused(&mut change, &merchant_file("tea", "1900000110"));
    let expected = "merchants.d/m.toml:1: accounts.tea: cannot change from wechatpay mchid 1900000109 to wechatpay mchid \
                    1900000110 while the process runs";
    assert!(faults.starts_with(expected), "{faults}");

    let prefixed = before.replace("account = \"tea\"", "account = \"tea\"\norder_prefix = \"T-\"");
    let faults = refused(&mut change, &prefixed);
    assert!(
        faults.starts_with("merchants.d/m.toml:14: merchants.tea.routes[0].order_prefix: cannot change from"),
        "{faults}"
    );

    change.to("merchants.d/m.toml", &merchant_file("rice", "1900000111")).unwrap();
    assert!(refused(&mut change, &moved).contains("merchants.tea.shard_group: cannot change"));
    change.to("merchants.d/m.toml", &before).unwrap();
}

#[test]
fn everything_else_of_a_merchant_may_change() {
    let before = merchant_file("tea", "1900000109");
    let mut change = Change::from(MAIN, &before);
    let after = before
        .replace("name = \"tea\"", "name = \"Tea house\"\nlate_payment = \"complete\"\naccept_per_s_max = 5")
        .replace(
            "serial_no = \"5F1C\"",
            "serial_no = \"6A2D\"\nin_flight_max = 3\nbudgets = { create_per_s = 1 }",
        );
    change.to("merchants.d/m.toml", &after).unwrap();
    change.to("merchants.d/more.toml", &merchant_file("rice", "1900000111")).unwrap();
}
