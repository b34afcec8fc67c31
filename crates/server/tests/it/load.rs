//! Callers under load, who create orders, open pages, ask for refunds and go on through errors; every end is compared
//! with the provider's truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::launch::Params;
use paymux_proto::v1::{FactKind, Fulfilment, OrderEventKind, OrderState, RefundState};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::rig::{World, get, http, order, seconds, until};

/// Longest wait for the last end of an order: payers think, and PayJS pushes for an hour, half a minute here.
const ENDS: Duration = Duration::from_secs(300);

/// Orders that are looked at beside each other when ends are compared.
const LOOKS: usize = 8;

/// Pause before a caller turns to another server.
const TURN: Duration = Duration::from_millis(50);

/// Merchant and order number.
pub(crate) type Name = (&'static str, String);

/// What the callers know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) acknowledged: BTreeSet<Name>,
    pub(crate) sent: BTreeSet<Name>,
    /// Refunds that were asked for with their amounts; true: acknowledged.
    pub(crate) refunds: BTreeMap<(Name, &'static str), (i64, bool)>,
    /// Where each merchant's watch goes on.
    resume: BTreeMap<&'static str, String>,
}

/// What orders a load brings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Merchants in turn. At WeChat Pay orders are refunded in two parts that leave something, at PayJS as a whole.
    pub(crate) merchants: &'static [&'static str],
    /// How order numbers begin.
    pub(crate) prefix: &'static str,
    /// How long an order can be paid, in schedule time.
    pub(crate) life_s: i64,
    /// Pause of one caller between two orders; none: the next comes when the payer of the last can pay.
    pub(crate) every: Option<Duration>,
}

/// What callers share.
#[derive(Debug)]
pub(crate) struct Load {
    wanted: Wanted,
    pub(crate) known: Mutex<Known>,
    numbers: AtomicU64,
    /// How many orders were acknowledged.
    pub(crate) orders: watch::Sender<u64>,
    /// How many refunds were acknowledged.
    pub(crate) refunds: watch::Sender<u64>,
    open_url: String,
    stop: CancellationToken,
}

/// The servers of a caller: when one fails, whoever has another turns to it.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    clients: Vec<Client>,
    at: usize,
}

impl Doors {
    /// The caller begins at the server of this place in the list.
    pub(crate) fn new(clients: &[Client], at: usize) -> Self {
        Self { clients: clients.to_vec(), at }
    }

    fn client(&self) -> &Client {
        &self.clients[self.at % self.clients.len()]
    }

    /// Turns to another server; `false` where there is none.
    async fn turn(&mut self) -> bool {
        self.at += 1;
        let has_others = self.clients.len() > 1;
        if has_others {
            tokio::time::sleep(TURN).await; // tidy: looks again
        }
        has_others
    }
}

/// The tasks of a load's callers.
#[derive(Debug)]
pub(crate) struct Callers {
    creating: JoinSet<()>,
    refunding: JoinSet<()>,
}

impl Callers {
    /// Waits until nobody creates any more, and lets nobody ask for refunds any more.
    pub(crate) async fn ended(mut self) {
        while let Some(ended) = self.creating.join_next().await {
            ended.expect("a caller goes on through errors");
        }
        self.refunding.shutdown().await;
    }
}

impl Load {
    pub(crate) fn new(world: &World, wanted: Wanted) -> Arc<Self> {
        Arc::new(Self {
            wanted,
            known: Mutex::default(),
            numbers: AtomicU64::new(0),
            orders: watch::Sender::new(0),
            refunds: watch::Sender::new(0),
            open_url: format!("{}/control/open", world.simulator),
            stop: CancellationToken::new(),
        })
    }

    /// Numbers that were drawn so far.
    pub(crate) fn drawn(&self) -> u64 {
        self.numbers.load(Ordering::Relaxed)
    }

    /// Starts so many callers who create orders below a number, and one for each merchant who asks for refunds.
    pub(crate) fn start(self: &Arc<Self>, doors: &[Client], callers: usize, last: u64) -> Callers {
        let (mut creating, mut refunding) = (JoinSet::new(), JoinSet::new());
        for at in 0..callers {
            creating.spawn(create(Doors::new(doors, at), last, Arc::clone(self)));
        }
        for (at, merchant) in self.wanted.merchants.iter().copied().enumerate() {
            refunding.spawn(refund(Doors::new(doors, at), merchant, Arc::clone(self)));
        }
        Callers { creating, refunding }
    }

