//! Every statement that is run on an open store, by table; prepared once, and all in the subset of CQL that ScyllaDB
//! and Cassandra 5 share (`lint.rs` holds it).

/// What a statement does: its consistency, and what an answer that does not come means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads at LOCAL_QUORUM; may be repeated.
    Read,
    /// Reads at LOCAL_QUORUM through all partitions of a table, in the order of their tokens; may be repeated.
    Walk,
    /// Writes at LOCAL_QUORUM; may be repeated, since the same row means the same.
    Write,
    /// Reads by consensus at LOCAL_SERIAL: it sees, and ends, every conditional write that was under way.
    SerialRead,
    /// A conditional write, by consensus. It is never repeated blindly: a second one finds the first one's version.
    Conditional,
}

macro_rules! statements {
    ($($name:ident: $kind:ident $cql:literal;)*) => {
        /// A statement.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Cql { $($name),* }

        impl Cql {
            /// All of them, in the order of their numbers.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];

            /// What it does.
            pub(super) const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),* }
            }

            /// Its text.
            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => $cql),* }
            }
        }
    };
}

statements! {
    // cluster
    RecordNumber: Write
        "INSERT INTO cluster (name, number) VALUES (?, ?)";

    // order_facts
    AddFact: Write
        "INSERT INTO order_facts (merchant_id, order_no, fact_key, body) VALUES (?, ?, ?, ?)";
    ReadFacts: Read
        "SELECT body FROM order_facts WHERE merchant_id = ? AND order_no = ?";
    ReadFact: Read
        "SELECT body FROM order_facts WHERE merchant_id = ? AND order_no = ? AND fact_key = ?";
    WalkFirstOrders: Walk
        "SELECT DISTINCT merchant_id, order_no FROM order_facts LIMIT ?";
    WalkOrders: Walk
        "SELECT DISTINCT merchant_id, order_no FROM order_facts \
         WHERE TOKEN(merchant_id, order_no) > TOKEN(?, ?) LIMIT ?";

    // followups
    PutFollowup: Write
        "INSERT INTO followups (merchant_id, order_no, body) VALUES (?, ?, ?)";
    ReadFollowup: Read
        "SELECT body FROM followups WHERE merchant_id = ? AND order_no = ?";

    // order_index, order_days
    AddToIndex: Write
        "INSERT INTO order_index (merchant_id, day, slot, created_time, order_no) VALUES (?, ?, ?, ?, ?)";
    ReadIndex: Read
        "SELECT created_time, order_no FROM order_index WHERE merchant_id = ? AND day = ? AND slot = ? \
         AND (created_time, order_no) >= (?, ?) AND (created_time, order_no) < (?, ?) LIMIT ?";
    AddDay: Write
        "INSERT INTO order_days (merchant_id, day, slot) VALUES (?, ?, ?)";
    ReadDays: Read
        "SELECT day, slot FROM order_days WHERE merchant_id = ? AND day >= ? AND day <= ?";

    // movement_index, movement_days
    AddToMovements: Write
        "INSERT INTO movement_index (merchant_id, day, slot, order_no) VALUES (?, ?, ?, ?)";
    ReadMovements: Read
        "SELECT order_no FROM movement_index WHERE merchant_id = ? AND day = ? AND slot = ? AND order_no > ? LIMIT ?";
    AddMovementDay: Write
        "INSERT INTO movement_days (merchant_id, day, slot) VALUES (?, ?, ?)";
    ReadMovementDays: Read
        "SELECT day, slot FROM movement_days WHERE merchant_id = ? AND day >= ? AND day <= ? LIMIT ?";

    // order_trade_nos
    AddTradeNo: Write
        "INSERT INTO order_trade_nos (trade_no, merchant_id, order_no) VALUES (?, ?, ?)";
    ReadTradeNo: Read
        "SELECT merchant_id, order_no FROM order_trade_nos WHERE trade_no = ?";

    // parked_orders
    Park: Write
        "INSERT INTO parked_orders (slot, merchant_id, order_no, reason, number, since) VALUES (?, ?, ?, ?, ?, ?)";
    Resolve: Write
        "INSERT INTO parked_orders (slot, merchant_id, order_no, reason, number, resolved) VALUES (?, ?, ?, ?, ?, ?)";
    ReadParked: Read
        "SELECT merchant_id, order_no, reason, number, since, resolved FROM parked_orders WHERE slot = ? \
         AND (merchant_id, order_no, reason, number) > (?, ?, ?, ?) LIMIT ?";

    // due_orders, due_buckets
    AddDue: Write
        "INSERT INTO due_orders (log_partition, bucket, due_at, merchant_id, order_no) VALUES (?, ?, ?, ?, ?) \
         USING TTL ?";
    ReadDue: Read
        "SELECT due_at, merchant_id, order_no FROM due_orders WHERE log_partition = ? AND bucket = ? \
         AND (due_at, merchant_id, order_no) > (?, ?, ?) LIMIT ?";
    ReadDueRow: Read
        "SELECT order_no FROM due_orders WHERE log_partition = ? AND bucket = ? AND due_at = ? \
         AND merchant_id = ? AND order_no = ?";
    AddDueBucket: Write
        "INSERT INTO due_buckets (log_partition, day, bucket) VALUES (?, ?, ?) USING TTL ?";
    ReadDueBuckets: Read
        "SELECT bucket FROM due_buckets WHERE log_partition = ? AND day = ? AND bucket >= ? AND bucket < ?";

    // sweep_floors, sweep_positions
    AddFloor: Write
        "INSERT INTO sweep_floors (log_partition, floor) VALUES (?, ?)";
    ReadFloor: Read
        "SELECT floor FROM sweep_floors WHERE log_partition = ? LIMIT 1";
    PutSwept: Write
        "INSERT INTO sweep_positions (log_partition, swept_through) VALUES (?, ?)";
    ReadSwept: Read
        "SELECT swept_through FROM sweep_positions WHERE log_partition = ?";

    // shard_reports
    PutShardReport: Write
        "INSERT INTO shard_reports (log_partition, generation, body) VALUES (?, ?, ?)";
    ReadShardReport: Read
        "SELECT body FROM shard_reports WHERE log_partition = ? LIMIT 1";

    // refund_ledger
    ReadLedger: SerialRead
        "SELECT refund_no, version, trade_no, minor, calling_number, calling_token FROM refund_ledger \
         WHERE merchant_id = ? AND order_no = ?";
    PutLedgerRow: Conditional
        "UPDATE refund_ledger SET version = ?, trade_no = ?, minor = ?, calling_number = ?, calling_token = ? \
         WHERE merchant_id = ? AND order_no = ? AND refund_no = ? IF version = ?";
}
