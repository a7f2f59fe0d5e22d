//! Walks against a name server in this process.

use super::*;
use crate::hickory::HickoryNetwork;
use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, SOA};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};

/// Serves `name KIND data` lines under `test.`; names elsewhere are refused.
async fn dns(lines: &[String]) -> (Server<Catalog>, SocketAddr) {
    let name = |text: &str| Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).expect("a name");
    let root = name("test");
    let mut zone = InMemoryZoneHandler::<hickory_server::net::runtime::TokioRuntimeProvider>::empty(
        root.clone(),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, 60);
    zone.upsert_mut(Record::from_rdata(root.clone(), 60, RData::SOA(soa)), 1);
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let data = match words[1..] {
            ["A", address] => RData::A(A(address.parse().expect("IPv4"))),
            ["AAAA", address] => RData::AAAA(AAAA(address.parse().expect("IPv6"))),
            ["CNAME", target] => RData::CNAME(CNAME(name(target))),
            ["MX", preference, "."] => RData::MX(MX::new(preference.parse().expect("a number"), Name::root())),
            ["MX", preference, host] => RData::MX(MX::new(preference.parse().expect("a number"), name(host))),
            _ => panic!("{line}"),
        };
        zone.upsert_mut(Record::from_rdata(name(words[0]), 60, data), 1);
    }
    let mut catalog = Catalog::new();
    catalog.upsert(root.into(), vec![Arc::new(zone)]);
    let mut server = Server::new(catalog);
    // The same port for both; somebody else may have one of them.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().expect("bound");
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(5), 65_535);
    (server, address)
}

/// Hosts here are at addresses of the AS112 project (RFC 7534, RFC 7535): public, and nobody's mail servers; those for
/// documentation are not public.
fn options() -> Options {
    Options {
        own_addresses: vec!["192.31.196.99".parse().expect("an address")],
        ..Options::new("us.test")
    }
}

/// All that a walk gives: `host address,address; host address`, or `! status permanent|for now`.
async fn walk_with(lines: &[String], domain: &str, options: &Options, seed: u64) -> String {
    let (_server, address) = dns(lines).await;
    let network = HickoryNetwork::new(&[address], Vec::new()).expect("a resolver");
    walk_over(&network, domain, options, seed).await
}

async fn walk_over(network: &dyn Network, domain: &str, options: &Options, seed: u64) -> String {
    let refused = |setback: Setback| {
        let how = if setback.permanent { "permanent" } else { "for now" };
        format!("! {} {how}", setback.reason.status)
    };
    let domain = Domain::parse(domain).expect("a domain");
    let mut walk = match Walk::begin(network, options, &domain, seed).await {
        Ok(walk) => walk,
        Err(setback) => return refused(setback),
    };
    let mut seen = Vec::new();
    while let Some(next) = walk.next().await {
        seen.push(match next {
            Ok(host) => {
                let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
                format!("{} {}", host.name, addresses.join(","))
            }
            Err(setback) => refused(setback),
        });
    }
    seen.join("; ")
}

async fn check(lines: &str, domain: &str, expected: &str) {
    let lines: Vec<String> = lines
        .split('|')
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(
        walk_with(&lines, domain, &options(), 1).await,
        expected,
        "{domain}: {lines:?}"
    );
}

const A_AND_B: &str = "a.test A 192.31.196.1 | b.test A 192.31.196.2 | us.test A 192.31.196.99";

#[tokio::test]
async fn hosts_by_preference() {
    let with = |lines: &str| format!("{A_AND_B} | {lines}");
    check(
        &with("d.test MX 20 b.test | d.test MX 10 a.test"),
        "d.test",
        "a.test 192.31.196.1; b.test 192.31.196.2",
    )
    .await;
    check(
        &with("a.test AAAA 2620:4f:8000::1 | d.test MX 10 a.test"),
        "d.test",
        "a.test 192.31.196.1,2620:4f:8000::1",
    )
    .await;
    check(
        &with("v6.test AAAA 2620:4f:8000::1 | d.test MX 10 v6.test"),
        "d.test",
        "v6.test 2620:4f:8000::1",
    )
    .await;
    // RFC 5321 §5.1 forbids an MX that names an alias; it is followed all the same, as everybody does.
    check(
        &with("c.test CNAME a.test | d.test MX 10 c.test"),
        "d.test",
        "c.test 192.31.196.1",
    )
    .await;
    check(
        &with("www.test CNAME d.test | d.test MX 10 a.test"),
        "www.test",
        "a.test 192.31.196.1",
    )
    .await;
    check(&with("d.test MX 10 a.test"), "D.TEST", "a.test 192.31.196.1").await;
    check(
        &with("xn--bcher-kva.test MX 10 a.test"),
        "bücher.test",
        "a.test 192.31.196.1",
    )
    .await;
}

#[tokio::test]
async fn no_mx_records() {
    check(A_AND_B, "a.test", "a.test 192.31.196.1").await;
    check(A_AND_B, "nowhere.test", "! 5.1.2 permanent").await;
    check("t.test CNAME nowhere.test", "t.test", "! 5.1.2 permanent").await;
    check("x.empty.test A 192.31.196.1", "empty.test", "! 5.4.4 permanent").await;
    check("d.test MX 0 .", "d.test", "! 5.1.10 permanent").await;
    check("d.test MX 10 .", "d.test", "! 5.1.10 permanent").await;
    check(A_AND_B, "other.example", "! 4.4.3 for now").await;
}

