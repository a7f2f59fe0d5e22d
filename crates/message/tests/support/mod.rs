//! A DNS server in this process, and a verdict asked of it.

use bytes::Bytes;
use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use postroom_message::{SmtpPeer, Verdict, Verifier};
use postroom_types::{EmailAddress, ReversePath};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};

/// Serves TXT records, given as (name, text), for as long as the server lives.
async fn dns(texts: &[(&str, &str)]) -> (Server<Catalog>, SocketAddr) {
    let root = Name::root();
    let mut zone = InMemoryZoneHandler::<hickory_server::net::runtime::TokioRuntimeProvider>::empty(
        root.clone(),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, 60);
    zone.upsert_mut(Record::from_rdata(root.clone(), 60, RData::SOA(soa)), 1);
    for (name, text) in texts {
        let pieces = text
            .as_bytes()
            .chunks(255)
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
            .collect();
        let name = Name::from_ascii(format!("{name}.")).unwrap();
        zone.upsert_mut(Record::from_rdata(name, 60, RData::TXT(TXT::new(pieces))), 1);
    }
    let host = Name::from_ascii("mail.football.example.com.").unwrap();
    zone.upsert_mut(Record::from_rdata(host, 60, RData::A(A(Ipv4Addr::LOCALHOST))), 1);
    let mut catalog = Catalog::new();
    catalog.upsert(root.into(), vec![Arc::new(zone)]);
    let mut server = Server::new(catalog);
    // The port has to be free for both.
    let (udp, tcp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(5), 4096);
    (server, address)
}

/// A way to a DNS server on which questions for names with the label `silent` are lost.
async fn lossy(server: SocketAddr) -> SocketAddr {
    let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = asked.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 4096];
        while let Ok((octets, from)) = asked.recv_from(&mut packet).await {
            let question = packet[..octets].to_ascii_lowercase();
            if question.windows(6).any(|window| window == b"silent") {
                continue;
            }
            let asking = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            asking.send_to(&packet[..octets], server).await.unwrap();
            let octets = asking.recv(&mut packet).await.unwrap();
            asked.send_to(&packet[..octets], from).await.unwrap();
        }
    });
    address
}

/// The verdict on a message, from a client called `mail.football.example.com`; nothing is heard
/// of names with the label `silent`.
pub(crate) async fn verdict(texts: &[(&str, &str)], from_ip: &str, mail_from: &str, content: Vec<u8>) -> Verdict {
    let (_server, server) = dns(texts).await;
    let peer = SmtpPeer {
        ip: from_ip.parse().unwrap(),
        client: "mail.football.example.com".into(),
        hostname: "mx.example.org".into(),
    };
    let reverse_path = match mail_from {
        "" => ReversePath::Null,
        text => ReversePath::Mailbox(EmailAddress::parse(text).unwrap()),
    };
    Verifier::dns(&[lossy(server).await])
        .unwrap()
        .verify(&peer, &reverse_path, &Bytes::from(content))
        .await
}
