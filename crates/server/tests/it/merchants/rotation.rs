//! Keys rotate under a stream of notifications: no valid one is refused, no forged one is accepted.

use std::sync::Arc;

use paymux_server::roles::Roles;
use paymux_simulators::keys;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::site::{APIV3_KEY, Count, KEY, PLATFORM, Running, Sender, Site, merchant_toml};
use crate::rig::http;

const MCHID: &str = "1900000109";
const NEW_PLATFORM: &str = "PUB_KEY_ID_02";
const NEW_APIV3_KEY: &str = "new-apiv3-key-of-thirty-two-byte";
/// Notifications of each side that every phase sees at least.
const PER_PHASE: u64 = 60;

/// What is sent now, by the provider and by forgers. Whoever changes it waits for what is under way.
struct Senders {
    valid: Vec<Sender>,
    forged: Vec<Sender>,
}

#[derive(Clone)]
struct Counts {
    sent: Count,
    wrong: Count,
}

impl Counts {
    fn new() -> Self {
        Self { sent: Count::new(), wrong: Count::new() }
    }

    fn add(&self, is_right: bool) {
        self.wrong.add(u64::from(!is_right));
        self.sent.add(1);
    }
}

/// Both streams, and what became of them.
struct Streams {
    senders: Arc<RwLock<Senders>>,
    valid: Counts,
    forged: Counts,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Streams {
    fn start(running: &Running, senders: Senders) -> Self {
        let senders = Arc::new(RwLock::new(senders));
        let (valid, forged) = (Counts::new(), Counts::new());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for lane in 0..2 {
            let url = running.notify_url("tea");
            tasks.spawn(send_valid(url.clone(), lane, Arc::clone(&senders), valid.clone(), stop.clone()));
            tasks.spawn(send_forged(url, lane, Arc::clone(&senders), forged.clone(), stop.clone()));
        }
        Self { senders, valid, forged, stop, tasks }
    }

    /// Both go on for a while.
    async fn go_on(&self) {
        tokio::join!(self.valid.sent.grows_by(PER_PHASE), self.forged.sent.grows_by(PER_PHASE));
    }
}

async fn send_valid(
    url: String,
    lane: usize,
    senders: Arc<RwLock<Senders>>,
    counts: Counts,
    stop: CancellationToken,
) {
    let client = http();
    for n in 0_usize.. {
        if stop.is_cancelled() {
            return;
        }
        let senders = senders.read().await;
        let sender = &senders.valid[n % senders.valid.len()];
        let request = sender.notification(&client, &url, MCHID, &format!("VALID{lane}-{n}"), |_| {});
        let status = request.send().await.expect("an answer").status();
        counts.add(status.as_u16() == 204);
    }
}

async fn send_forged(
    url: String,
    lane: usize,
    senders: Arc<RwLock<Senders>>,
    counts: Counts,
    stop: CancellationToken,
) {
    let client = http();
    for n in 0_usize.. {
        if stop.is_cancelled() {
            return;
        }
        let number = format!("FORGED{lane}-{n}");
        let senders = senders.read().await;
        // In turn: signed or sealed with another key, and rightly signed but changed afterwards.
        let count = senders.forged.len() + 1;
        let request = match senders.forged.get(n % count) {
            Some(sender) => sender.notification(&client, &url, MCHID, &number, |_| {}),
            None => {
                let sender = &senders.valid[n / count % senders.valid.len()];
                sender.notification(&client, &url, MCHID, &number, |body| body[n % 40] ^= 1)
            }
        };
        let status = request.send().await.expect("an answer").status();
        counts.add(status.is_client_error());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_and_no_valid_notification_is_refused_and_no_forged_one_accepted() {
    let new = tokio::task::spawn_blocking(keys::generate).await.unwrap().unwrap();
    let stranger = tokio::task::spawn_blocking(keys::generate).await.unwrap().unwrap();
    let (new_pem, stranger_pem) = (new.private_key_pem.expose(), stranger.private_key_pem.expose());
    let site = Site::new(100);
    let before = merchant_toml("tea", MCHID);
    site.write("merchants.d/tea.toml", &before);
    let running = site.start(Roles { ingest: false, worker: false, notify: true }).await;
    let forgers = || {
        vec![
            Sender::new(stranger_pem, PLATFORM, APIV3_KEY),
            Sender::new(stranger_pem, NEW_PLATFORM, NEW_APIV3_KEY),
            Sender::new(stranger_pem, "PUB_KEY_ID_03", APIV3_KEY),
            // Signed by a key that belongs to the provider, sealed by somebody else.
            Sender::new(KEY, PLATFORM, "another-apiv3-key-of-32-bytes-ok"),
        ]
    };
    let mut forged = forgers();
    // Not yet configured: the new key proves nothing.
    forged.push(Sender::new(new_pem, NEW_PLATFORM, APIV3_KEY));
    let valid = vec![Sender::new(KEY, PLATFORM, APIV3_KEY)];
    let streams = Streams::start(&running, Senders { valid, forged });
    streams.go_on().await;

    // Both keys side by side: noticed by itself, while the provider still uses the old ones.
    streams.senders.write().await.forged = forgers();
    site.write("secrets/new_public.pem", &new.public_key_pem);
    site.write("secrets/new_apiv3", NEW_APIV3_KEY);
    let overlap = before
        .replace("apiv3_key_file = \"../secrets/apiv3\"", "apiv3_key_file = \"../secrets/new_apiv3\"\n\
                  previous_apiv3_keys = [{ apiv3_key_file = \"../secrets/apiv3\" }]")
        .replace("platform_keys = [", &format!(
            "platform_keys = [{{ id = \"{NEW_PLATFORM}\", public_key_file = \"../secrets/new_public.pem\" }}, "
        ));
    site.write("merchants.d/tea.toml", &overlap);
    let status = running.reloaded_by_itself(0).await;
    assert!(status.faults.is_empty(), "{status:?}");
    streams.go_on().await;

    // The provider changes over: first it uses all of them, then the new ones alone.
    streams.senders.write().await.valid = vec![
        Sender::new(KEY, PLATFORM, APIV3_KEY),
        Sender::new(new_pem, NEW_PLATFORM, APIV3_KEY),
        Sender::new(KEY, PLATFORM, NEW_APIV3_KEY),
        Sender::new(new_pem, NEW_PLATFORM, NEW_APIV3_KEY),
    ];
    streams.go_on().await;
    streams.senders.write().await.valid = vec![Sender::new(new_pem, NEW_PLATFORM, NEW_APIV3_KEY)];
    streams.go_on().await;

    // The old ones are taken out, and from then on prove nothing.
    let after = before
        .replace("../secrets/apiv3", "../secrets/new_apiv3")
        .replace(PLATFORM, NEW_PLATFORM)
        .replace("../secrets/public.pem", "../secrets/new_public.pem");
    site.write("merchants.d/tea.toml", &after);
    running.reloader().request();
    let status = running.reloaded_by_itself(status.tries).await;
    assert!(status.faults.is_empty(), "{status:?}");
    streams.senders.write().await.forged.extend([
        Sender::new(KEY, PLATFORM, APIV3_KEY),
        Sender::new(KEY, NEW_PLATFORM, NEW_APIV3_KEY),
        Sender::new(new_pem, NEW_PLATFORM, APIV3_KEY),
    ]);
    streams.go_on().await;

    let Streams { valid, forged, stop, mut tasks, .. } = streams;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let of = |counts: &Counts| (counts.sent.get(), counts.wrong.get());
    let ((valid, refused), (forged, accepted)) = (of(&valid), of(&forged));
    println!(
        "verified: {valid} valid notifications, {refused} refused; {forged} forged ones, {accepted} accepted"
    );
    assert_eq!((refused, accepted), (0, 0));
    let notify = running.status.notifications.clone().unwrap();
    assert_eq!(notify.counts().taken(), valid, "what was taken is what was valid");
    running.stop().await;
}
