use crate::crashes::Stopping;
use crate::setup::{World, to_ann};
use postroom_drafts::{DraftError, Group, NewDraft, Place, Scope, Wanted};
use postroom_identity::{CreateInbox, CreateOutcome};
use postroom_mailstore::{FlagMode, MailboxRef, Origin};
use postroom_store::MemoryStore;
use postroom_types::{Flag, Flags, InboxId, MessageFlags, SpecialUse};
use std::sync::atomic::Ordering;

pub(crate) fn all_of(inbox: InboxId) -> Wanted {
    wanted(Scope::Inbox(inbox))
}

fn wanted(scope: Scope) -> Wanted {
    Wanted {
        scope,
        labels: Vec::new(),
        since: None,
        before: None,
        ascending: false,
        after: None,
        group: Group::default(),
        limit: 100,
    }
}

/// All pages of a list, as the subjects on them.
async fn subjects(world: &World, wanted: &Wanted) -> Vec<String> {
    let mut wanted = wanted.clone();
    let mut all = Vec::new();
    loop {
        let page = world.drafts.list(&wanted).await.unwrap();
        assert!(page.drafts.len() <= wanted.limit);
        all.extend(page.drafts.iter().map(|draft| draft.summary.subject_text.clone()));
        match page.goes_on() {
            None => return all,
            Some((group, after)) => (wanted.group, wanted.after) = (group, after),
        }
    }
}

#[tokio::test]
async fn pages_of_one_inbox_and_of_many() {
    let world = World::new().await;
    let inboxes = [world.inbox("a").await, world.inbox("b").await, world.inbox("c").await];
    world.inbox("empty").await;
    let mut made = Vec::new();
    for number in 0..20 {
        // Some at the same moment.
        world.pass(if number % 3 == 0 { 1500 } else { 0 });
        let mut new = to_ann("x");
        new.letter.subject = Some(format!("{number:02}"));
        if number % 5 == 0 {
            new.labels = vec!["five".into()];
        }
        let inbox = &inboxes[number % 3];
        made.push((world.drafts.create(inbox, new).await.unwrap(), inbox.id));
    }
    let mut expected: Vec<(Place, String)> = made
        .iter()
        .map(|(draft, inbox)| {
            let place = Place {
                at: draft.updated_at,
                inbox: *inbox,
                uid: draft.record.uid,
            };
            (place, draft.summary.subject_text.clone())
        })
        .collect();
    expected.sort_unstable();
    let names = |keep: &dyn Fn(&Place, usize) -> bool| -> Vec<String> {
        let numbered = expected
            .iter()
            .filter(|(place, name)| keep(place, name.parse().unwrap()));
        numbered.map(|(_, name)| name.clone()).collect()
    };
    let pod = inboxes[0].pod;
    for limit in [1, 3, 7, 100] {
        for ascending in [false, true] {
            let check = async |scope: Scope, change: &dyn Fn(&mut Wanted), mut expected: Vec<String>| {
                if !ascending {
                    expected.reverse();
                }
                let mut list = Wanted {
                    limit,
                    ascending,
                    ..wanted(scope)
                };
                change(&mut list);
                assert_eq!(subjects(&world, &list).await, expected, "{list:?}");
            };
            let all = names(&|_, _| true);
            check(Scope::Organization(world.organization), &|_| {}, all.clone()).await;
            check(Scope::Pod(world.organization, pod), &|_| {}, all).await;
            let one = names(&|place, _| place.inbox == inboxes[1].id);
            check(Scope::Inbox(inboxes[1].id), &|_| {}, one).await;
            let fives = names(&|_, number| number % 5 == 0);
            let labelled = |list: &mut Wanted| list.labels = vec!["Five".into()];
            check(Scope::Organization(world.organization), &labelled, fives).await;
            let (since, before) = (expected[5].0.at, expected[14].0.at);
            let between = names(&|place, _| (since..before).contains(&place.at));
            let window = |list: &mut Wanted| (list.since, list.before) = (Some(since), Some(before));
            check(Scope::Organization(world.organization), &window, between).await;
        }
    }
    let elsewhere = world
        .identity
        .create_organization("Other", None)
        .await
        .unwrap()
        .organization
        .id;
    assert!(
        subjects(&world, &wanted(Scope::Organization(elsewhere)))
            .await
            .is_empty()
    );
    let nowhere = world.drafts.list(&all_of(InboxId::new())).await;
    assert!(matches!(nowhere, Err(DraftError::NotFound)), "{nowhere:?}");
}

#[tokio::test]
async fn scheduled_is_a_label() {
    let world = World::new().await;
    let inbox = world.inbox("a").await;
    world.drafts.create(&inbox, to_ann("x")).await.unwrap();
    let scheduled = NewDraft {
        send_at: Some(world.now() + 1000),
        ..to_ann("x")
    };
    let scheduled = world.drafts.create(&inbox, scheduled).await.unwrap();
    let list = Wanted {
        labels: vec!["scheduled".into()],
        ..all_of(inbox.id)
    };
    let found = world.drafts.list(&list).await.unwrap().drafts;
    assert_eq!(found.iter().map(|draft| draft.id).collect::<Vec<_>>(), [scheduled.id]);
}

