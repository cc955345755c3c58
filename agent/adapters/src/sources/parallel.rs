//! Waiting for many answers at once.
//!
//! Answers the results of a few futures in their own order, when all are done. It sets no time limit: each future has its
//! own. Written here because it is fifteen lines, and a task per question would need everything owned.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future that may borrow.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

enum Slot<'a, T> {
    Waiting(Boxed<'a, T>),
    Done(T),
}

/// Runs all futures on this task. Every wake-up looks at each that is not done, which is fine for some hundred.
pub(super) async fn in_parallel<'a, T: Unpin>(futures: impl Iterator<Item = Boxed<'a, T>>) -> Vec<T> {
    let mut slots: Vec<_> = futures.map(Slot::Waiting).collect();
    poll_fn(|context| {
        let mut all_done = true;
        for slot in &mut slots {
            let Slot::Waiting(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *slot = Slot::Done(value),
                Poll::Pending => all_done = false,
            }
        }
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let value = |slot| match slot {
        Slot::Done(value) => Some(value),
        Slot::Waiting(_) => None,
    };
    slots.into_iter().filter_map(value).collect()
}
