//! The counterpart of an engine that is measured: it speaks XorPay and WeChat Pay, answers at once and rightly, and
//! keeps no more than what was created. It is no simulator: what the engine says is believed, but for XorPay's signatures.
//!
//! What it does with an order is said by the order's description ([`Course`]).

mod form;
mod pusher;
mod wechatpay;
mod xorpay;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

pub(crate) use pusher::Pusher;
pub(crate) use wechatpay::{APIV3_KEY, PLATFORM_KEY_ID, platform_key};
pub(crate) use xorpay::{SECRET, create_form, push_form};

use crate::http::{self, Connection, Message};
use crate::part::{READY, left_alone};

/// How long the provider takes for an answer that is to be slow: a round trip to a real one, about.
pub const SLOW: Duration = Duration::from_millis(50);

/// How soon a payer pays.
const PAYS_AFTER: Duration = Duration::from_millis(20);

/// Connections that push at once.
const PUSHES_MAX: usize = 128;

/// What becomes of an order at the provider; its description says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Answered at once, and nobody pays.
    Waits,
    /// Answered at once, and paid soon.
    Pays,
    /// Answered after [`SLOW`], and paid soon.
    Slow,
}

impl Course {
    const ALL: [Self; 3] = [Self::Waits, Self::Pays, Self::Slow];

    /// The order's description.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Waits => "bench",
            Self::Pays => "bench pays",
            Self::Slow => "bench slow",
        }
    }

    fn of(description: &str) -> Self {
        Self::ALL.into_iter().find(|course| course.description() == description).unwrap_or(Self::Waits)
    }
}

/// Both providers.
struct Provider {
    xorpay: xorpay::Xorpay,
    wechatpay: wechatpay::Wechatpay,
    pusher: Pusher,
}

/// An answer, how long it is held, and what is pushed later.
struct Reply {
    answer: Vec<u8>,
    course: Course,
    /// Where to, and the form.
    push: Option<(String, String)>,
}

impl From<Vec<u8>> for Reply {
    fn from(answer: Vec<u8>) -> Self {
        Self { answer, course: Course::Waits, push: None }
    }
}

/// Serves on that port of loopback until it is left alone.
///
/// One thread: what is measured is the engine, and it shares the cores with this.
#[expect(clippy::print_stdout, reason = "whoever started it waits for the word")]
pub(crate) fn run(port: u16) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let (xorpay, wechatpay) = (xorpay::Xorpay::default(), wechatpay::Wechatpay::new()?);
        let provider = Arc::new(Provider { xorpay, wechatpay, pusher: Pusher::new(PUSHES_MAX) });
        println!("{READY}");
        tokio::select! {
            biased;
            () = left_alone() => Ok(()),
            ended = accept(&listener, &provider) => ended,
        }
    });
    runtime.shutdown_background();
    ended
}

async fn accept(listener: &TcpListener, provider: &Arc<Provider>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, Arc::clone(provider)));
    }
}

/// A connection, to its end.
#[expect(clippy::print_stderr, reason = "what goes wrong must be seen beside the figures")]
async fn serve(stream: TcpStream, provider: Arc<Provider>) {
    if let Err(error) = talk(stream, &provider).await {
        eprintln!("provider: {error:#}");
    }
}

async fn talk(stream: TcpStream, provider: &Arc<Provider>) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.read().await? {
        let Reply { answer, course, push } = provider.reply(&request)?;
        if course == Course::Slow {
            tokio::time::sleep(SLOW).await;
        }
        // Whether or not the answer finds somebody: the order is there, and its payer pays.
        if let Some((url, form)) = push {
            tokio::spawn(pay(Arc::clone(provider), url, form));
        }
        connection.write(&answer).await?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "what goes wrong must be seen beside the figures")]
async fn pay(provider: Arc<Provider>, url: String, form: String) {
    tokio::time::sleep(PAYS_AFTER).await;
    // An engine that has gone was stopped on purpose; a life that misses its push fails whoever waits for its end.
    if let Err(error) = provider.pusher.push(&url, &form).await {
        eprintln!("provider: a push: {error:#}");
    }
}

impl Provider {
    fn reply(&self, request: &Message) -> Result<Reply> {
        let (_, path) = request.first_words();
        if path.starts_with("/api/") {
            self.xorpay.reply(path, &request.body)
        } else if path.starts_with("/v3/pay/transactions/") {
            Ok(self.wechatpay.reply()?.into())
        } else {
            Ok(http::answer("404 Not Found", "", "{}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_the_course() {
        for course in Course::ALL {
            assert_eq!(Course::of(course.description()), course);
        }
        assert_eq!(Course::of("anything"), Course::Waits);
    }
}
