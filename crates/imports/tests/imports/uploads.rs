//! Uploads are bounded.

use crate::world::{wish, world};
use postroom_imports::{Format, ImportError, Imports, Options};
use postroom_store::MemoryStore;
use std::sync::Arc;

#[tokio::test]
async fn uploads_are_one_a_job_and_bounded_for_all() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let inbox = world.scout.id;
    let (job, ticket) = world.imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    let token = ticket.token.expose();
    let mut upload = world.imports.upload(job.id, token, None).await.unwrap();
    assert!(matches!(
        world.imports.upload(job.id, token, None).await,
        Err(ImportError::State(_))
    ));
    // Who is cancelled goes no further, and leaves nothing.
    world.imports.cancel(inbox, job.id).await.unwrap();
    assert!(matches!(upload.write(b"x").await, Err(ImportError::NotAllowed)));
    drop(upload);
    assert_eq!(world.files().await, 0);
    // What waits is counted: two millions for all, of which a third file gets nothing.
    for _ in 0..2 {
        world.uploaded(&wish(Format::Auto), &[b'x'; 1_000_000]).await;
    }
    let (job, ticket) = world.imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    assert!(matches!(
        world.imports.upload(job.id, ticket.token.expose(), None).await,
        Err(ImportError::TooMuch)
    ));
    let options = Options {
        spare_octets: u64::MAX,
        ..Options::new(world.folder.clone())
    };
    let full = Imports::new(
        Arc::clone(&world.store),
        Arc::clone(&world.identity),
        Arc::clone(&world.intake),
        options,
    );
    assert!(matches!(
        full.upload(job.id, ticket.token.expose(), None).await,
        Err(ImportError::Full)
    ));
}
