//! Which addresses others may make us talk to: a URL that users name, a host that somebody's DNS names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far connections may go that somebody else chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Only the public network.
    #[default]
    Public,
    /// That, and this machine by its loopback addresses: for trying out.
    Loopback,
    /// Every host: also private networks and this machine.
    Everywhere,
}

impl Reach {
    /// Whether a connection may go to this address. What names a group, nobody or everybody never may.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        let address = plain(address);
        match self {
            Self::Public => is_public(address),
            Self::Loopback => is_public(address) || address.is_loopback(),
            Self::Everywhere => !(address.is_multicast() || address.is_unspecified() || is_broadcast(address)),
        }
    }
}

/// An IPv4 address inside an IPv6 one, mapped (RFC 4291 §2.5.5.2), translated (RFC 6052) or tunnelled (RFC 3056), counts
/// as itself: that is where the packets go.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [.., a, b] = v6.segments();
    let last = u32::from(a) << 16 | u32::from(b);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Ipv4Addr::from_bits(last).into(),
        [0x2002, high, low, ..] => Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into(),
        _ => address,
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// Neither this machine nor its neighbours, no group, nothing that RFC 6890 and its registries call not globally reachable.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
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
        || v4.is_documentation()
        || v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || a >= 240)
}

/// Only 2000::/3 is given out (RFC 4291 §2.4), without 2001::/23, which is for protocols (Teredo, benchmarks, hashes), and
/// without the ranges for documentation (RFC 3849, RFC 9637). The old forms with an IPv4 address at their end (::/96 and
/// ::ffff:0:0:0/96) lie outside.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    let protocol_assignments = first == 0x2001 && second < 0x0200;
    let documentation = (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second & 0xf000 == 0);
    first & 0xe000 == 0x2000 && !protocol_assignments && !documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_reached() {
        // Allowed by: public, loopback, everywhere.
        let check = |address: &str, expected: [bool; 3]| {
            let parsed: IpAddr = address.parse().expect("an address");
            let allowed = [Reach::Public, Reach::Loopback, Reach::Everywhere].map(|reach| reach.allows(parsed));
            assert_eq!(allowed, expected, "{address}");
        };
        for public in [
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.98.1",
            "192.175.48.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2620:4f:8000::1",
            "3fff:1000::1",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            check(public, [true, true, true]);
        }
        for loopback in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            check(loopback, [false, true, true]);
        }
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "240.0.0.1",
            "0.1.2.3",
            "fe80::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "::7f00:1",
            "::808:808",
            "::ffff:0:808:808",
            "64:ff9b::a00:1",
            "64:ff9b::c000:201",
            "64:ff9b:1::a00:1",
            "::ffff:169.254.169.254",
            "::ffff:198.18.0.1",
            "2002:a00:1::",
            "2002:a9fe:a9fe::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:0:808:808::f7f7:f7f7",
            "2001:1ff:ffff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
        ] {
            check(private, [false, false, true]);
        }
        for nobody in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "ff02::1",
            "::ffff:0.0.0.0",
            "::ffff:224.0.0.1",
            "2002:e000:1::1",
            "64:ff9b::ffff:ffff",
        ] {
            check(nobody, [false, false, false]);
        }
    }
}
