//! `OrderService`: thin shells around ingest.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_proto::{api, v1};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Request, Response, Status, Streaming};

use super::{Gate, watch};
use crate::access::Caller;
use crate::ingest::{Answer, CommandRequest, Ingest, ListedPage, MovedPage, RefundAnswer, Refusal};
use crate::metrics::Refused;

/// Requests of one bulk stream that may be unanswered; beyond that the server stops reading.
const UNANSWERED_MAX: usize = 1024;

/// Requests of one bulk stream that are taken together, if as many have come: what costs something for each time costs
/// it once for all of them.
const TOGETHER_MAX: usize = 64;

/// The service.
#[derive(Debug)]
pub(super) struct Orders {
    ingest: Arc<Ingest>,
    gate: Gate,
    refused: Arc<Refused>,
}

impl Orders {
    pub(super) const fn new(ingest: Arc<Ingest>, gate: Gate, refused: Arc<Refused>) -> Self {
        Self { ingest, gate, refused }
    }
}

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl v1::order_service_server::OrderService for Orders {
    type SubmitOrdersStream = ResponseStream<v1::SubmitOrdersResponse>;
    type WatchOrdersStream = ResponseStream<v1::WatchOrdersResponse>;

    async fn create_order(
        &self,
        request: Request<v1::CreateOrderRequest>,
    ) -> Result<Response<v1::CreateOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let (order, basis) = view(self.ingest.create(request.get_ref()).await?);
        Ok(Response::new(v1::CreateOrderResponse { order: Some(order), basis: basis.into() }))
    }

    async fn submit_orders(
        &self,
        request: Request<Streaming<v1::SubmitOrdersRequest>>,
    ) -> Result<Response<Self::SubmitOrdersStream>, Status> {
        let slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?;
        let (ingest, refused) = (Arc::clone(&self.ingest), Arc::clone(&self.refused));
        let stop = self.gate.stop.clone();
        let places = Arc::new(Semaphore::new(UNANSWERED_MAX));
        let answers = request
            .into_inner()
            .take_until(stop.clone().cancelled_owned())
            .ready_chunks(TOGETHER_MAX)
            .then(move |messages| {
                let places = Arc::clone(&places);
                async move { (as_many(places, messages.len()).await, messages) }
            })
            .map(move |(places, messages)| {
                let submitted = submit(Arc::clone(&ingest), Arc::clone(&refused), caller.clone(), messages);
                submitted.map(|answers| (places, answers))
            })
            .buffered(UNANSWERED_MAX)
            .flat_map(|(places, answers)| {
                stream::iter(answers).inspect(move |_| {
                    // Held until they have been answered: others before them may still be waited for.
                    let _places = &places;
                })
            });
        let end = stream::iter([()]).filter_map(move |()| {
            // Held until the stream has ended.
            let _slot = &slot;
            let stopped = stop.is_cancelled().then(|| Err(Refusal::ShuttingDown.into()));
            std::future::ready(stopped)
        });
        Ok(Response::new(Box::pin(answers.chain(end))))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let (key, order) = self.ingest.get(request.get_ref()).await?;
        Ok(Response::new(v1::GetOrderResponse { order: Some(api::order_view(&key, &order)) }))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let _slot = self.gate.enter()?;
        let ListedPage { orders, next_page_token } = self.ingest.list(request.get_ref()).await?;
        Ok(Response::new(v1::ListOrdersResponse { orders, next_page_token }))
    }

    async fn list_movements(
        &self,
        request: Request<v1::ListMovementsRequest>,
    ) -> Result<Response<v1::ListMovementsResponse>, Status> {
        let _slot = self.gate.enter()?;
        let MovedPage { movements, next_page_token } = self.ingest.movements(request.get_ref()).await?;
        Ok(Response::new(v1::ListMovementsResponse { movements, next_page_token }))
    }

    async fn find_order(
        &self,
        request: Request<v1::FindOrderRequest>,
    ) -> Result<Response<v1::FindOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let (key, order) = self.ingest.find(request.get_ref()).await?;
        Ok(Response::new(v1::FindOrderResponse { order: Some(api::order_view(&key, &order)) }))
    }

    async fn watch_orders(
        &self,
        request: Request<v1::WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let slot = self.gate.enter_watch()?;
        let watch = self.ingest.watch(request.get_ref()).await?;
        Ok(Response::new(watch::stream(watch, slot, self.gate.stop.clone())))
    }

    async fn close_order(
        &self,
        request: Request<v1::CloseOrderRequest>,
    ) -> Result<Response<v1::CloseOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?.name().to_owned();
        let v1::CloseOrderRequest { merchant_id, merchant_order_no, request_id, wait } = request.into_inner();
        let command = CommandRequest { merchant_id, merchant_order_no, request_id, wait, caller };
        let (order, basis) = view(self.ingest.close(&command).await?);
        Ok(Response::new(v1::CloseOrderResponse { order: Some(order), basis: basis.into() }))
    }

    async fn requery_order(
        &self,
        request: Request<v1::RequeryOrderRequest>,
    ) -> Result<Response<v1::RequeryOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?.name().to_owned();
        let v1::RequeryOrderRequest { merchant_id, merchant_order_no, request_id, wait } =
            request.into_inner();
        let command = CommandRequest { merchant_id, merchant_order_no, request_id, wait, caller };
        let (order, basis) = view(self.ingest.requery(&command).await?);
        Ok(Response::new(v1::RequeryOrderResponse { order: Some(order), basis: basis.into() }))
    }

    async fn refund_order(
        &self,
        request: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        let _slot = self.gate.enter()?;
        let caller = Caller::of(&request).map_err(Refusal::from)?.name().to_owned();
        let answer = self.ingest.refund(request.get_ref(), &caller).await?;
        Ok(Response::new(refund_answer(request.get_ref(), answer)))
    }

    async fn get_refund(
        &self,
        request: Request<v1::GetRefundRequest>,
    ) -> Result<Response<v1::GetRefundResponse>, Status> {
        let _slot = self.gate.enter()?;
        let (key, no, order) = self.ingest.get_refund(request.get_ref()).await?;
        let refund = order.refund(&no).map(|refund| api::refund_view(&key, &order, &refund));
        Ok(Response::new(v1::GetRefundResponse { refund }))
    }

    async fn get_timeline(
        &self,
        request: Request<v1::GetTimelineRequest>,
    ) -> Result<Response<v1::GetTimelineResponse>, Status> {
        let _slot = self.gate.enter()?;
        let story = self.ingest.story(request.get_ref()).await?;
        Ok(Response::new(v1::GetTimelineResponse {
            order: Some(api::order_view(&story.key, &story.order)),
            entries: api::timeline_view(&story.order, &story.explanation.happened),
            explanation: story.explanation.state,
            next_step: story.explanation.next,
            next_due_time: story.explanation.next_look.map(api::timestamp),
        }))
    }
}

