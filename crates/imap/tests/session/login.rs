//! Every way to log in, with a client that does its part of SCRAM itself.

use crate::client::{Client, World};
use hmac::{Hmac, KeyInit, Mac};
use postroom_wire::{ChannelBinding, base64_decode, base64_encode};
use sha2::{Digest, Sha256};

const BINDING: ChannelBinding = ChannelBinding([7; 32]);

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn xor(mut one: [u8; 32], other: [u8; 32]) -> [u8; 32] {
    one.iter_mut().zip(other).for_each(|(one, other)| *one ^= other);
    one
}

/// RFC 5802 §2.2 `Hi`.
fn salted(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()].concat());
    let mut all = last;
    for _ in 1..iterations {
        last = hmac(password.as_bytes(), &last);
        all = xor(all, last);
    }
    all
}

fn text(line: &str) -> String {
    let challenge = line.strip_prefix("+ ").expect("a challenge").trim_end();
    String::from_utf8(base64_decode(challenge.as_bytes()).unwrap()).unwrap()
}

/// Logs in; gives the tagged response. What the server proves itself with is looked at.
async fn scram(client: &mut Client, plus: bool, binding: ChannelBinding, password: &str) -> String {
    let (name, header) = match plus {
        true => ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,"),
        false => ("SCRAM-SHA-256", "n,,"),
    };
    let bare = "n=scout@example.test,r=fyko";
    let first = base64_encode(format!("{header}{bare}").as_bytes());
    let said = text(&client.say(&format!("a AUTHENTICATE {name} {first}")).await);
    let fields: Vec<_> = said.split(',').map(|field| &field[2..]).collect();
    let [nonce, salt, iterations] = fields[..] else {
        panic!("{said}")
    };
    assert!(nonce.starts_with("fyko") && nonce.len() > 20);
    let mut channel = header.as_bytes().to_vec();
    if plus {
        channel.extend_from_slice(&binding.0);
    }
    let last = format!("c={},r={nonce}", base64_encode(&channel));
    let auth_message = format!("{bare},{said},{last}");
    let salt = base64_decode(salt.as_bytes()).unwrap();
    let salted = salted(password, &salt, iterations.parse().unwrap());
    let client_key = hmac(&salted, b"Client Key");
    let proof = xor(client_key, hmac(&Sha256::digest(client_key), auth_message.as_bytes()));
    let told = client
        .say(&base64_encode(format!("{last},p={}", base64_encode(&proof)).as_bytes()))
        .await;
    if !told.starts_with("+ ") {
        return told;
    }
    let signature = hmac(&hmac(&salted, b"Server Key"), auth_message.as_bytes());
    assert_eq!(text(&told), format!("v={}", base64_encode(&signature)));
    client.say("").await
}

async fn secure(world: &World) -> Client {
    let mut client = world.connect().await;
    client.secure(BINDING).await;
    client
}

#[tokio::test]
async fn scram_with_and_without_binding() {
    let world = World::new().await;
    for secret in [&world.password, &world.api_key] {
        for plus in [false, true] {
            let mut client = secure(&world).await;
            let told = scram(&mut client, plus, BINDING, "wrong").await;
            assert!(told.starts_with("a NO [AUTHENTICATIONFAILED]"), "{told}");
            let told = scram(&mut client, plus, BINDING, secret.expose()).await;
            assert!(told.starts_with("a OK [CAPABILITY"), "{told}");
            let told = client.say("s SELECT INBOX").await;
            assert!(told.ends_with("s OK [READ-WRITE] SELECT completed\r\n"), "{told}");
        }
    }
    let mut client = secure(&world).await;
    let elsewhere = scram(&mut client, true, ChannelBinding([8; 32]), world.password.expose()).await;
    assert_eq!(
        elsewhere,
        "a NO [AUTHENTICATIONFAILED] Channel binding does not fit\r\n"
    );
}

#[tokio::test]
async fn tokens_with_and_without_user() {
    let world = World::new().await;
    let key = world.api_key.expose();
    for (mechanism, response, expected) in [
        ("OAUTHBEARER", format!("n,,\x01auth=Bearer {key}\x01\x01"), true),
        (
            "OAUTHBEARER",
            format!("n,a=scout@example.test,\x01auth=Bearer {key}\x01\x01"),
            true,
        ),
        (
            "OAUTHBEARER",
            format!("n,a=other@example.test,\x01auth=Bearer {key}\x01\x01"),
            false,
        ),
        ("OAUTHBEARER", "n,,\x01auth=Bearer ak_x\x01\x01".to_owned(), false),
        (
            "XOAUTH2",
            format!("user=scout@example.test\x01auth=Bearer {key}\x01\x01"),
            true,
        ),
        ("XOAUTH2", format!("user=\x01auth=Bearer {key}\x01\x01"), true),
    ] {
        let mut client = secure(&world).await;
        let response = base64_encode(response.as_bytes());
        let mut told = client.say(&format!("a AUTHENTICATE {mechanism} {response}")).await;
        if told.starts_with("+ ") {
            assert!(text(&told).contains("status"));
            told = client.say("AQ==").await;
        }
        assert_eq!(told.starts_with("a OK "), expected, "{told}");
    }
}

#[tokio::test]
async fn a_session_logged_in_by_proof_ends_with_its_secret() {
    let world = World::new().await;
    let mut client = secure(&world).await;
    scram(&mut client, true, BINDING, world.password.expose()).await;
    world
        .identity
        .rotate_credentials(world.inbox.id, postroom_identity::Rotate::Password)
        .await
        .unwrap();
    let told = client.listen().await;
    assert!(told.starts_with("* BYE ") && client.is_closed(), "{told}");
}
