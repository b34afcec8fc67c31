//! Random notifications are refused, however many come, within bounded memory. Alone in its process, whose memory
//! it measures.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too a failed unwrap is a failed test")]

use paymux_domain::ports::RawNotification;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::{AccountSection, Accounts, Registry, SecretRef};
use proptest::prelude::Rng as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng};
use secrecy::SecretString;

/// Random notifications for each configured case: 10,240 by default, 400,000 in a long run.
const NOTIFICATIONS_PER_CASE: u32 = 40;
/// How much the process may grow while it refuses them.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

const SECTION: &str = r#"
    kind = "partner"
    sp_mchid = "1230000109"
    sub_mchid = "1900000109"
    app_ids = ["wx8888888888888888"]
    serial_no = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
    private_key_file = "private"
    apiv3_key_env = "APIV3"
    platform_keys = [{ id = "PUB_KEY_ID_0119000001092024010100000000000001", public_key_file = "public" }]
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    let text = match reference {
        SecretRef::Env(_) => "0123456789abcdef0123456789abcdef",
        SecretRef::File(path) if path.ends_with("private") => {
            include_str!("../src/wechatpay/fixtures/test_rsa_2048.pem")
        }
        SecretRef::File(_) => include_str!("../src/wechatpay/fixtures/test_rsa_2048_pub.pem"),
    };
    Ok(SecretString::from(text))
}

fn genuine() -> RawNotification {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: vec![
            header("wechatpay-timestamp", "1704038461"),
            header("wechatpay-nonce", "c5ac7061fccab6bf3e254dcf98995b8c"),
            header("wechatpay-serial", "PUB_KEY_ID_0119000001092024010100000000000001"),
            header("wechatpay-signature", include_str!("../src/wechatpay/fixtures/notification.sig")),
        ],
        body: include_bytes!("../src/wechatpay/fixtures/notification.json").to_vec(),
    }
}

fn bytes(rng: &mut TestRng, max: u32) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(rng.next_u32() % max).unwrap()];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn text(rng: &mut TestRng) -> String {
    String::from_utf8_lossy(&bytes(rng, 64)).into_owned()
}

/// Of random bytes throughout, or the genuine one with one part replaced.
fn random(rng: &mut TestRng, genuine: &RawNotification) -> RawNotification {
    let mut raw = genuine.clone();
    match rng.next_u32() % 5 {
        0 => raw.body = bytes(rng, 4096),
        1 => {
            let index = usize::try_from(rng.next_u32() % 4).unwrap();
            raw.headers[index].1 = text(rng);
        }
        2 => {
            let index = usize::try_from(rng.next_u32()).unwrap() % raw.body.len();
            raw.body.truncate(index);
        }
        3 => raw.body.resize(usize::try_from(rng.next_u32() % 200_000).unwrap() + 1000, b'x'),
        _ => {
            raw.body = bytes(rng, 512);
            raw.headers = (0..rng.next_u32() % 12).map(|_| (text(rng), text(rng))).collect();
        }
    }
    raw
}

/// Resident memory of this process in KiB, where the system tells it.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn random_notifications_are_refused_within_bounded_memory() {
    let section = AccountSection {
        account: "partner".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        settings: SECTION.parse().unwrap(),
    };
    let accounts = Accounts::read(&[section], &secrets, ClockFactor::REAL).unwrap();
    let provider = Registry::new(accounts).provider(&"wechatpay".parse().unwrap()).unwrap();
    let (genuine, now) = (genuine(), Timestamp::from_millis(1_704_038_461_000));
    assert!(provider.verify(&genuine, now).is_ok(), "the genuine one is understood");

    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let before = resident_kib();
    let count = Config::default().cases * NOTIFICATIONS_PER_CASE;
    for number in 0..count {
        let raw = random(&mut rng, &genuine);
        assert!(provider.verify(&raw, now).is_err(), "notification {number} was accepted");
    }
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        let growth = after.saturating_sub(before);
        println!("{count} random notifications refused, memory grew by {growth} KiB");
        assert!(growth <= GROWTH_KIB_MAX, "grew by {growth} KiB");
    }
}
