//! Shard groups that are divided: what may be, what each owner gets of an account, what a reload refuses.

use paymux_domain::name::{AccountId, OrderKey};
use paymux_domain::ports::{AccountPolicy, Directory as _};
use paymux_domain::shard::Partition;

use super::*;
use crate::config::LiveRegistry;

/// The good configuration with a section for the group of its merchant.
fn divided(section: &str) -> String {
    format!("{GOOD}\n{section}\n")
}

fn slices(slices: &str) -> String {
    divided(&format!("[shard_groups.tea]\nslices = {slices}"))
}

#[test]
fn a_group_is_whole_unless_a_section_divides_it() {
    let of = |toml: &str| {
        let config = Case::new(toml).load().unwrap();
        config.registry.merchants.values().next().unwrap().shard_group.to_string()
    };
    assert_eq!(of(GOOD), "tea");
    assert_eq!(of(&divided("[shard_groups.tea]")), "tea");
    assert_eq!(of(&slices("4")), "tea in 4 slices");
    let named = GOOD.replace("name = \"Tea\"", "name = \"Tea\"\nshard_group = \"big\"");
    assert_eq!(of(&format!("{named}\n[shard_groups.big]\nslices = 8\n")), "big in 8 slices");
    assert_eq!(of(&format!("{named}\n[shard_groups.tea]\nslices = 8\n")), "big");
}

#[test]
fn every_fault_of_a_group_is_told_at_once() {
    let toml = GOOD.replace("name = \"Tea\"", "name = \"Tea\"\nshard_group = \"tea#1\"");
    let toml = format!(
        "{toml}\n[shard_groups.none]\nslices = 0\n[shard_groups.many]\nslices = 9\n[shard_groups.\"a.b\"]\nslices = 2\n\
         [shard_groups.odd]\nslice = 2\n"
    );
    let faults = Case::new(&toml).faults();
    for expected in [
        "merchants.tea.shard_group: tea#1 is the name of a slice: # stands before its number; allowed: a name without #",
        "shard_groups.none.slices: 0 is not allowed; allowed: a whole number from 1 to 64",
        "shard_groups.many.slices: 9 slices, and the log has 8 partitions; allowed: 1 to 8",
        "shard_groups.a.b.slices: the slices of this group could not be named; allowed: a group of 1 to 76 of 0-9 A-Z a-z _ -",
        "shard_groups.odd.slice: ",
    ] {
        assert!(faults.contains(expected), "{expected}\nis not in\n{faults}");
    }
}

#[test]
fn limits_that_cannot_be_divided_are_named() {
    let small = GOOD.replace(
        "mchid = \"1900000109\"",
        "mchid = \"1900000109\"\nin_flight_max = 3\nbudgets = { create_per_s = 2, refund_burst = 4 }",
    );
    assert!(Case::new(&small).load().is_ok(), "for one owner they are enough");
    let faults = Case::new(&format!("{small}\n[shard_groups.tea]\nslices = 4\n")).faults();
    for expected in [
        "accounts.direct.budgets.create_per_s: 2 cannot be divided over shard group tea in 4 slices; allowed: at least 4",
        "accounts.direct.in_flight_max: 3 cannot be divided over shard group tea in 4 slices; allowed: at least 4",
    ] {
        assert!(faults.contains(expected), "{expected}\nis not in\n{faults}");
    }
    assert_eq!(faults.lines().count(), 2, "{faults}");
}

#[test]
fn the_owners_of_a_divided_group_have_together_what_the_account_may() {
    let config = Case::new(&slices("5")).load().unwrap();
    let registry = config.registry;
    let group = registry.merchants.values().next().unwrap().shard_group.clone();
    let account: AccountId = "direct".parse().unwrap();
    let whole = registry.accounts[&account].policy;
    let live = LiveRegistry::new(registry, Arc::new(|_| None));
    let shares: Vec<AccountPolicy> =
        (0..8).map(|number| live.account(&account, Partition(number)).unwrap()).collect();
    for at in 0..4 {
        let sum =
            |of: fn(&AccountPolicy, usize) -> u32| shares.iter().map(|share| of(share, at)).sum::<u32>();
        assert_eq!(sum(|share, at| share.budgets[at].per_second), whole.budgets[at].per_second);
        assert_eq!(sum(|share, at| share.budgets[at].burst), whole.budgets[at].burst);
    }
    assert_eq!(shares.iter().map(|share| share.in_flight_max).sum::<u32>(), whole.in_flight_max);
    let homes = group.partitions(8);
    for (number, share) in (0..).zip(&shares) {
        assert_eq!(share.in_flight_max > 0, homes.contains(&Partition(number)), "partition {number}");
    }

    let order = OrderKey { merchant_id: "tea".parse().unwrap(), order_no: "A-1".parse().unwrap() };
    assert_eq!(live.shard_key(&order).as_ref(), Some(group.key(&order.order_no)));
    let stranger = OrderKey { merchant_id: "nobody".parse().unwrap(), ..order };
    assert_eq!(live.shard_key(&stranger), None);
}

#[test]
fn a_reload_divides_no_group() {
    let case = Case::new(&slices("2"));
    let source = case.source();
    let mut held = Held::default();
    held.hold(&source.load(None).result.unwrap_or_else(|faults| panic!("{faults}")));
    for other in [slices("4"), GOOD.to_owned(), divided("[shard_groups.other]\nslices = 2")] {
        case.write("paymux.toml", &other);
        let faults = source.load(Some(&held)).result.map(drop).unwrap_err();
        let faults = case.text_of(&faults);
        let expected = "slices: cannot change while the process runs; it takes a restart";
        assert!(faults.contains("shard_groups.") && faults.contains(expected), "{faults}");
    }
    case.write("paymux.toml", &slices("2"));
    assert!(source.load(Some(&held)).result.is_ok());
}
