//! The overlay `embedded` in earnest: its process starts with the arguments, variables and files of its pod, tells its
//! health under the names that the probes ask for, and ends within the time that the pod has.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::files::Container;
use crate::pods::{PAYMUX, listens};
use crate::tools::Tools;
use crate::tree::{Tree, text};

/// Longest wait for whatever must happen; generous, since a test machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_process_of_the_embedded_overlay_serves_what_its_probes_ask_for() {
    let Some(tools) = Tools::or_skip("serving::the_process") else { return };
    let tree = Tree::of(&tools, "embedded");
    let workload = tree.workloads().next().expect("one workload");
    let container = Container::of(&tree, workload).expect("its files");
    let mut command = Command::new(PAYMUX);
    command.args(workload.args()).envs(&container.environment).env("PAYMUX_CONFIG", container.config_file());
    // Ports of their own, and folders of this test in place of the volume.
    for door in listens(&container.config().expect("no faults")).into_keys() {
        command.args(["--set", &format!("server.{door}_listen=127.0.0.1:0")]);
    }
    let volume = container.path("/var/lib/paymux");
    command.args(["--set", &format!("backend.folder={}", volume.join("data").display())]);
    command.args(["--set", &format!("access.audit_file={}", volume.join("audit.jsonl").display())]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().expect("the binary starts"));
    let log = BufReader::new(process.0.stderr.take().expect("standard error is piped"));
    // The variable of the pod makes it lines of JSON; one tells where it listens.
    let mut said = Vec::new();
    let mut lines = log.lines().map_while(Result::ok);
    let serving = lines.by_ref().find(|line| {
        said.push(line.clone());
        line.contains("\"serving\"")
    });
    let serving = serving.unwrap_or_else(|| panic!("it ended: {said:#?}"));
    let (_, after) = serving.split_once("\"health\":\"Some(").expect("an address");
    let (address, _) = after.split_once(')').expect("an address");
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let mut health = HealthClient::new(channel.connect().await.expect("a connection"));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let service = text(&workload.container()[probe]["grpc"]["service"]).to_owned();
        let watched = health.watch(HealthCheckRequest { service: service.clone() }).await;
        let mut watched = watched.expect("an answer").into_inner();
        tokio::time::timeout(PATIENCE, async {
            while watched.message().await.expect("a status").expect("no end").status()
                != ServingStatus::Serving
            {}
        })
        .await
        .unwrap_or_else(|_| panic!("{service} is not SERVING"));
    }
    let id = process.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill runs").success());
    let ended = tokio::task::spawn_blocking(move || process.0.wait()).await;
    let rest: Vec<String> = lines.collect();
    assert!(ended.expect("waited for").expect("an end").success(), "{rest:#?}");
}
