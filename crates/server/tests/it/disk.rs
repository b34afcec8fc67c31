//! A disk whose fsync fails: nothing is acknowledged any more, the process ends, and what was acknowledged is there.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::rig::{Ports, Server, World, get, order, skipped};

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
    let mut tracer = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"])
        .args(["-p", &server.process.id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
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
