//! `OperatorService` behind the guard: what changes something, and who looks at raw records, is recorded.

use paymux_proto::v1;
use paymux_proto::v1::operator_service_server::OperatorService;
use tonic::Request;

use super::{Answer, Guarded};

#[tonic::async_trait]
impl<S: OperatorService> OperatorService for Guarded<S> {
    async fn list_parked(&self, request: Request<v1::ListParkedRequest>) -> Answer<v1::ListParkedResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.list_parked(request).await
        };
        self.count(answered.await)
    }

    async fn list_dead(&self, request: Request<v1::ListDeadRequest>) -> Answer<v1::ListDeadResponse> {
        self.act(request, |inner, request| async move { inner.list_dead(request).await }).await
    }

    async fn list_unresolved(
        &self,
        request: Request<v1::ListUnresolvedRequest>,
    ) -> Answer<v1::ListUnresolvedResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.list_unresolved(request).await
        };
        self.count(answered.await)
    }

    async fn replay(&self, request: Request<v1::ReplayRequest>) -> Answer<v1::ReplayResponse> {
        self.act(request, |inner, request| async move { inner.replay(request).await }).await
    }

    async fn confirm_outcome(
        &self,
        request: Request<v1::ConfirmOutcomeRequest>,
    ) -> Answer<v1::ConfirmOutcomeResponse> {
        self.act(request, |inner, request| async move { inner.confirm_outcome(request).await }).await
    }

    async fn get_shard(&self, request: Request<v1::GetShardRequest>) -> Answer<v1::GetShardResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.get_shard(request).await
        };
        self.count(answered.await)
    }

    async fn get_limits(&self, request: Request<v1::GetLimitsRequest>) -> Answer<v1::GetLimitsResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.get_limits(request).await
        };
        self.count(answered.await)
    }

    async fn list_merchants(
        &self,
        request: Request<v1::ListMerchantsRequest>,
    ) -> Answer<v1::ListMerchantsResponse> {
        let answered = async {
            self.allow(&request)?;
            self.inner.list_merchants(request).await
        };
        self.count(answered.await)
    }
}