/// Many drafts that a mail program marked as deleted, and many that are newer or older than what is asked for: each page is
/// the work of a bounded number of rows, and all pages together are the list.
#[tokio::test]
async fn one_page_is_bounded_work() {
    let counting = Stopping::after(MemoryStore::new(), usize::MAX, false);
    let world = World::on(counting.clone()).await;
    let inboxes = [world.inbox("a").await, world.inbox("b").await];
    let drafts = || MailboxRef::Special(SpecialUse::Drafts);
    let start = world.now();
    let mut expected = Vec::new();
    for number in 0..1500 {
        world.pass(1000);
        for (letter, inbox) in ["a", "b"].iter().zip(&inboxes) {
            let subject = format!("{letter}{number:04}");
            let content = format!("Subject: {subject}\nMessage-ID: <{subject}@x>\n\nx");
            let placed = world.put(inbox.id, Origin::Imported, drafts(), &content).await;
            if *letter == "a" && (10..1450).contains(&number) {
                let deleted = Flags::NONE.with(Flag::Deleted);
                let flags = MessageFlags::system(deleted);
                world
                    .mailstore
                    .store_flags(inbox.id, placed.mailbox, &[placed.uid], FlagMode::Add, &flags, None)
                    .await
                    .unwrap();
            } else {
                expected.push(subject);
            }
        }
    }
    let window = Wanted {
        since: Some(start + 5_500),
        before: Some(start + 20_500),
        ..wanted(Scope::Organization(world.organization))
    };
    let in_window: Vec<String> = expected
        .iter()
        .filter(|subject| (5..20).contains(&subject[1..].parse::<usize>().unwrap()))
        .cloned()
        .collect();
    for ascending in [false, true] {
        for (list, expected) in [
            (wanted(Scope::Organization(world.organization)), &expected),
            (window.clone(), &in_window),
        ] {
            let mut list = Wanted { ascending, ..list };
            let mut found = Vec::new();
            loop {
                let before = counting.rows.load(Ordering::Relaxed);
                let page = world.drafts.list(&list).await.unwrap();
                let rows = counting.rows.load(Ordering::Relaxed) - before;
                assert!(rows < 4000, "{rows} rows for {list:?}");
                found.extend(page.drafts.iter().map(|draft| draft.summary.subject_text.clone()));
                match page.next {
                    None => break,
                    next => list.after = next,
                }
            }
            let sorted = found.is_sorted_by(|one, other| match ascending {
                true => one[1..] <= other[1..],
                false => one[1..] >= other[1..],
            });
            assert!(sorted, "{found:?}");
            found.sort();
            let mut expected = expected.clone();
            expected.sort();
            assert_eq!(found, expected);
        }
    }
}

/// Of very many inboxes some are listed after the others, each group in its order: nothing is left out, nothing comes twice,
/// also if drafts come and go in between.
#[tokio::test]
async fn pages_of_very_many_inboxes() {
    let world = World::new().await;
    let mut inboxes = Vec::new();
    for number in 0..1100 {
        let wish = CreateInbox {
            username: Some(format!("agent-{number}")),
            credentials: false,
            ..CreateInbox::new(world.organization)
        };
        match world.identity.create_inbox(&wish).await.unwrap() {
            CreateOutcome::Created { inbox, .. } => inboxes.push(inbox.id),
            other => panic!("{other:?}"),
        }
    }
    let drafts = MailboxRef::Special(SpecialUse::Drafts);
    let save = async |at: usize, number: usize| {
        world.pass(1000);
        let content = format!("Subject: {number:04}\n\nx\n");
        world.put(inboxes[at], Origin::Draft, drafts, &content).await;
    };
    // The last ones have none.
    for number in 0..1090 {
        save(number, number).await;
    }
    let mut list = wanted(Scope::Organization(world.organization));
    let (mut all, mut groups, mut pages) = (Vec::new(), 0, 0);
    loop {
        let page = world.drafts.list(&list).await.unwrap();
        let subjects = page.drafts.iter().map(|draft| draft.summary.subject_text.clone());
        let subjects: Vec<String> = subjects.collect();
        assert!(subjects.is_sorted_by(|one, other| one > other), "{subjects:?}");
        all.extend(subjects);
        pages += 1;
        if pages == 3 {
            // In an inbox of the second group, which nothing was shown of yet, and in one of the first, before what is next.
            save(1095, 2000).await;
            save(10, 2001).await;
        }
        let Some((group, after)) = page.goes_on() else { break };
        groups += usize::from(group != list.group && after.is_none());
        (list.group, list.after) = (group, after);
    }
    assert_eq!(groups, 1);
    assert!(pages <= 13, "{pages}");
    all.sort_unstable();
    let expected = (0..1090).chain([2000]).map(|number| format!("{number:04}"));
    assert_eq!(all, expected.collect::<Vec<_>>());
}
