//! What each method answers to whom, and that a refusal says nothing of what there is.

use std::collections::BTreeSet;

use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use tonic::Code;

use super::methods::{FOR_ALL, Foreign, rows};
use super::{DENIED, EXISTING, Keyed, MISSING, Rig, UNKNOWN, client, judged};
use crate::rig::order;

/// Whether access let a call through to the service, which may refuse it for reasons of its own.
fn passed(answer: Option<(Code, ErrorReason)>) -> bool {
    !matches!(answer, Some((Code::Unauthenticated | Code::PermissionDenied, _)))
}

#[test]
fn every_method_of_the_api_has_its_row() {
    let api: BTreeSet<String> = paymux_proto::methods()
        .unwrap()
        .iter()
        .map(|method| format!("{}/{}", method.service, method.name))
        .collect();
    let rows: BTreeSet<String> = rows().iter().map(|row| row.method.to_owned()).collect();
    assert_eq!(api, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_answers_each_kind_of_caller_as_defined() {
    let all = Keyed::new("all");
    let rights = ["submit", "read", "operate"];
    let single = ["submitter", "reader", "operator"].map(Keyed::new);
    let mine = Keyed::new("mine");
    let mut sections = all.section("\"submit\", \"read\", \"operate\"", "\"*\"", "");
    for (caller, right) in single.iter().zip(rights) {
        sections.push_str(&caller.section(&format!("\"{right}\""), "\"*\"", ""));
    }
    sections.push_str(&mine.section("\"submit\", \"read\", \"operate\"", "\"m01\"", ""));
    let rig = Rig::start(&sections);
    all.client(&rig.server).await.create(order("m02", EXISTING, 100)).await.unwrap();
    let nobody = client(&rig.server, None).await;
    let wrong = client(&rig.server, Some(&Keyed::new("nobody").key)).await;
    let mine = mine.client(&rig.server).await;
    let all = all.client(&rig.server).await;
    for row in rows() {
        let method = row.method;
        assert_eq!(judged((row.call)(&nobody, "m01", MISSING).await), UNKNOWN, "{method}: no key");
        assert_eq!(judged((row.call)(&wrong, "m01", MISSING).await), UNKNOWN, "{method}: wrong key");
        for (caller, right) in single.iter().zip(rights) {
            let answer = judged((row.call)(&caller.client(&rig.server).await, "m02", MISSING).await);
            if row.rights.contains(&right) {
                assert!(passed(answer), "{method} with the right {right}: {answer:?}");
            } else {
                assert_eq!(answer, DENIED, "{method} with the right {right} alone");
            }
        }
        let foreign = judged((row.call)(&mine, "m02", MISSING).await);
        match row.foreign {
            Foreign::Refused => assert_eq!(foreign, DENIED, "{method}: other merchant"),
            Foreign::LeftOut | Foreign::Item => assert!(passed(foreign), "{method}: {foreign:?}"),
        }
        let own = judged((row.call)(&mine, "m01", MISSING).await);
        assert_eq!(passed(own), !FOR_ALL.contains(&method), "{method}: own merchant: {own:?}");
        let right = judged((row.call)(&all, "m01", MISSING).await);
        assert!(passed(right), "{method}: all rights: {right:?}");
        assert!(!matches!(right, Some((Code::Unimplemented, _))), "{method}: {right:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_same_whether_merchant_and_order_exist_or_not() {
    let (all, mine) = (Keyed::new("all"), Keyed::new("mine"));
    let everything = "\"submit\", \"read\", \"operate\"";
    let rig = Rig::start(&(all.section(everything, "\"*\"", "") + &mine.section(everything, "\"m01\"", "")));
    all.client(&rig.server).await.create(order("m02", EXISTING, 100)).await.unwrap();
    let mine = mine.client(&rig.server).await;
    for row in rows().iter().filter(|row| row.foreign == Foreign::Refused) {
        let mut answers = Vec::new();
        for (merchant, number) in
            [("m02", EXISTING), ("m02", MISSING), ("nobody", MISSING), ("no merchant's name!", "!")]
        {
            let status = (row.call)(&mine, merchant, number).await.unwrap_err();
            answers.push((status.code(), status.message().to_owned(), status.details().to_vec()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{}: {answers:?}", row.method);
    }
    // In a stream each item has its own answer, and the stream goes on.
    let items = [("m02", EXISTING), ("m02", MISSING), ("nobody", MISSING), ("m01", "ACCESS-0002")];
    let items = items.map(|(m, n)| v1::SubmitOrdersRequest { order: Some(order(m, n, 100)) });
    let mut answers = mine.orders().submit_orders(tokio_stream::iter(items)).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let status = answer.status.unwrap();
        told.push((status.code, status.message));
    }
    let [rest @ .., last] = &told[..] else { panic!("no answers") };
    assert_eq!(last.0, 0, "{told:?}");
    assert!(rest.iter().all(|one| *one == rest[0] && one.0 == i32::from(Code::PermissionDenied)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_a_merchant_show_the_callers_own_alone() {
    let mine = Keyed::new("mine");
    let rig = Rig::start(&mine.section("\"operate\"", "\"m01\", \"m03\", \"not-configured\"", ""));
    let client = mine.client(&rig.server).await;
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListMerchantsRequest { page_size: 1, page_token };
        let page = client.operator().list_merchants(request).await.unwrap().into_inner();
        seen.extend(page.merchants.into_iter().map(|merchant| merchant.merchant_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["m01", "m03"]);
    let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap();
    assert!(parked.into_inner().orders.is_empty());
}
