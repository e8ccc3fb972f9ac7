//! One task for each thing of a set that changes: begun when the thing appears, told when it
//! changes, and ended when it is gone.

use std::collections::HashMap;
use std::hash::Hash;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Tasks by what they look after.
pub(super) struct Crew<K, T> {
    tasks: JoinSet<()>,
    members: HashMap<K, (watch::Sender<T>, AbortHandle)>,
}

impl<K: Hash + Eq + Clone, T> Crew<K, T> {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), members: HashMap::new() }
    }

    /// Makes the tasks those of `wanted`. `begin` gives the task of a thing that is new.
    ///
    /// CANCEL: a task whose thing is gone is dropped wherever it waits.
    pub(super) fn tend<F>(
        &mut self,
        mut wanted: HashMap<K, T>,
        begin: impl Fn(K, watch::Receiver<T>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        self.members.retain(|key, (tell, task)| match wanted.remove(key) {
            Some(thing) if !task.is_finished() => {
                tell.send_replace(thing);
                true
            }
            Some(_) | None => {
                task.abort();
                false
            }
        });
        for (key, thing) in wanted {
            let (tell, told) = watch::channel(thing);
            let task = self.tasks.spawn(begin(key.clone(), told));
            self.members.insert(key, (tell, task));
        }
    }
}
