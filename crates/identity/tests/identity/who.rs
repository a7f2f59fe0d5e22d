//! Who may log in with what: the same, however it is proved.

use crate::setup::{Made, create, tenant};
use postroom_identity::{Identity, KeyScope, Login, LoginError};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Whether a login succeeded: then it is to the inbox of this user, and it counts.
pub(crate) async fn succeeded(identity: &Identity, user: &str, login: Result<Login, LoginError>) -> bool {
    match login {
        Ok(login) => {
            assert_eq!(login.inbox.canonical.to_string(), user.to_ascii_lowercase());
            assert!(identity.credentials_current(&login).await.unwrap());
            true
        }
        Err(LoginError::Wrong) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Scout's inbox, and users with secrets, of which some log in to it.
pub(crate) async fn cases(identity: &Identity) -> (Made, Vec<(&'static str, String, bool)>) {
    let new = tenant(identity, "A").await;
    let id = new.organization.id;
    let scout = create(identity, id, "scout").await;
    let other = create(identity, id, "other").await;
    identity
        .add_address(scout.inbox.id, "alias@example.test", true)
        .await
        .unwrap();
    let key = async |scope| identity.create_key(&scope, None).await.unwrap().secret.expose().clone();
    let own = KeyScope::Inbox(id, scout.inbox.id);
    let pod = KeyScope::Pod(id, new.default_pod.id);
    let foreign = tenant(identity, "B").await.organization.id;
    let operator = identity.bootstrap().await.unwrap().organization;
    let (password, api_key) = (scout.password.expose(), scout.api_key.expose());
    let cases = vec![
        ("scout@example.test", password.clone(), true),
        ("SCOUT@Example.Test", password.clone(), true),
        ("scout@example.test", api_key.clone(), true),
        ("scout@example.test", key(own).await, true),
        ("scout@example.test", key(KeyScope::Organization(id)).await, true),
        ("alias@example.test", password.clone(), false),
        ("scout+x@example.test", password.clone(), false),
        ("scout", password.clone(), false),
        ("nobody@example.test", password.clone(), false),
        ("scout@example.test", other.password.expose().clone(), false),
        ("scout@example.test", other.api_key.expose().clone(), false),
        ("scout@example.test", new.api_key.expose().clone(), false),
        ("scout@example.test", key(pod).await, false),
        ("scout@example.test", key(KeyScope::Operator(operator)).await, false),
        ("scout@example.test", key(KeyScope::Organization(foreign)).await, false),
        ("scout@example.test", String::new(), false),
        ("", String::new(), false),
    ];
    (scout, cases)
}
