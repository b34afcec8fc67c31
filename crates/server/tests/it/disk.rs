//! The disk before the answer: an accept takes as long as its fsync, and a disk whose fsync fails ends all of them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::rig::{PATIENCE, Ports, Server, WAIT_S, World, get, order, skipped};

/// What a slow disk takes for each fsync.
const FSYNC: Duration = Duration::from_secs(2);

/// Has the process's fsyncs tampered with, as strace's `inject` says it; `None` where strace cannot attach.
async fn tamper(process: u32, how: &str) -> Option<Tracer> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=fsync,fdatasync"]);
    strace.args(["-e", &format!("inject=fsync,fdatasync:{how}"), "-p", &process.to_string()]);
    let mut tracer =
        Tracer(strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace starts"));
    let attaching = async {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        while !is_traced(process) {
            pause.tick().await;
            if let Ok(Some(status)) = tracer.0.try_wait() {
                skipped("fsync", &format!("strace cannot attach here ({status})"));
                return false;
            }
        }
        true
    };
    let attached = tokio::time::timeout(PATIENCE, attaching).await.expect("strace attaches or ends");
    attached.then_some(tracer)
}

/// Whether each thread of a process has a tracer.
fn is_traced(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("Linux");
    // A thread that has ended meanwhile has no file any more.
    let mut states =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok());
    states.all(|state| !state.contains("TracerPid:\t0\n"))
}

/// A tracer that ends with its test.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        // It ends with the process that it traces.
        drop(self.0.kill());
        drop(self.0.wait());
    }
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
    let Some(_tracer) = tamper(server.process.id(), "delay_enter=2s").await else { return };
    for n in 0..3 {
        let began = Instant::now();
        client
            .create(order("m01", &format!("SLOW-{n:05}"), 100))
            .await
            .expect("a slow disk is no failing one");
        let took = began.elapsed();
        assert!(took >= FSYNC, "an accept took {took:?}, its fsync takes {FSYNC:?}");
    }
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
    let Some(tracer) = tamper(server.process.id(), "error=EIO").await else { return };
    for n in 20..30 {
        let number = format!("DISK-{n:04}");
        let created = client.orders().create_order(order("m01", &number, 100)).await;
        assert!(created.is_err(), "{number} was acknowledged after a failed fsync");
    }
    let code = server.process.exit_code();
    drop(tracer);
    assert_eq!(code, Some(1));
    let server = Server::start(&world.config_file(), data.path(), ports);
    let client = server.client().await;
    println!("verified: {} orders acknowledged before the disk failed", acknowledged.len());
    for number in &acknowledged {
        client
            .orders()
            .get_order(get("m01", number, WAIT_S))
            .await
            .unwrap_or_else(|status| panic!("{number}: {status}"));
    }
}