    /// Lets callers end what they are at.
    pub(crate) async fn stop(&self, callers: Callers) {
        self.stop.cancel();
        callers.ended().await;
    }

    /// Waits for so many acknowledged orders more.
    pub(crate) async fn more_orders(&self, count: u64) {
        more(&self.orders, count).await;
    }

    /// Waits for so many acknowledged refunds more.
    pub(crate) async fn more_refunds(&self, count: u64) {
        more(&self.refunds, count).await;
    }

    /// Asks for each refund that was asked for and not acknowledged.
    pub(crate) async fn ask_again(&self, client: &Client) {
        for merchant in self.wanted.merchants {
            let mut door = Doors::new(std::slice::from_ref(client), 0);
            assert!(ask_again(&mut door, merchant, self).await, "refunds of {merchant} are refused");
        }
    }

    /// What the server answers to a call that is made until it answers; `None` when there is none to answer.
    async fn insist<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &self,
        doors: &mut Doors,
        call: impl Fn(Client) -> F,
    ) -> Option<T> {
        loop {
            let status = match call(doors.client().clone()).await {
                Ok(answer) => return Some(answer.into_inner()),
                Err(status) => status,
            };
            if self.stop.is_cancelled() || !doors.turn().await {
                return None;
            }
            let is_passing = !matches!(
                status.code(),
                Code::InvalidArgument
                    | Code::AlreadyExists
                    | Code::FailedPrecondition
                    | Code::PermissionDenied
            );
            assert!(is_passing, "a good request is refused: {status:?}");
        }
    }
}

async fn more(counted: &watch::Sender<u64>, count: u64) {
    let wanted = counted.borrow().saturating_add(count);
    drop(counted.subscribe().wait_for(|counted| *counted >= wanted).await);
}

/// Creates orders one after the other, and opens the pages of PayJS, until there is no server or no number left.
async fn create(mut doors: Doors, last: u64, load: Arc<Load>) {
    let browser = http();
    let mut pace = load.wanted.every.map(tokio::time::interval);
    while !load.stop.is_cancelled() {
        if let Some(pace) = &mut pace {
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace.tick().await;
        }
        let n = load.numbers.fetch_add(1, Ordering::Relaxed);
        if n >= last {
            return;
        }
        let turn = usize::try_from(n).expect("few") % load.wanted.merchants.len();
        let name = (load.wanted.merchants[turn], format!("{}-{n:06}", load.wanted.prefix));
        load.known.lock().sent.insert(name.clone());
        // Amounts of which none chooses a fault.
        let minor = 100 + i64::try_from(n % 50).expect("below 50");
        let expiry = Some(Expiry::ExpireAfter(seconds(load.wanted.life_s)));
        let request = v1::CreateOrderRequest { expiry, ..order(name.0, &name.1, minor) };
        let sent = |client: Client| {
            let request = Client::request(request.clone(), None);
            async move { client.orders().create_order(request).await }
        };
        if load.insist(&mut doors, sent).await.is_none() {
            return;
        }
        load.known.lock().acknowledged.insert(name.clone());
        load.orders.send_modify(|count| *count += 1);
        if pace.is_some() && !is_payjs(name.0) {
            continue;
        }
        let launch = match doors.client().orders().get_order(get(name.0, &name.1, 5)).await {
            Ok(answer) => answer.into_inner().order.and_then(|order| order.launch),
            // It is still on its way to its owner.
            Err(status) if status.code() == Code::NotFound => continue,
            Err(_) if doors.turn().await => continue,
            Err(_) => return,
        };
        if let Some(Params::RedirectUrl(url)) = launch.and_then(|launch| launch.params) {
            let opened = browser.post(&load.open_url).body(json!({ "url": url }).to_string());
            assert!(opened.send().await.expect("the simulator answers").status().is_success());
        }
    }
}

