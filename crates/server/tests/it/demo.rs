//! `paymux demo`: small counts end right, and planted faults end with exit code 1.

use serde_json::Value;

use crate::rig::{is_full, paymux};

fn run(args: &[&str]) -> (Option<i32>, Value) {
    let base = ["demo", "--output", "json", "--log", "error"];
    let output = paymux(&[&base, args].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), json)
}

fn number(report: &Value, name: &str) -> i64 {
    report[name].as_i64().unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
fn without_faults_every_order_ends_right() {
    let (code, report) = run(&["--orders", "60", "--faults", "none"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((number(&report, "right_end"), number(&report, "wrong_end")), (60, 0));
    assert_eq!(number(&report, "money_taken"), number(&report, "money_recorded"));
    assert!(number(&report, "money_taken") > 0);
    for name in ["undeterminable", "parked", "healed_by_sweep", "late_payments"] {
        number(&report, name);
    }
    assert!(report["orders_per_s"].as_f64().unwrap() > 0.0);
    assert!(report["create_ms"]["p50"].as_f64().unwrap() <= report["create_ms"]["p99"].as_f64().unwrap());
}

#[test]
fn with_heavy_faults_every_kind_is_met_and_every_order_ends_right_or_is_parked() {
    let orders = if is_full() { "5000" } else { "400" };
    let seeds = if is_full() { 1..=5 } else { 1..=1 };
    for seed in seeds {
        let (code, report) = run(&["--orders", orders, "--faults", "heavy", "--seed", &seed.to_string()]);
        assert_eq!(code, Some(0), "seed {seed}: {report}");
        assert_eq!(number(&report, "wrong_end"), 0, "{report}");
        assert_eq!(number(&report, "money_taken"), number(&report, "money_recorded"));
        let kinds = report["faults_injected"].as_object().unwrap();
        let never: Vec<_> = kinds.iter().filter(|(_, count)| count.as_u64() == Some(0)).collect();
        assert!(never.is_empty(), "seed {seed}: never injected: {never:?}");
    }
}

#[cfg(feature = "plant")]
#[test]
fn planted_faults_are_found() {
    for plant in ["close-without-query", "guess-failed", "drop-event", "fulfil-unpaid"] {
        let (code, report) =
            run(&["--orders", "150", "--faults", "heavy", "--timeout-s", "90", "--plant", plant]);
        assert_eq!(code, Some(1), "{plant} was not found: {report}");
        assert!(number(&report, "wrong_end") > 0, "{plant}: {report}");
    }
}

#[test]
fn a_folder_with_the_data_of_an_earlier_run_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let output = paymux(&["demo", "--folder", folder.path().to_str().unwrap(), "--log", "error"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("data of an earlier run"), "{told}");
}
