//! Progress notifications, for a client that sent a token.

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::{mpsc, oneshot};

use crate::api::JsonOnly;
use crate::calls::Progress;

/// Sends on what a call reports, in its order.
pub(super) struct Reporter(Option<mpsc::UnboundedSender<Step>>);

enum Step {
    Report {
        done: f64,
        total: Option<f64>,
        message: String,
    },
    /// Everything before this has been sent.
    Flush(oneshot::Sender<()>),
}

impl Reporter {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Reporter {
        let Some(token) = context.meta.get_progress_token().filter(|_| reads_events(context)) else {
            return Reporter(None);
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(forward(receiver, context.peer.clone(), token));
        Reporter(Some(sender))
    }

    /// Where the call reports to.
    pub(super) fn progress(&self) -> Progress {
        let Some(sender) = self.0.clone() else { return Progress::none() };
        Progress::to(move |done, total, message| {
            drop(sender.send(Step::Report { done, total, message: message.to_owned() }));
        })
    }

    /// Waits until all that was reported is on its way: nothing may follow the answer.
    pub(super) async fn finish(self) {
        let Some(sender) = self.0 else { return };
        let (flushed, done) = oneshot::channel();
        drop(sender.send(Step::Flush(flushed)));
        drop(done.await);
    }
}

/// Over HTTP a notification makes the answer a stream of events, which not every client reads.
fn reads_events(context: &RequestContext<RoleServer>) -> bool {
    let parts = context.extensions.get::<::http::request::Parts>();
    parts.is_none_or(|parts| parts.extensions.get::<JsonOnly>().is_none())
}

async fn forward(mut steps: mpsc::UnboundedReceiver<Step>, peer: Peer<RoleServer>, token: ProgressToken) {
    let mut scale = Scale::default();
    while let Some(step) = steps.recv().await {
        let (done, total, message) = match step {
            Step::Report { done, total, message } => (done, total, message),
            Step::Flush(flushed) => {
                // Nobody waits any more when the caller is gone.
                let _ = flushed.send(());
                return;
            }
        };
        let Some((done, total)) = scale.place(done, total) else { continue };
        let mut notification = ProgressNotificationParam::new(token.clone(), done).with_message(message);
        notification.total = total;
        if peer.notify_progress(notification).await.is_err() {
            return;
        }
    }
}

/// Work of several parts begins each at zero, but the protocol wants a value that only grows.
#[derive(Default)]
struct Scale {
    /// What the finished parts came to.
    before: f64,
    /// How far the present part is.
    here: f64,
    said: Option<f64>,
}

impl Scale {
    /// The value and total to send, or nothing when there is no more to tell than before.
    fn place(&mut self, done: f64, total: Option<f64>) -> Option<(f64, Option<f64>)> {
        if done < self.here {
            self.before += self.here;
        }
        self.here = done;
        let value = self.before + done;
        if self.said.is_some_and(|said| value <= said) {
            return None;
        }
        self.said = Some(value);
        Some((value, total.map(|total| self.before + total)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_parts_make_one_growing_value() {
        let mut scale = Scale::default();
        let sent: Vec<_> = [(0.0, 50.0), (50.0, 50.0), (0.0, 7.0), (7.0, 7.0), (7.0, 7.0)]
            .into_iter()
            .filter_map(|(done, total)| scale.place(done, Some(total)))
            .collect();
        assert_eq!(sent, [(0.0, Some(50.0)), (50.0, Some(50.0)), (57.0, Some(57.0))]);
    }
}
