//! TLS to strangers and to smarthosts.

use crate::network::Net;
use crate::peer::{Peer, Say, authority_and_server};
use crate::world::{domain, message, options, world};
use postroom_delivery::{Options, Route};
use postroom_types::{ReversePath, Secret};

const RELAY: &str = "192.31.196.50";

fn net(peer: &Peer) -> Net {
    let net = Net::default();
    net.domain("there.example", "192.31.196.1", peer);
    net
}

fn route(port: u16) -> Route {
    Route {
        sender_domain: None,
        recipient_domain: None,
        host: "relay.example".into(),
        port,
        implicit_tls: port == 465,
        login: Some(("user".into(), Secret::new("pass".to_owned()))),
    }
}

fn relay(peer: &Peer, port: u16) -> Net {
    let net = Net::default();
    net.host("relay.example", &[RELAY]);
    net.peer(&format!("{RELAY}:{port}"), peer);
    net
}

#[tokio::test(start_paused = true)]
async fn strangers_get_tls_whatever_their_certificate() {
    let (authority, server) = authority_and_server("mx.there.example");
    let (_, other) = authority_and_server("somebody.else.example");
    for (config, roots, expected) in [
        (&server, "", ""),
        (&server, authority.as_str(), " (verified)"),
        (&other, authority.as_str(), ""),
    ] {
        let peer = Peer::new().over_tls(config.clone(), false);
        let options = Options {
            extra_roots: roots.into(),
            ..options()
        };
        let world = world(net(&peer), options).await;
        let ended = world.send(&message(&["b@there.example"])).await;
        let tls = format!("TLSv1.3 TLS_AES_256_GCM_SHA384{expected}");
        assert_eq!(
            ended,
            [format!("Delivered 250 2.6.0 mx.there.example 192.31.196.1:25 {tls}")]
        );
        assert_eq!(peer.sessions(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn tls_that_breaks_is_followed_by_clear_text() {
    let (_, server) = authority_and_server("mx.there.example");
    let refusing =
        |heard: &crate::peer::Heard<'_>| (heard.line == "STARTTLS").then(|| Say::Reply("454 4.7.0 not now".into()));
    let closing = |heard: &crate::peer::Heard<'_>| (heard.line == "STARTTLS").then(|| Say::Last("220 go on".into()));
    let silent = |heard: &crate::peer::Heard<'_>| (heard.line == "STARTTLS").then_some(Say::Silence);
    for peer in [
        Peer::new().with(refusing),
        Peer::new().with(closing),
        Peer::new().with(silent),
    ] {
        let peer = peer.over_tls(server.clone(), false);
        let world = world(net(&peer), options()).await;
        let ended = world.send(&message(&["b@there.example"])).await;
        assert_eq!(ended, ["Delivered 250 2.6.0 mx.there.example 192.31.196.1:25"]);
        assert_eq!(peer.sessions(), 2, "the second without STARTTLS");
    }
}

/// What stands in clear behind STARTTLS is an attack or a broken server, and neither is talked to in clear.
#[tokio::test(start_paused = true)]
async fn an_injected_reply_is_not_followed_by_clear_text() {
    let (_, server) = authority_and_server("mx.there.example");
    let peer = Peer::new()
        .over_tls(server, false)
        .with(|heard| (heard.line == "STARTTLS").then(|| Say::Reply("220 go on\r\n250 injected".into())));
    let world = world(net(&peer), options()).await;
    let ended = world.send(&message(&["b@there.example"])).await;
    assert_eq!(ended, ["Queued 0 4.5.0 mx.there.example 192.31.196.1:25"]);
    assert_eq!(peer.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_smarthost_gets_everything_after_auth() {
    let (authority, server) = authority_and_server("relay.example");
    for port in [587, 465] {
        let peer = Peer::new().over_tls(server.clone(), port == 465);
        let options = Options {
            routes: vec![route(port)],
            extra_roots: authority.clone().into(),
            ..options()
        };
        let world = world(relay(&peer, port), options).await;
        let ended = world.send(&message(&["b@there.example", "c@there.example"])).await;
        let contact = format!("relay.example {RELAY}:{port} TLSv1.3 TLS_AES_256_GCM_SHA384 (verified)");
        assert_eq!(ended, vec![format!("Delivered 250 2.6.0 {contact}"); 2]);
        assert!(
            peer.lines().contains(&"AUTH PLAIN AHVzZXIAcGFzcw==".to_owned()),
            "{:?}",
            peer.lines()
        );
    }
}

/// The credentials are for one server only, and nothing goes there in clear.
#[tokio::test(start_paused = true)]
async fn a_smarthost_that_cannot_prove_itself_gets_nothing() {
    let (authority, server) = authority_and_server("relay.example");
    let (_, unknown) = authority_and_server("relay.example");
    let (other_authority, other) = authority_and_server("other.example");
    let tls = |config: &std::sync::Arc<rustls::ServerConfig>, port| Peer::new().over_tls(config.clone(), port == 465);
    for (peer, port, roots, expected) in [
        (tls(&unknown, 587), 587, &authority, "Queued 0 4.7.5"),
        (tls(&unknown, 465), 465, &authority, "Queued 0 4.7.5"),
        (tls(&other, 587), 587, &other_authority, "Queued 0 4.7.5"),
        (
            tls(&server, 587).replying("STARTTLS", "454 4.7.0 not now"),
            587,
            &authority,
            "Queued 454 4.7.0",
        ),
        (Peer::new(), 587, &authority, "Queued 0 4.5.0"),
        (
            tls(&server, 587).replying("AUTH", "535 5.7.8 who is AUTH PLAIN AHVzZXIAcGFzcw== ?"),
            587,
            &authority,
            "Queued 535 5.7.8",
        ),
    ] {
        let options = Options {
            routes: vec![route(port)],
            extra_roots: roots.clone().into(),
            ..options()
        };
        let world = world(relay(&peer, port), options).await;
        let sent = message(&["b@there.example"]);
        let ended = world.send(&sent).await;
        assert_eq!(ended, [format!("{expected} relay.example {RELAY}:{port}")]);
        let history = format!("{:?}", world.attempts(sent.id, 0).await);
        assert!(!history.contains("AHVzZXIAcGFzcw"), "{history}");
        assert!(
            !peer.lines().iter().any(|line| line.starts_with("MAIL")),
            "{:?}",
            peer.lines()
        );
        let asked = peer.lines().iter().any(|line| line.starts_with("AUTH"));
        assert_eq!(asked, expected.contains("535"), "{:?}", peer.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_matching_route_is_taken() {
    let (authority, server) = authority_and_server("relay.example");
    let relay_peer = Peer::new().over_tls(server, false);
    let direct = Peer::new();
    let net = relay(&relay_peer, 587);
    net.domain("there.example", "192.31.196.1", &direct);
    net.domain("elsewhere.example", "192.31.196.2", &direct);
    let by_sender = Route {
        sender_domain: Some(domain("branch.example")),
        ..route(587)
    };
    let by_recipient = Route {
        recipient_domain: Some(domain("elsewhere.example")),
        ..route(587)
    };
    let options = Options {
        routes: vec![by_sender, by_recipient],
        extra_roots: authority.into(),
        ..options()
    };
    let world = world(net, options).await;
    for (sender, recipient, relayed) in [
        ("a@here.example", "b@there.example", false),
        ("a@branch.example", "b@there.example", true),
        ("a@here.example", "b@there.example", false),
        ("a@here.example", "b@elsewhere.example", true),
    ] {
        let before = relay_peer.taken().len();
        let mut message = message(&[recipient]);
        message.reverse_path = ReversePath::Mailbox(crate::world::address(sender));
        assert!(world.send(&message).await[0].starts_with("Delivered "));
        assert_eq!(relay_peer.taken().len() > before, relayed, "{sender} to {recipient}");
    }
}
