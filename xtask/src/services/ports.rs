//! Ports that are free now, and that the kernel gives to nobody later.

use std::net::{IpAddr, TcpListener};

use anyhow::{Context, Result, ensure};

/// Where ports begin, and how many there are: below those that the kernel gives to connections and for port 0, so that
/// a member that was killed finds its ports again; and below those that the tests give to servers.
const PORTS: (u16, u16) = (10_000, 2_000);

/// Different ports, each free on all addresses.
///
/// # Errors
/// There are not so many.
pub(super) fn free(addresses: &[IpAddr], count: usize) -> Result<Vec<u16>> {
    let (first, all) = PORTS;
    // Each process begins elsewhere: another one may draw beside this one.
    let begin = std::process::id().wrapping_mul(37) % u32::from(all);
    let offset = u16::try_from(begin).context("an offset below the number of ports")?;
    let candidates = (0..all).map(|draw| first + (offset + draw) % all);
    let is_free = |port: &u16| addresses.iter().all(|address| TcpListener::bind((*address, *port)).is_ok());
    let ports: Vec<u16> = candidates.filter(is_free).take(count).collect();
    ensure!(ports.len() == count, "{} of {count} ports are free on {addresses:?}", ports.len());
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let addresses = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let ports = free(&addresses, 4).unwrap();
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(different.len(), 4);
        let (first, count) = PORTS;
        assert!(ports.iter().all(|port| (first..first + count).contains(port)));
        // A port that is taken on one address is none for all of them.
        let taken = TcpListener::bind((addresses[1], ports[0])).unwrap();
        assert!(!free(&addresses, 4).unwrap().contains(&ports[0]));
        drop(taken);
        assert!(free(&[IpAddr::from([203, 0, 113, 1])], 1).is_err());
    }
}
