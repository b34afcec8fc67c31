//! Explanations: every state and every reason to call a person, in words that a tired person understands.

use paymux_domain::capabilities::Capabilities;
use paymux_domain::explain::{Explanation, explain, way_out};
use paymux_domain::fact::AttentionReason;
use paymux_domain::launch::Launch;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::LatePolicy;

use crate::support::fixtures::{
    ATTACH, CLIENT_IP, EXPIRY_SECS, OPEN_ID, at, at_ms, closes_paid, hint, launch, launched, paid, payjs, payment, report,
    secs, told, wechat, xorpay,
};
use crate::support::model::Model;

fn explained(model: &Model) -> Explanation {
    explain(model.order(), &model.scene.followup, Some(&model.scene.capabilities), model.now())
}

fn pending(capabilities: Capabilities) -> Model {
    let mut model = Model::created_at(capabilities);
    model.scene.now = at_ms(400);
    model.answer(launched());
    model
}

fn closing(capabilities: Capabilities) -> Model {
    let mut model = pending(capabilities);
    model.look_at(at(EXPIRY_SECS));
    model
}

fn ended(capabilities: Capabilities, answer: &CallReport) -> Model {
    let mut model = closing(capabilities);
    for _ in 0..2 {
        match model.live {
            Some(_) => drop(model.answer(answer.clone())),
            None if model.due.is_some() => drop(model.tick()),
            None => {}
        }
    }
    model
}

#[test]
fn dump() {
    let show = |name: &str, model: &Model| {
        let e = explained(model);
        println!("== {name}");
        for line in &e.happened { println!("   {line}"); }
        println!(" S {}", e.state);
        println!(" N {}", e.next);
    };
    let mut m = Model::new(wechat()); m.scene.slots=[at(20);4]; m.create(); show("accepted", &m);
    show("nothing", &Model::new(wechat()));
    show("submitting", &Model::created());
    let mut m = Model::created(); m.answer(report(Class::Unknown)); show("unknown", &m);
    let mut m = Model::created(); m.answer(hint(Class::Unknown)); show("ask first", &m);
    let mut m = Model::created(); m.answer(report(Class::NotSent)); m.answer(report(Class::NotSent)); show("not sent", &m);
    let mut m = Model::created_at(closes_paid()); m.answer(report(Class::Unknown)); show("not repeatable", &m);
    for _ in 0..6 { if m.live.is_some() { m.answer(told(Word::NotExist)); } else { m.tick(); } } show("absent once", &m);
    let mut m = Model::created(); m.answer(report(Class::Unknown)); m.tick(); m.answer(report(Class::Final)); show("refused beside doubt", &m);
    show("pending wechat", &pending(wechat()));
    show("pending payjs", &pending(payjs()));
    let mut m = Model::created(); m.answer(CallReport::done(vec![Word::Launched(Launch{expire_time: Some(at(60)), ..launch()})])); m.look_at(at(100)); show("launch over", &m);
    show("closing wechat", &closing(wechat()));
    let mut m = pending(wechat()); m.scene.now = at(10); m.close(); show("closing early", &m);
    show("closing xorpay", &closing(xorpay()));
    show("closing payjs", &closing(payjs()));
    show("closing closes paid", &closing(closes_paid()));
    let mut m = closing(wechat()); m.answer(hint(Class::Unknown)); show("closing hint", &m);
    let mut m = Model::created(); m.answer(CallReport{message: format!("openid {OPEN_ID} invalid"), ..report(Class::Final)}); show("failed", &m);
    show("closed wechat", &ended(wechat(), &told(Word::Closed)));
    let mut m = Model::new(wechat()); m.scene.slots=[at(20);4]; m.create(); m.close(); show("never sent", &m);
    show("closed payjs", &ended(payjs(), &told(Word::Open)));
    show("closed xorpay", &ended(xorpay(), &told(Word::Open)));
    let mut m = ended(xorpay(), &told(Word::Open)); m.tick(); m.answer(told(Word::Expired)); show("closed xorpay asked", &m);
    let mut m = pending(wechat()); m.notify(vec![paid("T1")]); show("paid", &m);
    m.notify(vec![paid("T2")]); show("paid twice", &m);
    m.notify(vec![Word::RefundedElsewhere]); show("refunded", &m);
    let mut m = ended(wechat(), &told(Word::Closed)).late_payments(LatePolicy::Park); m.notify(vec![paid("T1")]); show("late park", &m);
    let mut m = pending(wechat()); m.notify(vec![Word::Paid(payment("T8", 1))]); show("mismatch", &m);
    let mut m = pending(wechat()); m.notify(vec![Word::Mismatch{field: "mchid"}]); show("answer mismatch", &m); m.notify(vec![paid("T1")]); show("mismatch then paid", &m);
    let mut m = Model::new(wechat()); m.notify(vec![paid("T1")]); show("unknown order", &m);
    let mut m = closing(wechat()); while m.due.is_some() { if m.live.is_some() { m.answer(report(Class::Unknown)); } else { m.tick(); } }
    let e = explained(&m); println!("{} facts; {}\n{}\n{}", e.happened.len(), e.happened.last().unwrap(), e.state, e.next);
    let mut m = Model::created(); m.answer(CallReport{message: "no such serial".into(), ..CallReport::of(Class::Ops, "SIGN_ERROR")}); show("ops", &m);
    m.settle(AttentionReason::ProviderOps, 1); show("ops settled", &m);
    let _ = (ATTACH, CLIENT_IP, secs(1), way_out, Operation::Create);
}
