# syntax=docker/dockerfile:1
# The image of Paymux: the binary without simulators, the shared libraries that it is linked with, and the authorities
# that the system trusts. Nothing else: no shell, no package manager, nobody to log in as.
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked -p paymux --no-default-features --config 'profile.release.strip="debuginfo"' \
    && cp target/release/paymux /paymux
# What the loader asks for, with the folders that it lies in.
RUN mkdir /image \
    && ldd /paymux | grep --only-matching '/[^ ]*' | sort --unique | xargs -I{} cp --dereference --parents {} /image \
    && cp --dereference --parents /etc/ssl/certs/ca-certificates.crt /image \
    && cp /paymux /image/paymux \
    && printf 'hosts: files dns\n' > /image/etc/nsswitch.conf

FROM scratch
COPY --from=build /image /
# Where OpenSSL and rustls look for the authorities that are trusted.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/paymux"]