/// Asks again for what was asked and not acknowledged, then for the refunds of each order that is to be delivered,
/// until there is no server.
async fn refund(mut doors: Doors, merchant: &'static str, load: Arc<Load>) {
    if !ask_again(&mut doors, merchant, &load).await {
        return;
    }
    loop {
        let resume_token = load.known.lock().resume.get(merchant).cloned();
        let request = v1::WatchOrdersRequest {
            merchant_id: merchant.to_owned(),
            resume_token,
            ..v1::WatchOrdersRequest::default()
        };
        let mut watch = doors.client().watch(request);
        while let Ok(event) = watch.next().await {
            if event.kind() == OrderEventKind::Fulfil
                && !refund_parts(&mut doors, merchant, &event.order.clone().unwrap_or_default(), &load).await
            {
                return;
            }
            let token = watch.resume_token().expect("behind a message").to_owned();
            load.known.lock().resume.insert(merchant, token);
        }
        if load.stop.is_cancelled() || !doors.turn().await {
            return;
        }
    }
}

/// PayJS gives back the whole payment; at WeChat Pay two parts leave something.
async fn refund_parts(doors: &mut Doors, merchant: &'static str, order: &v1::Order, load: &Load) -> bool {
    let whole = order.amount.as_ref().map_or(0, |amount| amount.minor);
    let parts = if is_payjs(merchant) { vec![("R1", whole)] } else { vec![("R1", 40), ("R2", 45)] };
    let name = (merchant, order.merchant_order_no.clone());
    // What others than these callers created is none of their business.
    if !load.known.lock().sent.contains(&name) {
        return true;
    }
    for (no, minor) in parts {
        if !ask(doors, &name, no, minor, load).await {
            return false;
        }
    }
    true
}

async fn ask_again(doors: &mut Doors, merchant: &str, load: &Load) -> bool {
    let open: Vec<_> = load
        .known
        .lock()
        .refunds
        .iter()
        .filter(|((name, _), (_, acknowledged))| name.0 == merchant && !acknowledged)
        .map(|((name, no), (minor, _))| (name.clone(), *no, *minor))
        .collect();
    for (name, no, minor) in open {
        if !ask(doors, &name, no, minor, load).await {
            return false;
        }
    }
    true
}

/// Asks for a refund; whether it was acknowledged.
async fn ask(doors: &mut Doors, name: &Name, no: &'static str, minor: i64, load: &Load) -> bool {
    load.known.lock().refunds.entry((name.clone(), no)).or_insert((minor, false));
    let request = v1::RefundOrderRequest {
        merchant_id: name.0.to_owned(),
        merchant_order_no: name.1.clone(),
        refund_no: no.to_owned(),
        request_id: format!("{}-{no}", name.1),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
        ..v1::RefundOrderRequest::default()
    };
    let sent = |client: Client| {
        let request = Client::request(request.clone(), None);
        async move { client.orders().refund_order(request).await }
    };
    let is_acknowledged = load.insist(doors, sent).await.is_some();
    if is_acknowledged {
        load.known.lock().refunds.insert((name.clone(), no), (minor, true));
        load.refunds.send_modify(|count| *count += 1);
    }
    is_acknowledged
}

/// What became of all orders; pairs are of WeChat Pay and PayJS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) orders: usize,
    /// Money in fen that the provider took, all of it recorded.
    pub(crate) taken: i64,
    /// Money in fen that it gave back, all of it recorded.
    pub(crate) back: i64,
    pub(crate) refunds: [usize; 2],
    /// Refund calls that reached the provider.
    pub(crate) refund_calls: [u64; 2],
    /// Create calls that reached WeChat Pay for orders that it knew.
    pub(crate) repeated_creates: u64,
}

impl Ends {
    fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.taken += other.taken;
        self.back += other.back;
        for at in 0..2 {
            self.refunds[at] += other.refunds[at];
            self.refund_calls[at] += other.refund_calls[at];
        }
        self.repeated_creates += other.repeated_creates;
    }

    /// Create and refund calls that said again what the provider had been told.
    pub(crate) fn repeated_calls(&self) -> u64 {
        let refunds = u64::try_from(self.refunds.iter().sum::<usize>()).expect("few");
        self.repeated_creates + self.refund_calls.iter().sum::<u64>().saturating_sub(refunds)
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, taken, back, refunds, refund_calls, repeated_creates } = self;
        write!(
            f,
            "{orders} orders ended right, {taken} fen taken, {back} fen given back, all of it recorded; {refunds:?} \
             refunds at WeChat Pay and PayJS in {refund_calls:?} calls, {repeated_creates} creates repeated"
        )
    }
}

