//! `paymux load` against real servers: its counts add up, what is refused is told, and its audit finds a loss.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::rig::{PAYMUX, Ports, Process, Server, World, paymux};

/// Ten merchants: the ninth and tenth are at XorPay, whose payers open nothing and whose keys cost nothing.
const MERCHANTS: u16 = 10;

fn world() -> World {
    World::of(MERCHANTS, &["--budgets", "high"])
}

/// The arguments of a load on a server whose providers are those of a world.
fn args<'a>(server: &'a str, world: &'a World, more: &[&'a str]) -> Vec<&'a str> {
    let base =
        ["load", "--output", "json", "--log", "error", "--server", server, "--simulator", &world.simulator];
    [&base, more].concat()
}

/// Runs a load to its end.
fn load(server: &str, world: &World, more: &[&str]) -> (Option<i32>, Value) {
    let output = paymux(&args(server, world, more));
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {text} {error}"));
    (output.status.code(), report)
}

fn count(counts: &Value, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counts}"))
}

/// Every event was sent or not, and every one that was sent is ok, refused or failed and has its latency.
fn assert_adds_up(report: &Value) {
    let (all, kinds) = (&report["all"], report["kinds"].as_object().expect("kinds"));
    let steps = report["steps"].as_array().expect("steps");
    for counts in kinds.values().chain(steps).chain([all]) {
        let ended = count(counts, "ok") + count(counts, "refused") + count(counts, "failed");
        assert_eq!(count(counts, "sent"), ended, "{counts}");
        assert_eq!(count(&counts["ok_ms"], "count"), count(counts, "ok"), "{counts}");
        assert_eq!(count(&counts["refused_ms"], "count"), count(counts, "refused"), "{counts}");
    }
    assert_eq!(count(report, "planned"), count(all, "sent") + count(all, "not_sent"), "{report}");
    for name in ["sent", "not_sent", "ok", "refused", "failed"] {
        assert_eq!(kinds.values().map(|counts| count(counts, name)).sum::<u64>(), count(all, name), "{name}");
        assert_eq!(steps.iter().map(|counts| count(counts, name)).sum::<u64>(), count(all, name), "{name}");
    }
    let errors: u64 = report["errors"].as_object().expect("errors").values().filter_map(Value::as_u64).sum();
    assert_eq!(errors, count(all, "refused") + count(all, "failed"), "{report}");
}

#[test]
fn events_of_every_kind_end_and_every_order_is_paid_as_it_was_taken() {
    let world = world();
    let file = world.folder.path().join("load.json");
    let mix = "accept=2,create=1,stream=2,notify=1,life=1";
    let here = std::process::id().to_string();
    let (code, report) = load(
        &world.grpc,
        &world,
        &[
            "--rate",
            "35..70",
            "--step",
            "35",
            "--step-s",
            "1",
            "--mix",
            mix,
            "--provider",
            "xorpay",
            "--provider",
            "payjs",
            "--watch-pid",
            &here,
            "--json",
            &file.display().to_string(),
            "--tag",
            "mixed",
        ],
    );
    assert_eq!(code, Some(0), "{report}");
    assert_adds_up(&report);
    assert_eq!((count(&report, "planned"), count(&report["all"], "ok")), (105, 105), "{report}");
    for (kind, events) in [("accept", 30), ("create", 15), ("stream", 30), ("notify", 15), ("life", 15)] {
        let counts = &report["kinds"][kind];
        assert_eq!(count(counts, "ok"), events, "{kind}: {counts}");
        let is_paid = ["notify", "life"].contains(&kind);
        let heard = count(&counts["paid_ms"], "count") + count(counts, "unheard");
        assert_eq!(heard, if is_paid { events } else { 0 }, "{kind}: {counts}");
        assert_eq!(count(counts, "unheard"), 0, "{kind}: {counts}");
    }
    let audit = &report["audit"];
    assert_eq!(
        (count(audit, "accepted"), count(&audit["ended"], "PAID"), count(audit, "wrong")),
        (105, 105, 0)
    );
    assert!(
        audit["money_taken"].as_i64() > Some(0) && audit["money_taken"] == audit["money_recorded"],
        "{audit}"
    );
    assert!(report["process"]["resident_kib"]["max"].as_u64() > Some(0), "{report}");
    let written = std::fs::read_to_string(file).expect("the result as a file");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);
    println!(
        "verified: a load of five kinds, 105 orders, all paid: {} fen taken = recorded",
        audit["money_taken"]
    );
}

