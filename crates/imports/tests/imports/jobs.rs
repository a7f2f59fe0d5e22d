//! Whose a job is, and what may be done with it when.

use crate::world::{letter, mbox, wish, world};
use postroom_identity::OrganizationChange;
use postroom_imports::{Format, ImportError, Status};
use postroom_store::MemoryStore;
use postroom_types::InboxId;

#[tokio::test]
async fn who_may_do_what_and_when() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let (imports, inbox) = (&world.imports, world.scout.id);
    let (job, ticket) = imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    for wrong in ["", "wrong"] {
        assert!(matches!(
            imports.upload(job.id, wrong, None).await,
            Err(ImportError::NotAllowed)
        ));
    }
    assert!(matches!(imports.start(inbox, job.id).await, Err(ImportError::State(_))));
    let stranger = InboxId::new();
    assert!(matches!(
        imports.get(stranger, job.id).await,
        Err(ImportError::NoSuchJob)
    ));
    assert!(matches!(
        imports.cancel(stranger, job.id).await,
        Err(ImportError::NoSuchJob)
    ));
    // A new ticket ends the one before it.
    let renewed = imports.renew_upload(inbox, job.id).await.unwrap();
    assert!(imports.upload(job.id, ticket.token.expose(), None).await.is_err());
    let mut upload = imports.upload(job.id, renewed.token.expose(), None).await.unwrap();
    assert!(matches!(
        upload.write(&[0; 1_000_001]).await,
        Err(ImportError::TooLarge(1_000_000))
    ));
    drop(upload);
    assert_eq!(world.files().await, 0);
    let cancelled = imports.cancel(inbox, job.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(matches!(
        imports.cancel(inbox, job.id).await,
        Err(ImportError::State(_))
    ));
    assert!(matches!(
        imports.upload(job.id, renewed.token.expose(), None).await,
        Err(ImportError::NotAllowed)
    ));

    for _ in 0..5 {
        imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    }
    assert!(matches!(
        imports.create(inbox, &wish(Format::Auto)).await,
        Err(ImportError::TooMany)
    ));
    let first = imports.list(inbox, None, 4).await.unwrap();
    let last = first.jobs.last().unwrap().id;
    let second = imports.list(inbox, Some(last), 4).await.unwrap();
    assert_eq!(
        (first.jobs.len(), first.more, second.jobs.len(), second.more),
        (4, true, 2, false)
    );
    assert_eq!(second.jobs[1].id, job.id);
}

#[tokio::test]
async fn a_cancelled_job_goes_no_further_and_a_hidden_inbox_waits() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let inbox = world.scout.id;
    let queued = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, queued).await.unwrap();
    world.imports.cancel(inbox, queued).await.unwrap();
    world.work().await;
    assert!(world.subjects().await.is_empty() && world.files().await == 0);

    let job = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, job).await.unwrap();
    let organization = world.scout.organization;
    world.identity.delete_organization(organization).await.unwrap();
    world.work().await;
    assert_eq!(world.files().await, 1);
    world.identity.restore_organization(organization).await.unwrap();
    let suspended = OrganizationChange {
        suspended: Some(true),
        ..OrganizationChange::default()
    };
    world
        .identity
        .update_organization(organization, &suspended)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.subjects().await.len(), 5);
    let waits = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, waits).await.unwrap();
    world.identity.delete_inbox(inbox).await.unwrap();
    world.work().await;
    assert_eq!(world.files().await, 0);
    assert!(matches!(
        world.imports.get(inbox, waits).await,
        Err(ImportError::NoSuchJob)
    ));
}