/// Compares every order's end, its refunds included, with the provider's truth; tells the sums.
pub(crate) async fn judge(world: &World, client: &Client, known: &Known) -> Ends {
    assert!(!known.acknowledged.is_empty() && !known.refunds.is_empty());
    let mut names = known.acknowledged.clone();
    // What was sent and not acknowledged may be there; then it ends, too.
    for name in known.sent.difference(&known.acknowledged) {
        if client.orders().get_order(get(name.0, &name.1, 0)).await.is_ok() {
            names.insert(name.clone());
        }
    }
    let each = names.iter().map(|name| end_of(world, client, known, name));
    let each: Vec<Ends> = stream::iter(each).buffer_unordered(LOOKS).collect().await;
    let mut ends = Ends::default();
    each.iter().for_each(|one| ends.add(one));
    let sums = (ends.taken, ends.back);
    let truth = world.truth().await;
    let ours: BTreeSet<String> = names.iter().map(|name| out_trade_no(world, name)).collect();
    let ours = || truth.iter().filter(|(number, _)| ours.contains(*number)).map(|(_, order)| order);
    let paid =
        |order: &Value| order["payment"]["reported_total"].as_i64().filter(|_| !is_undeterminable(order));
    ends.taken = ours().filter_map(paid).sum();
    ends.back = ours().filter_map(|order| order["refunds"]["refunded"].as_i64()).sum();
    assert_eq!((ends.taken, ends.back), sums);
    assert!(ends.taken > 0 && ends.back > 0);
    ends
}

/// The end of one order; fails where it is not the provider's truth.
async fn end_of(world: &World, client: &Client, known: &Known, name: &Name) -> Ends {
    let (order, detail) = settled(world, client, name).await;
    let truth = detail.as_ref().map(|detail| &detail["order"]).filter(|order| !order.is_null());
    let (taken, back) = check(name, &order, truth);
    check_refunds(name, &order, known);
    let creates = detail.as_ref().and_then(|detail| detail["calls"]["create"].as_u64()).unwrap_or(0);
    let mut end = Ends { orders: 1, taken, back, ..Ends::default() };
    let at = usize::from(is_payjs(name.0));
    end.refunds[at] = order.refunds.len();
    end.refund_calls[at] = refund_calls(client, name, &order, truth).await;
    end.repeated_creates = creates.saturating_sub(1);
    end
}

/// Each refund that was asked for is there, once, and done.
fn check_refunds(name: &Name, order: &v1::Order, known: &Known) {
    let asked = known.refunds.iter().filter(|((refunded, _), _)| refunded == name);
    assert_eq!(order.refunds.len(), asked.clone().count(), "{name:?}: {order:?}");
    for ((_, no), (minor, _)) in asked {
        let refund = order.refunds.iter().find(|refund| refund.refund_no == *no);
        let refund = refund.unwrap_or_else(|| panic!("{name:?}: no {no} in {order:?}"));
        assert_eq!(refund.state(), RefundState::Done, "{name:?}: {refund:?}");
        assert_eq!(refund.amount.as_ref().map(|amount| amount.minor), Some(*minor));
    }
}

/// The calls that the provider counted for an order's refunds: none that was not on record before it left.
async fn refund_calls(client: &Client, name: &Name, order: &v1::Order, truth: Option<&Value>) -> u64 {
    let list = truth.iter().flat_map(|truth| truth["refunds"]["list"].as_array().expect("a list"));
    let made = list.map(|refund| refund["calls"]["refund"].as_u64().expect("a number")).sum();
    if order.refunds.is_empty() {
        assert_eq!(made, 0, "{name:?}: {truth:?}");
        return 0;
    }
    let entries = timeline(client, name).await;
    let recorded = entries.iter().filter(|entry| entry.kind() == FactKind::RefundCall).count();
    assert!(made <= u64::try_from(recorded).expect("few"), "{name:?}: {made} calls, on record: {entries:?}");
    made
}

