//! The cashier page as a payer's browser sees it: what is to be paid, and a button that pays.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;

use super::Payjs;
use super::answer::Reply;
use crate::connection::ConnectionHandle;
use crate::provider::OrderKey;

/// `GET`: the page.
pub(super) async fn show(
    State(provider): State<Arc<Payjs>>,
    ConnectInfo(connection): ConnectInfo<ConnectionHandle>,
    Path(page): Path<String>,
) -> Response {
    let reply = provider.page(&page).map_or_else(Reply::not_found, |(_, title, yuan, _)| {
        Reply::page(html(&format!(
            "<h1>{}</h1><p>{yuan} CNY</p><form method=\"post\"><button>支付</button></form>",
            escape(&title)
        )))
    });
    reply.send(&provider.world, &connection).await
}

/// `POST`: the payer pays, and is sent on to the merchant's page if it named one.
pub(super) async fn pay(
    State(provider): State<Arc<Payjs>>,
    ConnectInfo(connection): ConnectInfo<ConnectionHandle>,
    Path(page): Path<String>,
) -> Response {
    let reply = match provider.page(&page) {
        None => Reply::not_found(),
        Some((key, _, _, callback_url)) => match (provider.pay(&key, None), callback_url) {
            (Ok(_), Some(url)) => Reply::redirect(url),
            (Ok(_), None) => Reply::page(html("<h1>支付成功</h1>")),
            (Err(reason), _) => Reply::page(html(&format!("<h1>支付失败</h1><p>{reason}</p>"))),
        },
    };
    reply.send(&provider.world, &connection).await
}

impl Payjs {
    /// The order behind a page: its key, title, amount in yuan and the merchant's page.
    fn page(&self, page: &str) -> Option<(OrderKey, String, String, Option<String>)> {
        let book = self.book.lock();
        let key = book.key_of_page(page)?;
        let params = &book.order(key)?.params;
        let title = params.body.clone().unwrap_or_else(|| "PayJS".to_owned());
        let yuan = format!("{}.{:02}", params.total_fee / 100, params.total_fee % 100);
        Some((key.clone(), title, yuan, params.callback_url.clone()))
    }
}

fn html(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>PayJS</title></head><body>{body}</body></html>"
    )
}

/// The title is the merchant's text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
