//! Keys of access: TLS of the doors, callers, audit log.

use super::{Absent, Key, Kind, int, key};

const PATH: Kind = Kind::Text { chars_max: 4096 };

const CERTIFICATE_FILE: Key = key(
    "certificate_file",
    PATH,
    Absent::Required("\"tls/server.pem\""),
    "The certificate chain (PEM), the server's own certificate first. A changed file is in force for new connections \
     within seconds.",
);

const PRIVATE_KEY_FILE: Key = key(
    "private_key_file",
    PATH,
    Absent::Required("\"tls/server.key\""),
    "The private key of the certificate (PEM).",
);

/// `[server.grpc_tls]`.
pub(crate) const GRPC_TLS: &[Key] = &[
    CERTIFICATE_FILE,
    PRIVATE_KEY_FILE,
    key(
        "client_ca_file",
        PATH,
        Absent::Optional("\"tls/clients-ca.pem\""),
        "The authorities (PEM) whose client certificates are taken. Absent: clients show none, callers are known by \
         their keys.",
    ),
    key(
        "client_certificate",
        Kind::Choice(&["optional", "required"]),
        Absent::Default("\"optional\""),
        "With client_ca_file: whether a connection without a client certificate is refused, health probes included.",
    ),
];

/// `[server.notify_tls]`.
pub(crate) const NOTIFY_TLS: &[Key] = &[CERTIFICATE_FILE, PRIVATE_KEY_FILE];

/// `[access]`.
pub(crate) const ACCESS: &[Key] = &[
    key(
        "allow_plaintext",
        Kind::Flag,
        Absent::Default("false"),
        "Let gRPC listen beyond loopback without TLS. Only where something else encrypts the way from every caller to \
         this process, such as the sidecars of a service mesh: keys travel in plain text otherwise.",
    ),
    key(
        "audit_file",
        PATH,
        Absent::Optional("\"/var/log/paymux/audit.jsonl\""),
        "The audit log: a JSON line before and one after each act of an operator, on the disk before the act and \
         before its answer. If it cannot be written, acts are refused. Required when a caller has the right operate.",
    ),
    int(
        "audit_mib_max",
        1,
        65_536,
        "64",
        "Size of one audit file in MiB; a full one becomes FILE.1, FILE.2 and so on.",
    ),
    int("audit_files_max", 1, 1000, "16", "Full audit files that are kept; older ones are removed."),
];

/// `[callers.NAME]`.
pub(crate) const CALLER: &[Key] = &[
    key(
        "key_sha256",
        Kind::Hashes,
        Absent::Optional("[\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"]"),
        "SHA-256 of the caller's bearer keys, which paymux caller key makes; two while a key is exchanged for a new one. \
         This or certificate_names, or both.",
    ),
    key(
        "certificate_names",
        Kind::Words,
        Absent::Optional("[\"uri:spiffe://cluster.local/ns/shop/sa/checkout\"]"),
        "Names in client certificates by which the caller is known without a key: dns:NAME or uri:URI for a subject \
         alternative name, cn:NAME for the common name. Needs server.grpc_tls.client_ca_file.",
    ),
    key(
        "rights",
        Kind::Words,
        Absent::Required("[\"submit\", \"read\"]"),
        "What the caller may do. submit: create, close, refund, ask again. read: read and watch. operate: all of \
         OperatorService, close and ask again; all of it in the audit log.",
    ),
    key(
        "merchants",
        Kind::Words,
        Absent::Required("[\"tea-house\"]"),
        "For which merchants, by their ids; [\"*\"] for all, also those that are configured later.",
    ),
    int(
        "requests_per_s",
        1,
        1_000_000,
        "1000",
        "Requests per second; each order of a SubmitOrders stream counts. More are answered CALLER_LIMITED.",
    ),
    int("burst", 1, 1_000_000, "1000", "Requests at once after a pause."),
    int(
        "concurrency_max",
        1,
        100_000,
        "256",
        "Calls under way at once; a stream counts as one. More are answered CALLER_LIMITED.",
    ),
];
