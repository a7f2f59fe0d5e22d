//! SCRAM proofs and bearer tokens: what opens what, and that it is all the same as with the secret itself.

use crate::setup::{create, identity, on, tenant};
use crate::who::{SOURCE, cases, succeeded};
use aws_lc_rs::pbkdf2;
use hmac::{Hmac, KeyInit, Mac};
use postroom_identity::{Identity, KeyScope, Login, LoginError, LoginLimits, Purpose, Rotate};
use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
use postroom_types::Secret;
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;

const AUTH_MESSAGE: &[u8] = b"n=user,r=a,r=ab,s=,i=1,c=biws,r=ab";

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// What a client with this secret proves, and what it expects of the server (RFC 5802 §3).
fn client(identity: &Identity, secret: &str) -> ([u8; 32], [u8; 32]) {
    let parameters = identity.scram_parameters().expect("the server has started");
    assert!(parameters.iterations >= 4096 && parameters.salt.len() >= 16);
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(parameters.iterations).unwrap();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &parameters.salt,
        secret.as_bytes(),
        &mut salted,
    );
    let mut proof = hmac(&salted, b"Client Key");
    let signature = hmac(&Sha256::digest(proof).into(), AUTH_MESSAGE);
    proof
        .iter_mut()
        .zip(signature)
        .for_each(|(key, signature)| *key ^= signature);
    (proof, hmac(&hmac(&salted, b"Server Key"), AUTH_MESSAGE))
}

async fn prove(identity: &Identity, user: &str, secret: &str) -> Result<Login, LoginError> {
    prove_for(identity, user, secret, Purpose::Smtp).await
}

pub(crate) async fn prove_for(
    identity: &Identity,
    user: &str,
    secret: &str,
    purpose: Purpose,
) -> Result<Login, LoginError> {
    let (proof, expected) = client(identity, secret);
    let proved = identity.login_with_proof(user, AUTH_MESSAGE, &proof, SOURCE, purpose);
    let (login, signature) = proved.await?;
    assert_eq!(signature, expected, "the server knows the keys");
    assert!(identity.credentials_current(&login).await.unwrap());
    Ok(login)
}

async fn proves(identity: &Identity, user: &str, secret: &str) -> bool {
    let login = prove(identity, user, secret).await;
    succeeded(identity, user, login).await
}

#[tokio::test]
async fn who_may_log_in_by_proof() {
    let identity = identity().await;
    let (scout, cases) = cases(&identity).await;
    for (user, secret, expected) in cases {
        let shown = secret.get(..3).unwrap_or("");
        assert_eq!(proves(&identity, user, &secret).await, expected, "{user} {shown}");
    }
    let pause = postroom_identity::InboxChange {
        send_paused: Some(true),
        ..Default::default()
    };
    identity.update_inbox(scout.inbox.id, &pause).await.unwrap();
    assert!(proves(&identity, &scout.user(), scout.password.expose()).await);
}

#[tokio::test]
async fn organization_keys_can_be_kept_out_of_proofs() {
    let identity = on(MemoryStore::new(), |options| options.organization_key_login = false);
    identity.bootstrap().await.unwrap();
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let key = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    assert!(!proves(&identity, &scout.user(), key.secret.expose()).await);
    assert!(proves(&identity, &scout.user(), scout.api_key.expose()).await);
}

#[tokio::test]
async fn rotation_and_deletion_end_proofs() {
    let identity = identity().await;
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let by_password = prove(&identity, &scout.user(), scout.password.expose()).await.unwrap();
    let by_key = prove(&identity, &scout.user(), scout.api_key.expose()).await.unwrap();
    let current = async |login| identity.credentials_current(login).await.unwrap();

    let rotated = identity
        .rotate_credentials(scout.inbox.id, Rotate::ApiKey)
        .await
        .unwrap();
    assert_eq!((current(&by_password).await, current(&by_key).await), (true, false));
    assert!(!proves(&identity, &scout.user(), scout.api_key.expose()).await);
    assert!(proves(&identity, &scout.user(), rotated.api_key.unwrap().expose()).await);

    let rotated = identity
        .rotate_credentials(scout.inbox.id, Rotate::Password)
        .await
        .unwrap();
    assert!(!current(&by_password).await);
    assert!(!proves(&identity, &scout.user(), scout.password.expose()).await);
    let password = rotated.password.unwrap();
    assert!(proves(&identity, &scout.user(), password.expose()).await);

    identity.delete_inbox(scout.inbox.id).await.unwrap();
    assert!(!proves(&identity, &scout.user(), password.expose()).await);
}

#[tokio::test]
async fn the_salt_outlives_a_restart() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    assert!(identity.scram_parameters().is_none());
    identity.bootstrap().await.unwrap();
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    let again = on(store, |_| {});
    again.bootstrap().await.unwrap();
    assert_eq!(again.scram_parameters(), identity.scram_parameters());
    assert!(proves(&again, &scout.user(), scout.password.expose()).await);
}

