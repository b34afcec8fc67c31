//! Platform certificates: what is taken of a list, what is refused, and what an unknown certificate leads to.

use std::sync::Arc;

use paymux_domain::http::{HttpResponse, Method};
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::ports::{Built, RefusalReason};
use paymux_domain::time::Timestamp;
use serde_json::{Value, json};

use super::notifications::{notification, sealed};
use super::{
    APIV3_KEY, DIRECT, Kit, NOW, PARTNER, PLATFORM, STRANGER_KEY, TEST_KEY, call, created, headers_by,
    kit_of, now, signed, transaction,
};
use crate::upkeep::{Moment, Task};

/// Serial number and text of the certificate of the test key, of the one after it, and of one whose time is over.
const CERTIFICATE: (&str, &str) = ("4A01AA", include_str!("../fixtures/platform_cert.pem"));
const NEXT: (&str, &str) = ("4A02BB", include_str!("../fixtures/platform_cert_next.pem"));
const EXPIRED: (&str, &str) = ("4A00CC", include_str!("../fixtures/platform_cert_expired.pem"));

/// A merchant that has no key of WeChat Pay's at all.
fn bare() -> String {
    let keys = format!("platform_keys = [{{ id = \"{PLATFORM}\", public_key_file = \"public\" }}]");
    DIRECT.replace(&keys, "")
}

fn bare_kit() -> Kit {
    kit_of(&[("direct", &bare())], 1)
}

fn listed((serial, pem): (&str, &str)) -> Value {
    json!({
        "serial_no": serial,
        "effective_time": "2023-12-01T08:00:00+08:00",
        "expire_time": "2028-12-01T08:00:00+08:00",
        "encrypt_certificate": sealed(APIV3_KEY, "certificate", pem.as_bytes()),
    })
}

fn list(certificates: &[(&str, &str)]) -> Value {
    json!({ "data": certificates.iter().map(|one| listed(*one)).collect::<Vec<_>>() })
}

/// The four headers over a body, under that serial number.
fn headers_under(serial: &str, key: &str, time: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    let mut headers = headers_by(key, time, body);
    for (name, value) in &mut headers {
        if name == "wechatpay-serial" {
            serial.clone_into(value);
        }
    }
    headers
}

fn answer(body: &Value, serial: &str, key: &str) -> HttpResponse {
    let body = body.to_string().into_bytes();
    HttpResponse { status: 200, headers: headers_under(serial, key, NOW, &body), body }
}

impl Kit {
    fn task(&self) -> Task {
        let [task] = self.upkeep.tasks().try_into().expect("one task");
        task
    }

    fn take(&self, response: &HttpResponse) -> Result<String, String> {
        self.upkeep.take(&self.task(), response, NOW)
    }

    /// The class and code of a query whose answer is signed by that key under that serial number.
    fn queried(&self, serial: &str, key: &str) -> (Class, String) {
        let response = answer(&transaction("direct", "NOTPAY"), serial, key);
        let report = self.parse(&call(Operation::Query, created("jsapi")), &response);
        (report.class, report.code)
    }
}

#[test]
fn the_list_is_asked_for_as_any_other_request() {
    let kit = bare_kit();
    let moment = Moment { now: NOW, nonce: [1, 2] };
    let request = now(kit.upkeep.build(&kit.task(), moment, &kit.signer)).unwrap();
    assert_eq!((request.method, request.body.len()), (Method::Get, 0));
    assert_eq!(request.url, "https://api.mch.weixin.qq.com/v3/certificates");
    let detour = request.detour.unwrap();
    assert_eq!(detour.url, "https://api2.mch.weixin.qq.com/v3/certificates");
    assert!(detour.is_repeatable);
    let authorization = &request.headers.iter().find(|(name, _)| name == "authorization").unwrap().1;
    assert!(authorization.contains("mchid=\"1900000109\""));
    assert_eq!(request.timeout, std::time::Duration::from_secs(5));
}

#[test]
fn without_any_key_calls_wait_until_a_list_proves_itself_by_what_it_carries() {
    let kit = bare_kit();
    let query = call(Operation::Query, created("jsapi"));
    let built = now(kit.provider.build(&query, &kit.signer)).unwrap();
    let Built::Local(report) = built else { panic!("nothing can be believed yet") };
    assert!(report.withheld && report.retry_after.is_some());
    assert_eq!((report.class, report.code.as_str()), (Class::NotSent, "NO_PLATFORM_KEY"));

    let told = kit.take(&answer(&list(&[CERTIFICATE, NEXT]), NEXT.0, STRANGER_KEY)).unwrap();
    assert_eq!(told, "in force: 4A01AA, 4A02BB");
    assert!(matches!(now(kit.provider.build(&query, &kit.signer)), Ok(Built::Request(_))));
    assert_eq!(kit.queried(CERTIFICATE.0, TEST_KEY).0, Class::Done);
    assert_eq!(kit.queried(NEXT.0, STRANGER_KEY).0, Class::Done);
    assert_eq!(kit.queried(NEXT.0, TEST_KEY), (Class::Unknown, "BAD_SIGNATURE".to_owned()));
}

