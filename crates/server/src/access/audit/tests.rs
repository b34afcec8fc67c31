//! The audit log on a real disk: whole lines, bounded files, and no silence when it cannot be written.

use std::fs;

use paymux_domain::time::ClockFactor;
use tempfile::TempDir;

use super::*;
use crate::clock::ScaledClock;
use crate::config::ClockConfig;

fn clock() -> Arc<dyn Clock> {
    Arc::new(ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None }))
}

fn config(folder: &TempDir, bytes_max: u64, files_max: u32) -> AuditConfig {
    AuditConfig { file: folder.path().join("audit.jsonl"), bytes_max, files_max }
}

fn act(order: &str) -> Act {
    Act {
        caller: "ops".to_owned(),
        method: "OrderService/CloseOrder",
        fields: vec![("merchant_order_no", order.to_owned()), ("reason", String::new())],
    }
}

fn lines(file: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[tokio::test]
async fn an_act_has_a_line_before_and_a_line_after_it() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20, 2);
    let log = AuditLog::open(&config, clock()).unwrap();
    let number = log.begun(&act("ORDER-1")).await.unwrap();
    let begun = lines(&config.file);
    assert_eq!(begun.len(), 1, "it is on the disk before anything is done");
    log.ended(&number, &act("ORDER-1"), "OK").await.unwrap();
    let [begun, ended] = &lines(&config.file)[..] else { panic!("two lines") };
    assert_eq!((&begun["phase"], &begun["outcome"]), (&json!("begun"), &Value::Null));
    assert_eq!((&ended["phase"], &ended["outcome"]), (&json!("ended"), &json!("OK")));
    for line in [begun, ended] {
        assert_eq!((&line["act"], &line["caller"]), (&json!(number), &json!("ops")));
        assert_eq!(line["merchant_order_no"], "ORDER-1");
        assert!(line["time"].as_str().unwrap().ends_with('Z') && line.get("reason").is_none(), "{line}");
    }
}

#[tokio::test]
async fn texts_of_a_request_cannot_break_a_line_or_make_it_long() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20, 2);
    let log = AuditLog::open(&config, clock()).unwrap();
    let fields = vec![("reason", format!("first\nsecond\" {}", "x".repeat(100_000)))];
    log.begun(&Act { fields, ..act("") }).await.unwrap();
    let [line] = &lines(&config.file)[..] else { panic!("one line") };
    assert_eq!(line["reason"].as_str().unwrap().chars().count(), TEXT_CHARS_MAX);
}

#[tokio::test]
async fn full_files_are_set_aside_and_the_oldest_removed() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 400, 2);
    let log = AuditLog::open(&config, clock()).unwrap();
    for n in 0..12 {
        log.begun(&act(&format!("ORDER-{n:02}"))).await.unwrap();
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
    let mut kept = Vec::new();
    for name in names.iter().rev() {
        let path = folder.path().join(name);
        assert!(fs::metadata(&path).unwrap().len() <= 400);
        kept.extend(lines(&path).iter().map(|line| line["merchant_order_no"].as_str().unwrap().to_owned()));
    }
    let newest: Vec<_> = (12 - kept.len()..12).map(|n| format!("ORDER-{n:02}")).collect();
    assert_eq!(kept, newest, "the newest are there without a gap, oldest first");
}

#[tokio::test]
async fn a_line_that_a_crash_tore_is_not_continued() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20, 2);
    fs::write(&config.file, "{\"torn\":").unwrap();
    let log = AuditLog::open(&config, clock()).unwrap();
    log.begun(&act("ORDER-1")).await.unwrap();
    let text = fs::read_to_string(&config.file).unwrap();
    let [torn, whole] = text.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {text}") };
    assert_eq!(torn, "{\"torn\":");
    assert!(serde_json::from_str::<Value>(whole).is_ok(), "{whole}");
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error_and_later_lines_are_tried_again() {
    let full = AuditConfig { file: "/dev/full".into(), bytes_max: 1 << 20, files_max: 1 };
    let log = AuditLog::open(&full, clock()).unwrap();
    for _ in 0..2 {
        let error = log.begun(&act("ORDER-1")).await.unwrap_err();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}

#[test]
fn one_process_at_a_time_has_the_file() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20, 2);
    let _first = AuditLog::open(&config, clock()).unwrap();
    let second = AuditLog::open(&config, clock()).unwrap_err();
    assert!(second.to_string().contains("in use by another process"), "{second}");
    let nowhere = AuditConfig { file: folder.path().join("no/such/folder/audit.jsonl"), ..config };
    assert!(AuditLog::open(&nowhere, clock()).is_err());
}