/// Takes the SCRAM keys out of all rows, as if they had been written before there were any.
async fn age(store: &MemoryStore) {
    for (key, value) in scan_prefix(store, b"i").collect().await.unwrap() {
        let Some(mut row) = serde_json::from_slice::<serde_json::Value>(&value[1..]).ok() else {
            continue;
        };
        let Some(fields) = row.as_object_mut() else { continue };
        if fields.remove("scram").is_none() {
            continue;
        }
        let row = if key.starts_with(b"is") {
            fields["hash"].clone()
        } else {
            row
        };
        let old = [&value[..1], &serde_json::to_vec(&row).unwrap()].concat();
        let mut builder = CommitBuilder::new();
        builder.replace(key, value, old);
        store.commit(builder.build()).await.unwrap();
    }
}

#[tokio::test]
async fn older_secrets_get_their_keys_when_they_are_shown() {
    let store = MemoryStore::new();
    let identity = on(store.clone(), |_| {});
    identity.bootstrap().await.unwrap();
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    age(&store).await;
    for secret in [&scout.password, &scout.api_key] {
        assert!(!proves(&identity, &scout.user(), secret.expose()).await);
        let wrong = identity
            .login(&scout.user(), &Secret::new("x".into()), SOURCE, Purpose::Imap)
            .await;
        assert!(matches!(wrong, Err(LoginError::Wrong)));
        assert!(!proves(&identity, &scout.user(), secret.expose()).await);
        identity
            .login(&scout.user(), secret, SOURCE, Purpose::Imap)
            .await
            .unwrap();
        assert!(proves(&identity, &scout.user(), secret.expose()).await);
    }
}

#[tokio::test]
async fn wrong_proofs_are_limited_with_wrong_passwords() {
    let limits = LoginLimits {
        per_address: 2,
        ..LoginLimits::default()
    };
    let identity = on(MemoryStore::new(), |options| options.login_limits = Some(limits));
    identity.bootstrap().await.unwrap();
    let id = tenant(&identity, "A").await.organization.id;
    let scout = create(&identity, id, "scout").await;
    for _ in 0..5 {
        assert!(proves(&identity, &scout.user(), scout.password.expose()).await);
    }
    for user in [scout.user(), "nobody@example.test".into()] {
        assert!(!proves(&identity, &user, "wrong").await);
        let wrong = Secret::new("wrong".to_owned());
        let second = identity.login(&user, &wrong, SOURCE, Purpose::Smtp).await;
        assert!(matches!(second, Err(LoginError::Wrong)));
        let third = prove(&identity, &user, "wrong").await;
        assert!(matches!(third, Err(LoginError::RateLimited { .. })), "{third:?}");
        let fourth = identity
            .login_with_token(Some(&user), &wrong, SOURCE, Purpose::Smtp)
            .await;
        assert!(matches!(fourth, Err(LoginError::RateLimited { .. })), "{fourth:?}");
    }
}

#[tokio::test]
async fn tokens() {
    let identity = identity().await;
    let new = tenant(&identity, "A").await;
    let id = new.organization.id;
    let scout = create(&identity, id, "scout").await;
    let other = create(&identity, id, "other").await;
    let organization = identity.create_key(&KeyScope::Organization(id), None).await.unwrap();
    let (scout_user, other_user) = (scout.user(), other.user());
    let user = Some(scout_user.as_str());
    for (user, token, expected) in [
        (None, &scout.api_key, true),
        (user, &scout.api_key, true),
        (user, &organization.secret, true),
        (None, &organization.secret, false),
        (Some(other_user.as_str()), &scout.api_key, false),
        (Some("nobody@example.test"), &scout.api_key, false),
        (user, &scout.password, false),
        (None, &scout.password, false),
        (user, &new.api_key, false),
        (None, &new.api_key, false),
        (None, &Secret::new("ak_unknown".to_owned()), false),
        (None, &Secret::new(String::new()), false),
    ] {
        let shown = token.expose().get(..3).unwrap_or("");
        match identity.login_with_token(user, token, SOURCE, Purpose::Smtp).await {
            Ok(login) => {
                assert!(expected, "{user:?} {shown}");
                assert_eq!(login.inbox.id, scout.inbox.id);
                assert!(identity.credentials_current(&login).await.unwrap());
            }
            Err(LoginError::Wrong) => assert!(!expected, "{user:?} {shown}"),
            Err(error) => panic!("{error}"),
        }
    }
    let login = identity
        .login_with_token(None, &scout.api_key, SOURCE, Purpose::Imap)
        .await
        .unwrap();
    identity.delete_inbox(scout.inbox.id).await.unwrap();
    assert!(!identity.credentials_current(&login).await.unwrap());
    let after = identity
        .login_with_token(None, &scout.api_key, SOURCE, Purpose::Imap)
        .await;
    assert!(matches!(after, Err(LoginError::Wrong)));
}
