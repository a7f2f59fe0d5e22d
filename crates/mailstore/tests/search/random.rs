//! Random programs find what reading finds.

use crate::common::Fixture;
use crate::mailbox::Mailbox;
use crate::programs::program;
use postroom_mailstore::FlagMode;
use postroom_types::{Flag, Uid};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn searches_find_what_reading_finds(
        picks in proptest::collection::vec((prop_oneof![30 => 0..22usize, 1 => 22..26usize], any::<u8>(), -2..20i64), 1..14),
        programs in proptest::collection::vec(program(), 6),
        expunged in 0..14u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut mailbox = Mailbox::fill(Fixture::new().await, &picks).await;
            for (turn, program) in programs.iter().enumerate() {
                prop_assert_eq!(mailbox.found(program).await, mailbox.expected(program), "{:?}", program);
                if turn == 2 && let Some(uid) = Uid::new(expunged).filter(|uid| uid.get() as usize <= picks.len()) {
                    // Sessions that hold the mailbox were not told yet: it stays as it was.
                    let fixture = &mailbox.fixture;
                    fixture.flag(mailbox.id, uid, FlagMode::Add, Flag::Deleted).await;
                    fixture.mail.refresh(&mailbox.shared).await.unwrap();
                    let state = mailbox.shared.states(&[uid])[0].clone().unwrap();
                    let known = &mut mailbox.known[uid.get() as usize - 1];
                    (known.flags, known.modseq) = (state.flags, state.modseq);
                    fixture.mail.expunge(fixture.inbox, mailbox.id, &[uid], false).await.unwrap();
                    fixture.mail.refresh(&mailbox.shared).await.unwrap();
                }
            }
            mailbox.fixture.assert_consistent().await;
            Ok(())
        })?;
    }
}