/// A server beside that of the world, with its accounts and a data folder of its own.
fn server(world: &World, data: &Path, ports: Ports, settings: &[&str]) -> Server {
    Server::start_with(&world.config_file(), data, ports, settings)
}

#[test]
fn what_is_too_much_is_refused_with_the_time_to_come_back_and_is_not_there() {
    let (world, data) = (world(), TempDir::new().expect("a folder"));
    let limited = ["merchants.m09.accept_per_s_max=5"];
    let server = server(&world, data.path(), Ports::free(), &limited);
    let mixed = ["--rate", "100", "--duration", "2s", "--mix", "accept,stream", "--merchant", "m09"];
    let (code, report) = load(&server.grpc, &world, &mixed);
    assert_eq!(code, Some(0), "{report}");
    assert_adds_up(&report);
    let all = &report["all"];
    assert!(count(all, "refused") > 0 && count(all, "failed") == 0, "{report}");
    assert_eq!(count(all, "retry_info"), count(all, "refused"), "each tells when to come back: {report}");
    assert_eq!(report["errors"]["ResourceExhausted MERCHANT_LIMITED"], all["refused"], "{report}");
    // What was accepted has its right end, and nothing that was refused is there.
    assert_eq!(count(&report["audit"], "accepted"), count(all, "ok"), "{report}");
    assert_eq!(count(&report["audit"]["ended"], "PAID"), count(all, "ok"), "{report}");
    println!("verified: a load beyond what is let in, {} refused and none of them there", all["refused"]);
}

#[test]
fn an_event_without_a_place_is_counted_and_never_put_off() {
    let world = world();
    let waiting = [
        "--rate",
        "5000",
        "--duration",
        "1s",
        "--mix",
        "create",
        "--in-flight-max",
        "1",
        "--merchant",
        "m09",
    ];
    let (code, report) = load(&world.grpc, &world, &waiting);
    assert_eq!(code, Some(0), "{report}");
    assert_adds_up(&report);
    assert!(count(&report["all"], "not_sent") > 0, "{report}");
    assert_eq!(count(&report["audit"], "accepted"), count(&report["all"], "ok"), "{report}");
}

/// The server loses its data between the last answer and the audit.
#[test]
fn an_audit_finds_orders_that_were_accepted_and_are_lost() {
    let (world, data, ports) = (world(), TempDir::new().expect("a folder"), Ports::free());
    let (kept, emptied) = (data.path().join("kept"), data.path().join("emptied"));
    let mut first = server(&world, &kept, ports, &[]);
    let mut command = Command::new(PAYMUX);
    // Nobody pays: the audit goes on to look until its time is over.
    let unpaid = ["--rate", "20", "--duration", "1s", "--payers", "none", "--audit-timeout-s", "6"];
    command.args(args(&first.grpc, &world, &unpaid)).args(["--merchant", "m09"]).stdout(Stdio::piped());
    let mut process = Process::start(&mut command);
    process.wait_for(&["audit after"]);
    first.process.kill();
    let _emptied = server(&world, &emptied, ports, &[]);
    let report = process.json();
    assert_eq!(process.exit_code(), Some(1), "{report}");
    let audit = &report["audit"];
    assert_eq!((count(audit, "lost"), count(audit, "accepted")), (20, 20), "{report}");
    let finding = audit["findings"][0].as_str().expect("a finding");
    assert!(finding.contains("it was accepted, and the server does not have it"), "{finding}");
    println!("verified: a load whose server lost its data, 20 of 20 orders missed by the audit");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_sent() {
    let world = world();
    for (wrong, told) in [
        (&["--rate", "5", "--mix", "life", "--payers", "none"][..], "life needs payers"),
        (&["--rate", "5", "--mix", "accept", "--provider", "payjs"], "which accept never sees"),
        (&["--rate", "5", "--merchant", "nobody"], "no merchant"),
        (&["--rate", "9..5"], "a rising range"),
        (&["--rate", "5", "--watch-pid", "4294967295"], "--watch-pid"),
    ] {
        let output = paymux(&args(&world.grpc, &world, wrong));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(told), "{wrong:?}: {error}");
    }
    let faulty = World::of(MERCHANTS, &["--faults", "usual"]);
    let output = paymux(&args(&faulty.grpc, &faulty, &["--rate", "5"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("injects"), "{output:?}");
}
