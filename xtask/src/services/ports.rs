//! Ports that are free now.

use std::net::{IpAddr, TcpListener};

use anyhow::{Context, Result, bail};

/// Draws until a port is free on all addresses.
const DRAWS_MAX: usize = 100;

/// Different ports, each free on all addresses.
///
/// # Errors
/// No address can be bound, or no such ports are found.
pub(super) fn free<const N: usize>(addresses: &[IpAddr]) -> Result<[u16; N]> {
    let first = addresses.first().context("no address")?;
    let mut ports = [0; N];
    // Held until all are drawn, so that none is drawn twice.
    let mut held = Vec::new();
    for port in &mut ports {
        let drawn = (0..DRAWS_MAX).find_map(|_| {
            let listener = TcpListener::bind((*first, 0)).ok()?;
            let port = listener.local_addr().ok()?.port();
            let others = addresses.iter().skip(1).map(|address| TcpListener::bind((*address, port)));
            let others = others.collect::<Result<Vec<_>, _>>().ok()?;
            Some((port, listener, others))
        });
        let Some((free, listener, others)) = drawn else { bail!("no port is free on {addresses:?}") };
        held.push((listener, others));
        *port = free;
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let ports: [u16; 4] = free(&[here, IpAddr::from([127, 0, 0, 2])]).unwrap();
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(different.len(), ports.len());
        assert!(TcpListener::bind((here, ports[0])).is_ok());
        assert!(free::<1>(&[]).is_err());
    }
}