#[test]
fn a_person_is_called_once_the_first_download_was_given_up() {
    let kit = bare_kit();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        for _ in 0..4 {
            let due = crate::upkeep::Due::of(&kit.upkeep).next().expect("it is due");
            due.end(crate::upkeep::Came::Refused);
            drop(due);
            tokio::time::advance(std::time::Duration::from_secs(20)).await;
        }
    });
    let built = now(kit.provider.build(&call(Operation::Create, created("jsapi")), &kit.signer)).unwrap();
    let Built::Local(report) = built else { panic!("nothing can be believed") };
    assert_eq!((report.class, report.code.as_str()), (Class::Ops, "NO_PLATFORM_KEY"));
}

#[test]
fn what_does_not_prove_itself_is_refused_whole_and_changes_nothing() {
    let good = list(&[CERTIFICATE]);
    let changed = |change: fn(&mut Value)| {
        let mut body = list(&[CERTIFICATE]);
        change(&mut body);
        answer(&body, CERTIFICATE.0, TEST_KEY)
    };
    let body = good.to_string().into_bytes();
    let with = |headers| HttpResponse { status: 200, headers, body: body.clone() };
    let early = Timestamp::from_millis(NOW.as_millis() - 302_000);
    let mut probe = answer(&good, CERTIFICATE.0, TEST_KEY);
    for (_, value) in probe.headers.iter_mut().filter(|(name, _)| name == "wechatpay-signature") {
        value.insert_str(0, "WECHATPAY/SIGNTEST/");
    }
    let other_key = sealed("fedcba9876543210fedcba9876543210", "certificate", CERTIFICATE.1.as_bytes());
    let mut sealed_by_another = list(&[CERTIFICATE]);
    sealed_by_another["data"][0]["encrypt_certificate"] = other_key;
    let refusal = HttpResponse {
        status: 404,
        headers: Vec::new(),
        body: br#"{"code":"RESOURCE_NOT_EXISTS"}"#.to_vec(),
    };
    let cases: [(HttpResponse, &str); 13] = [
        (refusal, "answered 404 RESOURCE_NOT_EXISTS"),
        (with(Vec::new()), "header wechatpay-signature is missing or unreadable"),
        (probe, "signed wrong on purpose (WECHATPAY/SIGNTEST/)"),
        (with(headers_under(CERTIFICATE.0, STRANGER_KEY, NOW, &body)), "the signature does not verify"),
        (
            with(headers_under(NEXT.0, STRANGER_KEY, NOW, &body)),
            "signed by a key that is neither trusted nor in the list",
        ),
        (with(headers_under(CERTIFICATE.0, TEST_KEY, early, &body)), "signed too far from our time"),
        (answer(&sealed_by_another, CERTIFICATE.0, TEST_KEY), "the APIv3 key does not open a certificate"),
        (
            changed(|body| body["data"][0]["serial_no"] = json!("4A02BB")),
            "a certificate is listed under another's number",
        ),
        (
            changed(|body| body["data"][0]["encrypt_certificate"]["nonce"] = json!("x")),
            "the APIv3 key does not open a certificate",
        ),
        (changed(|body| body["data"] = json!({})), "the body is no list of certificates"),
        (changed(|body| body["data"] = json!([])), "signed by a key that is neither trusted nor in the list"),
        (
            changed(|body| body["data"] = vec![body["data"][0].clone(); 17].into()),
            "lists 17 certificates, at most 16 are taken",
        ),
        (answer(&list(&[EXPIRED]), EXPIRED.0, TEST_KEY), "holds no certificate whose time is not over"),
    ];
    let kit = bare_kit();
    for (response, reason) in cases {
        assert_eq!(kit.take(&response).unwrap_err(), reason);
    }
    let query = call(Operation::Query, created("jsapi"));
    assert!(
        matches!(now(kit.provider.build(&query, &kit.signer)), Ok(Built::Local(_))),
        "nothing is in force"
    );
}

#[test]
fn a_list_replaces_the_one_before_it_and_expired_ones_are_left_out() {
    let kit = bare_kit();
    kit.take(&answer(&list(&[CERTIFICATE, EXPIRED]), CERTIFICATE.0, TEST_KEY)).unwrap();
    assert_eq!(kit.queried(EXPIRED.0, TEST_KEY), (Class::Unknown, "UNKNOWN_KEY".to_owned()));
    kit.take(&answer(&list(&[NEXT]), NEXT.0, STRANGER_KEY)).unwrap();
    assert_eq!(kit.queried(NEXT.0, STRANGER_KEY).0, Class::Done);
    assert_eq!(kit.queried(CERTIFICATE.0, TEST_KEY), (Class::Unknown, "UNKNOWN_KEY".to_owned()));
}