fn view(answer: Answer) -> (v1::Order, v1::AnswerBasis) {
    match answer {
        Answer::Created(created) => (api::accepted_view(&created), v1::AnswerBasis::Accepted),
        Answer::Accepted(key) => (api::identity_view(&key), v1::AnswerBasis::Accepted),
        Answer::Current(key, order) => (current(&key, &order), v1::AnswerBasis::Current),
    }
}

fn refund_answer(request: &v1::RefundOrderRequest, answer: RefundAnswer) -> v1::RefundOrderResponse {
    let (refund, basis) = match answer {
        RefundAnswer::Current(key, no, order) => (
            order.refund(&no).map(|refund| api::refund_view(&key, &order, &refund)),
            v1::AnswerBasis::Current,
        ),
        RefundAnswer::Accepted(key, no, amount) => {
            let refund = api::requested_refund_view(&key, &no, amount, &request.reason);
            (Some(refund), v1::AnswerBasis::Accepted)
        }
    };
    v1::RefundOrderResponse { refund, basis: basis.into() }
}

fn current(key: &OrderKey, order: &Order) -> v1::Order {
    api::order_view(key, order)
}

/// Places of a stream for so many requests, once they are free.
async fn as_many(places: Arc<Semaphore>, count: usize) -> Option<OwnedSemaphorePermit> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    // Nobody closes it.
    places.acquire_many_owned(count).await.ok()
}

/// Takes requests of a bulk stream that came together: no answer ends the stream. A message that cannot be read does,
/// behind the answers to those before it.
async fn submit(
    ingest: Arc<Ingest>,
    refused: Arc<Refused>,
    caller: Caller,
    messages: Vec<Result<v1::SubmitOrdersRequest, Status>>,
) -> Vec<Result<v1::SubmitOrdersResponse, Status>> {
    let (mut orders, mut unreadable) = (Vec::with_capacity(messages.len()), None);
    for message in messages {
        match message {
            Ok(message) => orders.push(message.order.unwrap_or_default()),
            // What is read behind it is no message.
            Err(status) => {
                unreadable = Some(Err(status));
                break;
            }
        }
    }
    let outcomes = ingest.create_all(orders.iter().map(|order| allowed(&caller, order)).collect()).await;
    let answers = orders.into_iter().zip(outcomes).map(|(order, outcome)| {
        let status = match outcome {
            Ok(()) => Status::ok(""),
            Err(refusal) => {
                refused.add(&refusal);
                refusal.into()
            }
        };
        Ok(v1::SubmitOrdersResponse {
            status: Some(api::status_view(&status)),
            merchant_id: order.merchant_id,
            merchant_order_no: order.merchant_order_no,
            request_id: order.request_id,
        })
    });
    answers.chain(unreadable).collect()
}

/// Each request of a stream has its own merchant and counts against the caller's rate.
fn allowed<'a>(
    caller: &Caller,
    order: &'a v1::CreateOrderRequest,
) -> Result<&'a v1::CreateOrderRequest, Refusal> {
    caller.take_request()?;
    caller.allow_merchant(&order.merchant_id)?;
    Ok(order)
}
