//! Panics that are expected: sled panics on some damage that it finds, and what is caught is no news for stderr.
//!
//! What always holds: only what panics on the calling thread, inside the call, is quiet; all else is told as it was before.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Inside such a call, the last panic's message.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Catches a panic without a word on stderr; its message and place.
pub(crate) fn catch_quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(hook);
    let before = CAUGHT.replace(Some(String::new()));
    let caught = catch_unwind(AssertUnwindSafe(work));
    let told = CAUGHT.replace(before).unwrap_or_default();
    caught.map_err(|_| told)
}

/// The hook there was goes on telling all other panics. It stays: taking it away again could take away another's.
fn hook() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_caught = CAUGHT.try_with(|caught| {
            let Ok(mut caught) = caught.try_borrow_mut() else {
                return false;
            };
            let Some(told) = caught.as_mut() else { return false };
            let place = info.location().map(|place| format!(" ({place})"));
            *told = format!("{}{}", message(info.payload()), place.unwrap_or_default());
            true
        });
        if !is_caught.unwrap_or(false) {
            tell(info);
        }
    }));
}

/// What a panic says, in one line that is not long.
fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let line = text.unwrap_or("a panic").lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn others_panics_are_told() {
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        // Installed before ours, whoever was first, so that ours hands on to it.
        HOOK.call_once(|| ());
        std::panic::set_hook(Box::new(move |_| _ = count.fetch_add(1, Ordering::SeqCst)));
        hook();
        let elsewhere = || std::thread::spawn(|| panic!("elsewhere")).join().is_err();
        let caught = catch_quietly(|| {
            assert!(elsewhere());
            assert_eq!(catch_quietly(|| 1), Ok(1));
            panic!("inner {}", 5)
        });
        let caught: String = caught.map(|(): ()| ()).expect_err("it panics");
        assert!(
            caught.starts_with("inner 5 (") && caught.contains("quiet.rs"),
            "{caught}"
        );
        assert_eq!(told.load(Ordering::SeqCst), 1);
        assert!(catch_unwind(|| panic!("not caught here")).is_err());
        assert_eq!(told.load(Ordering::SeqCst), 2);
    }
}