#[test]
fn an_unknown_certificate_is_looked_for_first_and_calls_a_person_when_it_is_not_there() {
    let kit = bare_kit();
    kit.take(&answer(&list(&[CERTIFICATE]), CERTIFICATE.0, TEST_KEY)).unwrap();
    let unknown = || kit.queried(NEXT.0, STRANGER_KEY);
    assert_eq!(unknown(), (Class::Unknown, "UNKNOWN_KEY".to_owned()));
    kit.take(&answer(&list(&[CERTIFICATE]), CERTIFICATE.0, TEST_KEY)).unwrap();
    assert_eq!(unknown(), (Class::Ops, "UNKNOWN_KEY".to_owned()));
    kit.take(&answer(&list(&[CERTIFICATE, NEXT]), CERTIFICATE.0, TEST_KEY)).unwrap();
    assert_eq!(unknown().0, Class::Done);
}

#[test]
fn configured_keys_are_trusted_beside_downloaded_ones() {
    let both = format!("{DIRECT}\ndownload_certificates = true");
    let kit = kit_of(&[("direct", &both)], 1);
    // In the one that has a public key the list is signed by that key.
    kit.take(&answer(&list(&[NEXT]), PLATFORM, TEST_KEY)).unwrap();
    assert_eq!(kit.queried(PLATFORM, TEST_KEY).0, Class::Done);
    assert_eq!(kit.queried(NEXT.0, STRANGER_KEY).0, Class::Done);
    let none = kit_of(&[("direct", DIRECT)], 1);
    assert!(none.upkeep.tasks().is_empty(), "with a public key nothing is downloaded by itself");
}

#[test]
fn notifications_are_verified_by_downloaded_certificates_whoever_configured_the_same() {
    let partner = PARTNER.replace("platform_certificates = [{ certificate_file = \"certificate\" }]", "");
    let configured = bare() + "platform_keys = [{ id = \"4A01AA\", public_key_file = \"public\" }]";
    let kit = kit_of(&[("direct", &bare()), ("partner", &partner)], 1);
    let mut raw = notification(&transaction("direct", "SUCCESS"), |_| {});
    for (_, value) in raw.headers.iter_mut().filter(|(name, _)| name == "wechatpay-serial") {
        CERTIFICATE.0.clone_into(value);
    }
    let sent = Timestamp::from_millis(1_704_038_461_000);
    assert_eq!(kit.provider.verify(&raw, sent).unwrap_err().reason, RefusalReason::UnknownKey);
    kit.provider.unknown_key(&["direct".parse().unwrap(), "nobody".parse().unwrap()]);
    kit.take(&answer(&list(&[CERTIFICATE]), CERTIFICATE.0, TEST_KEY)).unwrap();
    let verified = kit.provider.verify(&raw, sent).unwrap();
    assert!(matches!(verified.words.as_slice(), [Word::Paid(_)]));
    assert_eq!(verified.account.as_str(), "direct");

    // One account has the key from its file, the other from the list; the notification is the other's.
    let other = configured.replace("1900000109", "1900000110");
    let kit = kit_of(&[("configured", &other), ("direct", &bare())], 1);
    let tasks = kit.upkeep.tasks();
    let task = tasks.iter().find(|task| task.account.as_str() == "direct").unwrap();
    kit.upkeep.take(task, &answer(&list(&[CERTIFICATE]), CERTIFICATE.0, TEST_KEY), NOW).unwrap();
    assert_eq!(kit.provider.verify(&raw, sent).unwrap().account.as_str(), "direct");
}

#[test]
fn sub_merchants_of_one_partner_share_one_download() {
    let keys = format!("platform_keys = [{{ id = \"{PLATFORM}\", public_key_file = \"public\" }}]");
    let one = PARTNER.replace(&keys, "certificates_refresh_s = 3600");
    let other =
        one.replace("sub_mchid = \"1900000109\"", "sub_mchid = \"1900000110\"").replace("3600", "600");
    let kit = kit_of(&[("one", &one), ("other", &other)], 1);
    let task = kit.task();
    assert_eq!(task.chore.name(), "wechatpay certificates of 1230000109 at https://api.mch.weixin.qq.com");
    assert_eq!(task.period, std::time::Duration::from_secs(600), "the shortest that one of them wants");
    assert!(Arc::ptr_eq(&task.chore, &kit.task().chore));
}

#[test]
fn an_answer_that_is_not_signed_by_a_downloaded_one_is_as_unknown_as_before() {
    let kit = kit_of(&[("direct", DIRECT)], 1);
    let mut response = signed(200, "{}");
    response.headers = headers_under(NEXT.0, STRANGER_KEY, NOW, b"{}");
    let report = kit.parse(&call(Operation::Create, created("jsapi")), &response);
    assert_eq!((report.class, report.message.as_str()), (Class::Ops, "signed by key 4A02BB"));
}
