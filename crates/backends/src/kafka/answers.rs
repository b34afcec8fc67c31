//! What became of records that were written together, as it is heard of each.

use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::ports::AppendError;
use tokio::sync::oneshot;

use crate::lengths::Appended;

/// What was heard so far.
#[derive(Debug)]
pub(super) struct Answers(Mutex<State>);

#[derive(Debug)]
struct State {
    heard: Vec<Option<Appended>>,
    awaited: usize,
    /// Is told when nothing more is awaited.
    all: Option<oneshot::Sender<()>>,
}

/// Where the outcome of one record is told; when this goes untold, there will be none.
#[derive(Debug)]
pub(super) struct Answer {
    answers: Arc<Answers>,
    place: usize,
    outcome: Option<Appended>,
}

impl Answers {
    /// For so many records: where the outcome of each is told, and what ends when all were.
    pub(super) fn new(count: usize) -> (Arc<Self>, impl Iterator<Item = Answer>, oneshot::Receiver<()>) {
        let (all, told) = oneshot::channel();
        let state = State { heard: vec![None; count], awaited: count, all: (count > 0).then_some(all) };
        let answers = Arc::new(Self(Mutex::new(state)));
        let of = Arc::clone(&answers);
        let answer = move |place| Answer { answers: Arc::clone(&of), place, outcome: None };
        (answers, (0..count).map(answer), told)
    }

    /// The outcomes in the order of the records; of what nothing was heard `else_unknown` tells why.
    pub(super) fn take(&self, else_unknown: &str) -> Vec<Appended> {
        let heard = std::mem::take(&mut self.0.lock().heard);
        let unknown = || Err(AppendError::Unknown(else_unknown.to_owned()));
        heard.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect()
    }
}

impl Answer {
    /// Tells the outcome.
    pub(super) fn tell(mut self, outcome: Appended) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = self.answers.0.lock();
        if let (Some(place), Some(outcome)) = (state.heard.get_mut(self.place), self.outcome.take()) {
            *place = Some(outcome);
        }
        state.awaited = state.awaited.saturating_sub(1);
        if state.awaited == 0
            && let Some(all) = state.all.take()
        {
            // Whoever waited may have gone.
            let _gone = all.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outcomes_stand_in_the_order_of_their_records_and_end_when_nothing_more_can_be_heard() {
        let (answers, each, mut all) = Answers::new(3);
        let mut each: Vec<Answer> = each.collect();
        each.pop().expect("the third").tell(Ok(9));
        drop(each.pop());
        assert!(all.try_recv().is_err(), "one is still awaited");
        each.pop().expect("the first").tell(Err(AppendError::NotAppended("full".to_owned())));
        all.await.expect("it ends");
        let refused = Err(AppendError::NotAppended("full".to_owned()));
        let unknown = Err(AppendError::Unknown("the producer has ended".to_owned()));
        assert_eq!(answers.take("the producer has ended"), [refused, unknown, Ok(9)]);
    }
}
