//! Platform certificates over real HTTP: the first download, their exchange under orders, and who has none.

use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::ports::RefusalReason;
use paymux_providers::upkeep::Ended;
use paymux_simulators::wechatpay::CertificateStep;

use crate::rig::Rig;

#[tokio::test]
async fn a_merchant_without_any_key_downloads_its_first_certificate_before_its_first_call() {
    let rig = Rig::start_bare().await;
    let order = rig.order("jsapi", 1200);
    let early = rig.call(Operation::Create, &order).await;
    assert!(early.withheld, "{early:?}");
    let serial = rig.simulator.platform().certificate_serial;
    let fetched = rig.fetch().await;
    let told = fetched.iter().find(|(name, ..)| name.contains("1900000109")).unwrap();
    assert_eq!((told.1, told.2.as_str()), (Ended::Done, format!("in force: {serial}").as_str()));
    rig.launched(&order).await;
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open]);
    assert!(rig.fetch().await.is_empty(), "nothing is due");
}

#[tokio::test]
async fn a_merchant_with_a_public_key_has_no_certificates_and_is_told_so() {
    let rig = Rig::start_bare().await;
    let fetched = rig.fetch().await;
    let told = fetched.iter().find(|(name, ..)| name.contains("1230000109")).unwrap();
    assert_eq!((told.1, told.2.as_str()), (Ended::TriedAgain, "answered 404 RESOURCE_NOT_EXISTS"));
}

#[tokio::test]
async fn an_exchange_without_a_word_is_noticed_by_the_first_answer_and_the_old_one_is_dropped_in_the_end() {
    let mut rig = Rig::start_bare().await;
    rig.fetch().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    let old = rig.simulator.platform().certificate_serial;
    let new = rig.simulator.step_certificate(CertificateStep::Switch).await.unwrap().certificate_serial;
    assert_ne!(old, new);

    let unknown = rig.call(Operation::Query, &order).await;
    assert_eq!((unknown.class, unknown.code.as_str()), (Class::Unknown, "UNKNOWN_KEY"));
    assert!(unknown.message.contains(&new) && unknown.message.contains("Request-ID"), "{}", unknown.message);
    rig.pay(&order).await;
    assert_eq!(rig.notified().await.result.unwrap_err().reason, RefusalReason::UnknownKey);
    let fetched = rig.fetch().await;
    let told = &fetched.iter().find(|(name, ..)| name.contains("1900000109")).unwrap().2;
    assert!(told.contains(&old) && told.contains(&new), "{told}");
    let paid = rig.call(Operation::Query, &order).await;
    assert!(matches!(paid.words.as_slice(), [Word::Paid(_)]), "{paid:?}");

    rig.simulator.step_certificate(CertificateStep::Retire).await.unwrap();
    rig.provider.unknown_key(std::slice::from_ref(&order.account));
    let fetched = rig.fetch().await;
    let told = &fetched.iter().find(|(name, ..)| name.contains("1900000109")).unwrap().2;
    assert_eq!(told, &format!("in force: {new}"));
}

#[tokio::test]
async fn an_announced_certificate_is_known_before_it_signs() {
    let rig = Rig::start_bare().await;
    let before = rig.simulator.platform();
    assert_eq!(rig.simulator.step_certificate(CertificateStep::Announce).await.unwrap(), before);
    rig.fetch().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    let after = rig.simulator.step_certificate(CertificateStep::Switch).await.unwrap();
    assert_ne!(after.certificate_serial, before.certificate_serial);
    assert_eq!(rig.call(Operation::Query, &order).await.words, [Word::Open], "no answer is lost");
}
