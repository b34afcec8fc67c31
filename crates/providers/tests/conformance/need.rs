//! What a scenario needs of a provider, whether a provider has it, and how one that lacks it must show that.

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, RefundKind,
};
use paymux_domain::fold::State;
use paymux_domain::name::RefundNo;
use paymux_domain::outcome::{CallReport, Class, Operation};

use crate::sale::{PRICE, SETTLING, Sale, launch_of};
use crate::world::World;

/// Something that a provider may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The create is a call.
    CreateCall,
    /// The same create again gives the same order.
    CreateAgain,
    /// An order can be asked about before anything was heard of it.
    QueryByNumber,
    /// An order can be asked about at all.
    Query,
    /// An order can be closed.
    Close,
    /// A payment can be given back.
    Refund,
    /// A part of a payment can be given back.
    RefundInPart,
    /// A refund has a number, under which it is made once.
    RefundNumber,
    /// A refund can be asked about.
    RefundQuery,
    /// Answers are signed.
    SignedAnswers,
    /// Payments are notified.
    Notification,
    /// The ends of refunds are notified.
    RefundNotification,
}

impl Need {
    /// Whether a provider lacks it, by its own word.
    pub(crate) fn is_lacking(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::CreateCall => capabilities.create == CreateKind::Local,
            Self::CreateAgain => !capabilities.create_idempotent,
            Self::QueryByNumber => capabilities.query != QueryKind::ByOutTradeNo,
            Self::Query => capabilities.query == QueryKind::None,
            Self::Close => capabilities.close == CloseKind::None,
            Self::Refund => capabilities.refund == RefundKind::None,
            Self::RefundInPart => !matches!(capabilities.refund, RefundKind::Partial { .. }),
            Self::RefundNumber => !capabilities.refund_idempotent,
            Self::RefundQuery => !capabilities.refund_query,
            Self::SignedAnswers => capabilities.answer_signature == AnswerSignature::None,
            Self::Notification => !capabilities.notification,
            Self::RefundNotification => !capabilities.refund_notification,
        }
    }

    /// Runs the proof that a provider lacks it: the operation is refused on our side, and nothing leaves.
    pub(crate) async fn is_refused(self, world: &World) {
        let mut sale = Sale::accepted(world);
        match self {
            Self::CreateCall => {
                launch_of(&sale.call(Operation::Create).await);
                assert_eq!(world.proxy.seen().calls, 0, "a create that is no call sends nothing");
            }
            Self::CreateAgain => {
                sale.launched().await;
                let again = sale.call(Operation::Create).await;
                assert_eq!((again.class, again.ask), (Class::Unknown, sale.can_be_asked()), "{again:?}");
            }
            Self::QueryByNumber => {
                sale.opened().await;
                nothing_leaves(&mut sale, Operation::Query, None).await;
            }
            Self::Query => {
                sale.paid().await;
                nothing_leaves(&mut sale, Operation::Query, None).await;
            }
            Self::Close => {
                sale.opened().await;
                nothing_leaves(&mut sale, Operation::Close, None).await;
            }
            Self::Refund | Self::RefundInPart | Self::RefundQuery => self.refund_is_refused(&mut sale).await,
            Self::RefundNumber if Self::Refund.is_lacking(&sale.capabilities) => {
                self.refund_is_refused(&mut sale).await;
            }
            Self::RefundNumber => number_is_not_sent(&mut sale).await,
            Self::SignedAnswers => answers_carry_no_proof(&mut sale).await,
            Self::Notification => nothing_is_told(&mut sale).await,
            Self::RefundNotification => no_refund_is_told(&mut sale).await,
        }
    }

    async fn refund_is_refused(self, sale: &mut Sale<'_>) {
        let trade_no = match sale.paid().await {
            Some(payment) => payment.trade_no,
            None => "1".parse().unwrap(),
        };
        let fen = if self == Self::RefundInPart { PRICE / 2 } else { PRICE };
        let no = sale.wants_back("R1", &trade_no, fen);
        let operation = if self == Self::RefundQuery { Operation::Query } else { Operation::Refund };
        let report = nothing_leaves(sale, operation, Some(&no)).await;
        let is_by_kind = self == Self::RefundInPart && report.class == Class::Final;
        assert!(is_by_kind || report.code == "LACKING", "{report:?}");
        assert_eq!(sale.settles().await.refunded, 0);
    }
}

/// The call ends on our side, and says so.
async fn nothing_leaves(sale: &mut Sale<'_>, operation: Operation, about: Option<&RefundNo>) -> CallReport {
    let (before, state) = (sale.world.proxy.seen().calls, sale.order.state());
    let report = sale.spoilt(operation, about, None).await;
    assert!(matches!(report.class, Class::Ops | Class::Final), "{report:?}");
    assert!(report.words.is_empty(), "{report:?}");
    assert_eq!(sale.world.proxy.seen().calls, before, "nothing leaves");
    assert!(sale.order.state() == state || sale.order.state() == State::Closing, "{report:?}");
    if about.is_none() {
        assert_eq!(report.code, "LACKING");
    }
    report
}

/// The provider is not told which refund it is.
async fn number_is_not_sent(sale: &mut Sale<'_>) {
    let trade_no = sale.paid().await.expect("a payment that can be refunded is known").trade_no;
    let no = sale.wants_back("R1", &trade_no, PRICE);
    let number = sale.order.refund(&no).unwrap().request.out_refund_no.clone();
    sale.refund_call(Operation::Refund, &no).await;
    let request = sale.world.proxy.seen().request;
    assert!(!request.text().contains(number.as_str()) && !request.start.contains(number.as_str()));
}

/// Nothing in an answer could prove whose it is.
async fn answers_carry_no_proof(sale: &mut Sale<'_>) {
    sale.launched().await;
    let answer = sale.world.proxy.seen().answer;
    assert!(!answer.headers.iter().any(|(name, _)| name.contains("sign")), "{answer:?}");
}

/// The provider gives the money back, where it does that at all, and tells nobody.
async fn no_refund_is_told(sale: &mut Sale<'_>) {
    let trade_no = match sale.paid().await {
        Some(payment) if !Need::Refund.is_lacking(&sale.capabilities) => payment.trade_no,
        _ => return,
    };
    let no = sale.wants_back("R1", &trade_no, PRICE);
    sale.refund_call(Operation::Refund, &no).await;
    sale.world.pass(SETTLING);
    assert_eq!(sale.settles().await.refunded, PRICE);
    assert!(sale.world.inbox.is_empty().await, "it tells of refunds");
}

/// The provider takes the money and tells nobody.
async fn nothing_is_told(sale: &mut Sale<'_>) {
    sale.opened().await;
    sale.pays().await;
    assert_eq!(sale.truth().await.paid, PRICE);
}
