//! The notifications' door above a log in memory: durable before it is acknowledged, refused by reason.

use paymux_backends::faults::{Then, Unreliable};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig};
use paymux_domain::outcome::Word;

use super::*;
use crate::fixture::{Faults, Saying, Stage};

struct Rig {
    notify: Arc<Notify>,
    registry: Arc<LiveRegistry>,
    saying: Arc<Saying>,
    cluster: MemoryCluster,
    faults: Arc<Faults>,
}

fn rig() -> Rig {
    let stage = Stage::new(MemoryLogConfig { partitions: 1, ..MemoryLogConfig::default() }, 1);
    let Stage { registry, saying, clock, cluster, faults, steps } = stage;
    let notify = Notify::new(NotifyParts {
        registry: Arc::clone(&registry),
        log: Arc::new(Unreliable::new(Arc::new(cluster.log()), steps)),
        clock,
        in_flight_max: 1,
    });
    Rig { notify, registry, saying, cluster, faults }
}

impl Rig {
    async fn post(&self, merchant_id: &str, signed: bool, body: &'static str) -> u16 {
        let mut request = Request::new(body.into());
        if signed {
            request.headers_mut().insert("Signed", "yes".parse().unwrap());
        }
        self.notify.take("saying", merchant_id, request).await.status().as_u16()
    }

    fn records(&self) -> usize {
        self.cluster.records(Partition(0), 0).len()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_is_durable_under_its_order_before_it_is_acknowledged() {
    let rig = rig();
    assert_eq!(rig.post("m1", true, "T-A-1").await, 200);
    let delivered = rig.cluster.records(Partition(0), 0);
    let Ok(Record::Notification(notification)) = &delivered[0].record else { panic!("{delivered:?}") };
    assert_eq!(notification.key.to_string(), "m1/A-1");
    assert_eq!(rig.notify.counts().taken(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_take_it_leaves_it_unacknowledged() {
    let rig = rig();
    for then in [Then::Fail, Then::Unknown, Then::Crash] {
        rig.faults.set("append", then);
        assert_eq!(rig.post("m1", true, "T-A-1").await, 503, "{then:?}");
    }
    assert_eq!((rig.records(), rig.notify.counts().not_durable()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_by_reason_and_store_nothing() {
    let rig = rig();
    assert_eq!(rig.post("m1", false, "T-A-1").await, 401);
    assert_eq!(rig.post("m1", true, "no number").await, 401);
    assert_eq!(rig.post("m1", true, "?X-A-1").await, 401, "nothing proves it");
    assert_eq!(rig.post("m2", true, "T-A-1").await, 401);
    assert_eq!(rig.records(), 0);
    let refused = rig.notify.counts().refused();
    let expected = [("bad_signature", 1), ("malformed", 1), ("unknown_merchant", 1), ("wrong_merchant", 1)];
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_proven_and_names_another_merchant_is_set_apart_under_one_number_of_its_own() {
    let rig = rig();
    for _ in 0..2 {
        assert_eq!(rig.post("m1", true, "X-A-1").await, 200, "there is nothing to send again");
    }
    assert_eq!(rig.post("m1", true, "A-1").await, 200);
    let told: Vec<_> =
        rig.cluster.records(Partition(0), 0).into_iter().map(|delivered| delivered.record).collect();
    let keys: Vec<String> = told
        .iter()
        .map(|record| {
            let Ok(Record::Notification(notification)) = record else { panic!("{record:?}") };
            assert_eq!(
                notification.words,
                [Word::Mismatch { field: "merchant" }],
                "no word of it is believed"
            );
            notification.key.to_string()
        })
        .collect();
    assert!(keys.iter().all(|key| key.starts_with("m1/foreign-")), "{keys:?}");
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    assert_eq!(rig.notify.counts().refused(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn it_is_set_apart_under_a_merchant_who_has_the_account_whose_key_proved_it() {
    let rig = rig();
    // A merchant at the same provider, with an account of their own.
    let registry = rig.registry.load();
    let (mut changed, providers) = ((**registry).clone(), rig.saying.clone());
    let mut second = changed.merchants.values().next().unwrap().clone();
    second.routes[0].account = "second".parse().unwrap();
    changed.merchants.insert("a2".parse().unwrap(), second);
    rig.registry
        .replace(changed, Arc::new(move |_: &ProviderId| Some(providers.clone() as Arc<dyn Provider>)));
    assert_eq!(rig.post("a2", true, "T-A-1").await, 200, "proven by the account of m1");
    let delivered = rig.cluster.records(Partition(0), 0);
    let Ok(Record::Notification(notification)) = &delivered[0].record else { panic!("{delivered:?}") };
    assert!(notification.key.to_string().starts_with("m1/foreign-"), "{}", notification.key);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_be_under_way_is_sent_back() {
    let rig = rig();
    rig.faults.set("append", Then::Crash);
    let (first, second) = tokio::join!(rig.post("m1", true, "T-A-1"), rig.post("m1", true, "T-A-2"));
    assert_eq!((first, second), (503, 503));
    // The second was turned away at once, without waiting for the log.
    assert_eq!(rig.notify.counts().not_durable(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    use tower::Service as _;

    let rig = rig();
    let body =
        axum::body::Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let request = axum::http::Request::post("/notify/saying/m1").body(body).unwrap();
    let answer = rig.notify.clone().router().call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "the provider's own words for \"not now\"");
    assert_eq!(rig.records(), 0);
    // Its slot, the only one, is free again.
    assert_eq!(rig.post("m1", true, "T-A-1").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_is_refused_in_the_providers_words() {
    use tower::Service as _;

    let rig = rig();
    let body = axum::body::Body::from(vec![b'x'; NOTIFICATION_BODY_BYTES_MAX + 1]);
    let request = axum::http::Request::post("/notify/saying/m1").body(body).unwrap();
    let answer = rig.notify.clone().router().call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((rig.records(), rig.notify.counts().refused()["malformed"]), (0, 1));
}

#[tokio::test]
async fn where_any_answer_would_end_the_pushing_the_connection_is_cut() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let rig = rig();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, rig.notify.clone().router()).into_future());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request =
        "POST /notify/saying/m1 HTTP/1.1\r\nhost: h\r\nsigned: probe\r\ncontent-length: 5\r\n\r\nT-A-1";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!((heard.len(), rig.records()), (0, 0), "{}", String::from_utf8_lossy(&heard));
}
