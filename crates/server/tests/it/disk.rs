//! The disk before the answer: an accept takes as long as its fsync, and a disk whose fsync fails ends all of them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::rig::{Ports, Server, World, get, order, skipped};

/// What a slow disk takes for each fsync.
const FSYNC: Duration = Duration::from_secs(2);

/// Has the process's fsyncs tampered with, as strace's `inject` says it.
fn tamper(process: u32, how: &str) -> Child {
    Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync"])
        .args(["-e", &format!("inject=fsync,fdatasync:{how}")])
        .args(["-p", &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_waits_for_its_fsync() {
    if Command::new("strace").arg("--version").output().is_err() {
        skipped("slow fsync", "strace is not installed");
        return;
    }
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let server = Server::start(&world.config_file(), data.path(), Ports::free());
    let client = server.client().await;
    client.create(order("m01", "SLOW-BEFORE", 100)).await.unwrap();
    let mut tracer = tamper(server.process.id(), "delay_enter=2s");
    // The tracer needs a moment to attach; from the first slow accept on, each one is slow.
    let mut slow = 0;
    for n in 0..20_000 {
        if let Ok(Some(status)) = tracer.try_wait() {
            skipped("slow fsync", &format!("strace cannot attach here ({status})"));
            return;
        }
        let began = Instant::now();
        let accepted = client.create(order("m01", &format!("SLOW-{n:05}"), 100)).await;
        let took = began.elapsed();
        if slow > 0 || took > FSYNC / 2 {
            accepted.expect("a slow disk is no failing one");
            assert!(took >= FSYNC, "an accept took {took:?}, its fsync takes {FSYNC:?}");
            slow += 1;
        }
        if slow == 3 {
            break;
        }
    }
    drop(tracer.kill());
    drop(tracer.wait());
    assert_eq!(slow, 3, "no accept was slow: nothing waits for the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fsync_ends_every_acknowledgement_and_the_process() {
    if Command::new("strace").arg("--version").output().is_err() {
        skipped("failing fsync", "strace is not installed");
        return;
    }
    let world = World::start(&[]);
    let data = TempDir::new().unwrap();
    let ports = Ports::free();
    let mut server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        let number = format!("DISK-{n:04}");
        client.create(order("m01", &number, 100)).await.unwrap();
        acknowledged.push(number);
    }
    let mut tracer = tamper(server.process.id(), "error=EIO");
    let mut refused = false;
    for n in 20..20_000 {
        let number = format!("DISK-{n:04}");
        match client.orders().create_order(order("m01", &number, 100)).await {
            // The tracer may need a moment to attach.
            Ok(_) if !refused => acknowledged.push(number),
            Ok(_) => panic!("{number} was acknowledged after a failed fsync"),
            Err(_) => refused = true,
        }
        if refused && n % 10 == 0 {
            break;
        }
        if let Ok(Some(status)) = tracer.try_wait() {
            skipped("failing fsync", &format!("strace cannot attach here ({status})"));
            return;
        }
    }
    let code = server.process.exit_code();
    drop(tracer.kill());
    drop(tracer.wait());
    assert!(refused, "no create was refused");
    assert_eq!(code, Some(1));
    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    println!("{} orders acknowledged before the disk failed", acknowledged.len());
    for number in &acknowledged {
        client
            .orders()
            .get_order(get("m01", number, 20))
            .await
            .unwrap_or_else(|status| panic!("{number}: {status}"));
    }
}