#[tokio::test]
async fn records_that_cannot_be_used() {
    let with = |lines: &str| format!("{A_AND_B} | {lines}");
    // The null MX beside others means nothing (RFC 7505 §3).
    check(
        &with("d.test MX 0 . | d.test MX 10 a.test"),
        "d.test",
        "a.test 192.31.196.1",
    )
    .await;
    check(
        &with("d.test MX 5 192.31.196.7 | d.test MX 10 a.test"),
        "d.test",
        "a.test 192.31.196.1",
    )
    .await;
    check(&with("d.test MX 5 192.31.196.7"), "d.test", "! 5.4.4 permanent").await;
    check(
        &with("d.test MX 5 gone.test | d.test MX 10 a.test"),
        "d.test",
        "! 5.4.4 permanent; a.test 192.31.196.1",
    )
    .await;
    check(
        &with("d.test MX 5 x.example | d.test MX 10 a.test"),
        "d.test",
        "! 4.4.3 for now; a.test 192.31.196.1",
    )
    .await;
    check(
        &with("l.test A 127.0.0.1 | d.test MX 5 l.test"),
        "d.test",
        "! 5.4.4 permanent",
    )
    .await;
    check(
        &with("l.test A 10.0.0.1 | l.test A 192.31.196.5 | d.test MX 5 l.test"),
        "d.test",
        "l.test 192.31.196.5",
    )
    .await;
}

#[tokio::test]
async fn ourselves_among_the_hosts() {
    let with = |lines: &str| format!("{A_AND_B} | {lines}");
    check(
        &with("d.test MX 5 a.test | d.test MX 10 us.test | d.test MX 20 b.test"),
        "d.test",
        "a.test 192.31.196.1",
    )
    .await;
    check(
        &with("d.test MX 10 us.test | d.test MX 10 a.test"),
        "d.test",
        "! 5.4.6 permanent",
    )
    .await;
    check(
        &with("alias.test A 192.31.196.99 | d.test MX 10 alias.test | d.test MX 20 b.test"),
        "d.test",
        "! 5.4.6 permanent",
    )
    .await;
    check(
        &with("alias.test A 192.31.196.99 | d.test MX 5 a.test | d.test MX 10 alias.test | d.test MX 20 b.test"),
        "d.test",
        "a.test 192.31.196.1",
    )
    .await;
    check(&with("alias.test A 192.31.196.99"), "alias.test", "! 5.4.6 permanent").await;
}

#[tokio::test]
async fn address_literals() {
    check("", "[192.31.196.5]", "192.31.196.5 192.31.196.5").await;
    check("", "[IPv6:2620:4f:8000::5]", "2620:4f:8000::5 2620:4f:8000::5").await;
    check("", "[127.0.0.1]", "! 5.4.4 permanent").await;
    check("", "[192.31.196.99]", "! 5.4.6 permanent").await;
}

#[tokio::test]
async fn private_hosts_only_when_allowed() {
    let options = Options {
        allow_private: true,
        ..options()
    };
    let lines = ["l.test A 127.0.0.1".to_owned()];
    assert_eq!(walk_with(&lines, "l.test", &options, 1).await, "l.test 127.0.0.1");
    // What is nobody or a group is no host, even so.
    for nobody in ["0.0.0.0", "224.0.0.1"] {
        let lines = [format!("l.test A {nobody}")];
        assert_eq!(walk_with(&lines, "l.test", &options, 1).await, "! 5.4.4 permanent");
    }
}

#[tokio::test]
async fn loops_and_silence_have_an_end() {
    let (_server, address) = dns(&["a.test CNAME b.test".to_owned(), "b.test CNAME a.test".to_owned()]).await;
    let network = HickoryNetwork::new(&[address], Vec::new()).expect("a resolver");
    let looping = walk_over(&network, "a.test", &options(), 1).await;
    assert!(looping.starts_with("! "), "{looping}");
    // A port where nobody answers: bound, but never read.
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let network = HickoryNetwork::new(&[silent.local_addr().expect("bound")], Vec::new()).expect("a resolver");
    let hasty = Options {
        lookup_timeout: Duration::from_millis(100),
        ..options()
    };
    assert_eq!(walk_over(&network, "a.test", &hasty, 1).await, "! 4.4.3 for now");
}

/// However many there are, some are used; which of equals, the seed says.
#[tokio::test]
async fn a_thousand_records() {
    let mut lines: Vec<String> = (0..1000).map(|n| format!("d.test MX 10 h{n}.test")).collect();
    lines.extend((0..1000).flat_map(|n| (1..=4).map(move |i| format!("h{n}.test A 192.31.196.{i}"))));
    let (_server, address) = dns(&lines).await;
    let network = HickoryNetwork::new(&[address], Vec::new()).expect("a resolver");
    let first = walk_over(&network, "d.test", &options(), 1).await;
    let addresses = first
        .split("; ")
        .filter(|host| host.contains(' '))
        .flat_map(|host| host.split(','));
    assert!(first.split("; ").count() <= MAX_HOSTS);
    assert_eq!(addresses.count(), MAX_ADDRESSES);
    assert_eq!(
        first,
        walk_over(&network, "d.test", &options(), 1).await,
        "the seed decides"
    );
    assert_ne!(
        first,
        walk_over(&network, "d.test", &options(), 2).await,
        "and nothing else"
    );
}
