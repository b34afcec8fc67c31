//! A person's word on its way into the log: whose it is, and what its owner makes of it.

use paymux_domain::confirm::{ConfirmCommand, ConfirmRefusal, OperatorWord};
use paymux_domain::fact::Fulfilment;
use paymux_proto::v1::confirm_outcome_request::Outcome;

use super::*;

fn confirmation(order_no: &str, request_id: &str) -> v1::ConfirmOutcomeRequest {
    v1::ConfirmOutcomeRequest {
        merchant_id: "m1".to_owned(),
        merchant_order_no: order_no.to_owned(),
        request_id: request_id.to_owned(),
        reason: "seen in the console".to_owned(),
        outcome: Some(Outcome::Paid(v1::ConfirmedPayment {
            provider_trade_no: "T-1".to_owned(),
            ..v1::ConfirmedPayment::default()
        })),
        validate_only: false,
    }
}

impl Rig {
    /// An order that is known here.
    async fn know(&self, order_no: &str) -> OrderKey {
        let count = self.appended().len();
        let request = v1::CreateOrderRequest { merchant_order_no: order_no.to_owned(), ..request("tea", 0) };
        self.ingest.create(&request).await.unwrap();
        let command = self.next_create(count).await;
        self.add(&command.created.key, vec![created(&command)]).await;
        command.created.key.clone()
    }

    async fn add(&self, key: &OrderKey, facts: Vec<(FactKey, FactBody)>) {
        let now = self.ingest.now();
        let facts: Vec<Fact> =
            facts.into_iter().map(|(key, body)| Fact { key, body, time: now, cause: Cause::Timer }).collect();
        self.store.add_facts(key, &facts).await.unwrap();
    }

    /// Confirms, and gives the command once it is in the log, with the call that waits.
    async fn confirming(
        &self,
        request: v1::ConfirmOutcomeRequest,
    ) -> (ConfirmCommand, tokio::task::JoinHandle<Result<Confirmed, Refusal>>) {
        let ingest = self.ingest.clone();
        let id = request.request_id.clone();
        let call = tokio::spawn(async move { ingest.confirm(&request, "ops").await });
        loop {
            let records = self.cluster.records(Partition::of(&"m1".parse().unwrap(), 2), 0);
            let command = records.into_iter().find_map(|delivered| match delivered.record {
                Ok(Record::Confirm(command)) if command.order.request_id.as_str() == id => Some(command),
                _ => None,
            });
            match command {
                Some(command) => return (command, call),
                None => assert!(!call.is_finished(), "{:?}", call.await),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The facts that a word leads to, said by somebody.
fn facts_of(command: &ConfirmCommand, by: OperatorWord) -> Vec<(FactKey, FactBody)> {
    let paymux_domain::confirm::Confirmation::Paid(payment) = &command.outcome else { panic!("{command:?}") };
    let paid = FactKey::OperatorPaid(payment.trade_no.clone());
    vec![
        (paid, FactBody::OperatorPaid { payment: payment.clone(), by }),
        (FactKey::Fulfilment(Fulfilment::Fulfil.into()), FactBody::Fulfilment(Fulfilment::Fulfil)),
    ]
}

#[tokio::test(start_paused = true)]
async fn without_a_reply_only_the_requests_own_word_is_a_success() {
    for own in [true, false] {
        let rig = rig();
        let key = rig.know("A-1").await;
        let (command, call) = rig.confirming(confirmation("A-1", "c-1")).await;
        let by = match own {
            true => command.word(),
            false => OperatorWord { request_id: "c-2".parse().unwrap(), ..command.word() },
        };
        rig.add(&key, facts_of(&command, by)).await;
        match call.await.unwrap() {
            Ok(confirmed) => assert!(own && confirmed.fact_keys.len() == 2, "{confirmed:?}"),
            Err(refusal) => assert_eq!((own, refusal), (false, Refusal::AcceptUnknown)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_what_is_foreseen_is_no_success() {
    let rig = rig();
    let key = rig.know("A-1").await;
    let (command, call) = rig.confirming(confirmation("A-1", "c-1")).await;
    let mut facts = facts_of(&command, command.word());
    facts.truncate(1);
    rig.add(&key, facts).await;
    assert_eq!(call.await.unwrap().unwrap_err(), Refusal::AcceptUnknown);
}

#[tokio::test(start_paused = true)]
async fn of_two_orders_that_get_one_payment_at_once_the_owner_refuses_one_and_says_why() {
    let rig = rig();
    for order_no in ["A-1", "A-2"] {
        rig.know(order_no).await;
    }
    let (_, first) = rig.confirming(confirmation("A-1", "c-1")).await;
    let (command, second) = rig.confirming(confirmation("A-2", "c-2")).await;
    let fault = FieldFault {
        field: "paid.provider_trade_no".to_owned(),
        reason: "is recorded as a payment of another order".to_owned(),
    };
    let kind = ReplyKind::Unconfirmed(ConfirmRefusal::Contradicts(vec![fault.clone()]));
    let (to, key) = (command.order.reply_to.clone().unwrap(), command.order.key.clone());
    rig.cluster.log().reply(Reply { to, key, kind });
    assert_eq!(second.await.unwrap().unwrap_err(), Refusal::Contradicts(vec![fault]));
    assert_eq!(first.await.unwrap().unwrap_err(), Refusal::AcceptUnknown, "nobody replied");
}
