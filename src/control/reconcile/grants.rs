//! Commands about bypasses: made and revoked.

use std::sync::Arc;

use super::Reconciler;
use crate::control::command::{Grant, Granted, Refused};
use crate::grant::Bypass;
use crate::window::state::Author;

impl Reconciler {
    /// Stores who is let through from now on, or not any more; shows it, answers.
    pub(super) async fn grant(&mut self, what: Grant, author: Author) -> Result<Granted, Refused> {
        let bypass = match what {
            Grant::Make(bypass) => {
                self.know_names(&bypass.scope)?;
                if let Some(window) = bypass.window
                    && self.books.window(window).is_none()
                {
                    return Err(Refused::NoWindow(window));
                }
                *bypass
            }
            Grant::Revoke(id) => {
                let known = self.books.bypasses.get(&id).ok_or(Refused::NoBypass(id))?;
                Bypass { revoked: Some(self.now), ..(**known).clone() }
            }
        };
        // ORDER: durable before visible before answered, as with windows.
        if let Err(error) = self.parts.store.keep_bypass(bypass.clone()).await {
            tracing::error!(bypass = %bypass.id, %error, "a change of a bypass was not stored");
            return Err(Refused::Store(error));
        }
        let Author { by, why } = author;
        let revoked = bypass.revoked.is_some();
        tracing::info!(bypass = %bypass.id, revoked, by, why, "a bypass changed");
        let bypass = Arc::new(bypass);
        self.books.take_bypass(Arc::clone(&bypass));
        self.publish();
        Ok(Granted { bypass, generation: self.standing.borrow().generation })
    }
}
