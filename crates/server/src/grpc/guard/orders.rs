//! `OrderService` behind the guard: closing and asking again are recorded when an operator does it.

use paymux_proto::v1;
use paymux_proto::v1::order_service_server::OrderService;
use tonic::{Request, Streaming};

use super::{Answer, Guarded};

#[tonic::async_trait]
impl<S: OrderService> OrderService for Guarded<S> {
    type SubmitOrdersStream = S::SubmitOrdersStream;
    type WatchOrdersStream = S::WatchOrdersStream;

    async fn create_order(
        &self,
        request: Request<v1::CreateOrderRequest>,
    ) -> Answer<v1::CreateOrderResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.create_order(request).await
        };
        self.count(answered.await)
    }

    /// Each request of the stream names its own merchant: the service checks them one by one.
    async fn submit_orders(
        &self,
        request: Request<Streaming<v1::SubmitOrdersRequest>>,
    ) -> Answer<Self::SubmitOrdersStream> {
        self.count(self.inner.submit_orders(request).await)
    }

    async fn get_order(&self, request: Request<v1::GetOrderRequest>) -> Answer<v1::GetOrderResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.get_order(request).await
        };
        self.count(answered.await)
    }

    async fn list_orders(&self, request: Request<v1::ListOrdersRequest>) -> Answer<v1::ListOrdersResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.list_orders(request).await
        };
        self.count(answered.await)
    }

    async fn list_movements(
        &self,
        request: Request<v1::ListMovementsRequest>,
    ) -> Answer<v1::ListMovementsResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.list_movements(request).await
        };
        self.count(answered.await)
    }

    async fn find_order(&self, request: Request<v1::FindOrderRequest>) -> Answer<v1::FindOrderResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.find_order(request).await
        };
        self.count(answered.await)
    }

    async fn watch_orders(
        &self,
        request: Request<v1::WatchOrdersRequest>,
    ) -> Answer<Self::WatchOrdersStream> {
        let answered = async {
            self.allow(&request)?;
            self.inner.watch_orders(request).await
        };
        self.count(answered.await)
    }

    async fn close_order(&self, request: Request<v1::CloseOrderRequest>) -> Answer<v1::CloseOrderResponse> {
        self.act(request, |inner, request| async move { inner.close_order(request).await }).await
    }

    async fn requery_order(
        &self,
        request: Request<v1::RequeryOrderRequest>,
    ) -> Answer<v1::RequeryOrderResponse> {
        self.act(request, |inner, request| async move { inner.requery_order(request).await }).await
    }

    async fn refund_order(
        &self,
        request: Request<v1::RefundOrderRequest>,
    ) -> Answer<v1::RefundOrderResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.refund_order(request).await
        };
        self.count(answered.await)
    }

    async fn get_refund(&self, request: Request<v1::GetRefundRequest>) -> Answer<v1::GetRefundResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.get_refund(request).await
        };
        self.count(answered.await)
    }

    async fn get_timeline(
        &self,
        request: Request<v1::GetTimelineRequest>,
    ) -> Answer<v1::GetTimelineResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.get_timeline(request).await
        };
        self.count(answered.await)
    }
}
