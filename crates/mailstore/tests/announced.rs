//! What is received is told to the organization, in the commit that stores it and once.

mod common;

use common::{Fixture, add_inbox, message, numbered, placing};
use postroom_feed::{Cursor, Feed, ReceivedAs, What};
use postroom_mailstore::{Announce, MailError, MailboxRef, NewMessage, Origin, Placed, Placing};
use postroom_types::{InboxId, OrganizationId, SpecialUse};
use std::sync::Arc;
use std::time::Duration;

fn organization(n: u8) -> OrganizationId {
    OrganizationId::from_bytes([n; 16])
}

fn announced(inbox: InboxId, owner: u8, received_as: ReceivedAs, message: &NewMessage) -> Placing {
    Placing {
        announce: Some(Announce {
            organization: organization(owner),
            received_as,
        }),
        ..placing(inbox, MailboxRef::Inbox, message)
    }
}

/// Which messages an organization was told of, and of which inboxes.
async fn heard(f: &Fixture, owner: u8) -> Vec<(InboxId, What)> {
    // A hostile store may show the last commits late.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let feed = Feed::new(Arc::clone(&f.store), postroom_feed::Options::default());
    let page = feed.page(organization(owner), Cursor::START, 1000).await.unwrap();
    let told = |event: postroom_feed::Event| (event.inbox.unwrap(), event.what);
    page.events.into_iter().map(told).collect()
}

/// Delivers as those do who never lose a message: what may not be done is sent again.
async fn deliver(f: &Fixture, message: &NewMessage, placings: &[Placing]) -> Vec<Placed> {
    loop {
        match f.mail.deliver(message, placings.to_vec()).await {
            Ok(placed) => return placed,
            Err(MailError::Unavailable) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn received(placed: &Placed, received_as: ReceivedAs) -> (InboxId, What) {
    let message = placed.email_id;
    (placed.inbox, What::Received { message, received_as })
}

#[tokio::test]
async fn each_organization_hears_of_its_inboxes() {
    for seed in [None, Some(1), Some(2), Some(3)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let (same, other) = (add_inbox(&f.mail, 1 << 30).await, add_inbox(&f.mail, 1 << 30).await);
        let (mut ones, mut twos) = (Vec::new(), Vec::new());
        for number in 0..20 {
            let new = numbered(number, "");
            let placings = [
                announced(f.inbox, 1, ReceivedAs::Plain, &new),
                announced(other, 2, ReceivedAs::Blocked, &new),
                announced(same, 1, ReceivedAs::Unauthenticated, &new),
            ];
            let placed = deliver(&f, &new, &placings).await;
            ones.push(received(&placed[0], ReceivedAs::Plain));
            ones.push(received(&placed[2], ReceivedAs::Unauthenticated));
            twos.push(received(&placed[1], ReceivedAs::Blocked));
            // The same again, under other ids: nothing is stored, and nothing is told.
            let again = [announced(f.inbox, 1, ReceivedAs::Plain, &new)];
            assert!(deliver(&f, &new, &again).await[0].duplicate);
        }
        assert_eq!(heard(&f, 1).await, ones, "seed {seed:?}");
        assert_eq!(heard(&f, 2).await, twos, "seed {seed:?}");
    }
}

#[tokio::test]
async fn a_note_to_oneself_is_received_once() {
    for seed in [None, Some(4), Some(5)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let note = numbered(1, "");
        let sent = NewMessage {
            origin: Origin::Sent,
            ..note.clone()
        };
        let in_sent = placing(f.inbox, MailboxRef::Special(SpecialUse::Sent), &sent);
        let sent = deliver(&f, &sent, &[in_sent]).await;
        assert_eq!(heard(&f, 1).await, [], "what nobody is to be told");
        for _ in 0..2 {
            deliver(&f, &note, &[announced(f.inbox, 1, ReceivedAs::Plain, &note)]).await;
        }
        assert_eq!(
            heard(&f, 1).await,
            [received(&sent[0], ReceivedAs::Plain)],
            "seed {seed:?}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_is_not_told() {
    let f = Fixture::new().await;
    let full = add_inbox(&f.mail, 1).await;
    let (first, second) = (message("Subject: 1\r\n\r\n"), message("Subject: 2\r\n\r\n"));
    let to_both = |new| {
        vec![
            announced(f.inbox, 1, ReceivedAs::Plain, new),
            announced(full, 1, ReceivedAs::Plain, new),
        ]
    };
    assert_eq!(f.mail.deliver(&first, to_both(&first)).await.unwrap().len(), 2);
    let refused = f.mail.deliver(&second, to_both(&second)).await;
    assert!(matches!(refused, Err(MailError::OverQuota(inbox)) if inbox == full));
    assert_eq!(heard(&f, 1).await.len(), 2);
}