/// The facts of an order, oldest first.
async fn timeline(client: &Client, name: &Name) -> Vec<v1::TimelineEntry> {
    let request =
        v1::GetTimelineRequest { merchant_id: name.0.to_owned(), merchant_order_no: name.1.clone() };
    let timeline = client.orders().get_timeline(Client::request(request, None)).await;
    timeline.expect("the order is there").into_inner().entries
}

/// The facts of many orders.
pub(crate) async fn timelines(
    client: &Client,
    names: &BTreeSet<Name>,
) -> Vec<(Name, Vec<v1::TimelineEntry>)> {
    let each = names.iter().map(|name| async { (name.clone(), timeline(client, name).await) });
    stream::iter(each).buffer_unordered(LOOKS).collect().await
}

/// Waits until an order has ended with what the provider knows of it; gives both.
async fn settled(world: &World, client: &Client, name: &Name) -> (v1::Order, Option<Value>) {
    let deadline = Instant::now() + ENDS;
    loop {
        let order = until(client, name.0, &name.1, ended).await;
        let detail = world.detail_of(&world.merchants[index(name.0)].mchid, &out_trade_no(world, name)).await;
        let truth = detail.as_ref().map(|detail| &detail["order"]);
        let may_come = truth.is_some_and(|truth| !truth["payment"].is_null() && !is_undeterminable(truth));
        if !may_come || !order.payments.is_empty() {
            return (order, detail);
        }
        assert!(Instant::now() < deadline, "{name:?}: paid there, not here: {order:?} {detail:?}");
        let mut news = get(name.0, &name.1, 5);
        news.get_mut().known_version = Some(order.version);
        client.orders().get_order(news).await.expect("the order is there");
    }
}

/// Compares money and end; gives what is recorded as taken and as given back.
fn check(name: &Name, order: &v1::Order, truth: Option<&Value>) -> (i64, i64) {
    let minor = |amount: &Option<v1::Amount>| amount.as_ref().map_or(0, |amount| amount.minor);
    let recorded: i64 = order.payments.iter().map(|payment| minor(&payment.total)).sum();
    let knowable = truth.filter(|truth| !is_undeterminable(truth));
    let paid = knowable.and_then(|truth| truth["payment"]["reported_total"].as_i64()).unwrap_or(0);
    assert_eq!(paid, recorded, "{name:?}: {order:?} {truth:?}");
    if order.state() == OrderState::Closed && !is_payjs(name.0) {
        let state = truth.map_or("CLOSED", |truth| truth["trade_state"].as_str().expect("a state"));
        assert_eq!(state.to_uppercase(), "CLOSED", "{name:?}");
    }
    let back = truth.map_or(0, |truth| truth["refunds"]["refunded"].as_i64().expect("a sum"));
    let list = truth.map_or(0, |truth| truth["refunds"]["list"].as_array().expect("a list").len());
    assert_eq!(list, order.refunds.len(), "{name:?}: {order:?} {truth:?}");
    assert_eq!(back, minor(&order.refunded_amount), "{name:?}: {order:?} {truth:?}");
    (recorded, back)
}

/// Paid at PayJS, each push of it while the server was down.
fn is_undeterminable(truth: &Value) -> bool {
    truth["payjs"]["undeterminable"] == Value::Bool(true)
}

/// The place of a merchant in the world: they are numbered from 1.
pub(crate) fn index(merchant: &str) -> usize {
    merchant.trim_start_matches('m').parse::<usize>().expect("a number") - 1
}

/// Of fourteen merchants in turn the fifth to eighth are at PayJS.
fn is_payjs(merchant: &str) -> bool {
    (4..8).contains(&(index(merchant) % 14))
}

/// What the provider calls an order.
pub(crate) fn out_trade_no(world: &World, name: &Name) -> String {
    format!("{}{}", world.merchants[index(name.0)].prefix, name.1)
}

fn ended(order: &v1::Order) -> bool {
    let refunds_ended =
        order.refunds.iter().all(|refund| matches!(refund.state(), RefundState::Done | RefundState::Failed));
    refunds_ended
        && match order.state() {
            OrderState::Closed | OrderState::Failed => true,
            OrderState::Paid => order.fulfilment() != Fulfilment::Pending,
            _ => false,
        }
}
