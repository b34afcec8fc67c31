//! The door for scrapes: `/metrics`, in the clear and to anybody, and nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Sources;
use super::page::CONTENT_TYPE;

/// The routes.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Arc::new(sources))
}

async fn scrape(State(sources): State<Arc<Sources>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], sources.page()).into_response()
}
