//! Which addresses strangers may make us talk to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address lies in the public network: not this machine, not its neighbours, not a group, nothing that RFC 6890
/// and its registry call not globally reachable. An IPv4 address inside an IPv6 one (RFC 4291 §2.5.5, RFC 6052, RFC 3056)
/// counts as itself. The ranges for documentation belong to nobody, so they stay, for examples and tests.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let carrier_grade = a == 100 && b & 0xc0 == 64;
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let six_to_four_relay = (a, b, c) == (192, 88, 99);
    let benchmarks = a == 198 && b & 0xfe == 18;
    !(a == 0
        || carrier_grade
        || protocol_assignments
        || six_to_four_relay
        || benchmarks
        || v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || a >= 240)
}

/// Only 2000::/3 is given out (RFC 4291 §2.4), without 2001::/23, which is for protocols: Teredo, benchmarks, hashes.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    let protocol_assignments = first == 0x2001 && second < 0x0200;
    first & 0xe000 == 0x2000 && !protocol_assignments
}

fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = v6.octets();
    let at = |offset: usize| {
        Ipv4Addr::new(
            octets[offset],
            octets[offset + 1],
            octets[offset + 2],
            octets[offset + 3],
        )
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_network() {
        for public in [
            "192.0.2.1",
            "8.8.8.8",
            "100.128.0.1",
            "192.0.1.1",
            "192.88.98.1",
            "198.17.255.255",
            "198.20.0.1",
            "2001:db8::1",
            "2001:200::1",
            "2606:4700::1111",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for other in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fec0::1",
            "ff02::1",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "240.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:198.18.0.1",
            "::7f00:1",
            "::808:808",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "5f00::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(other.parse().expect("an address")), "{other}");
        }
    }
}
