//! Ends the sessions of people who may not have any more, also while nobody looks at them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::access;
use crate::app::App;
use crate::ids::UserId;
use crate::session::SessionState;
use crate::store::StoreError;

/// How often it is looked at although nothing was heard of a change: accounts can be changed on the
/// server's machine without a word to this process.
const REVIEW_EVERY: Duration = Duration::from_secs(30);

/// Runs until the server ends.
pub(crate) async fn follow(app: App) {
    let mut rights = app.links.rights();
    let mut ticks = interval(REVIEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = ticks.tick() => {}
            Ok(()) = rights.changed() => {}
        }
        if let Err(error) = review(&app).await {
            tracing::error!(%error, "the owners of sessions could not be looked up");
        }
    }
}

async fn review(app: &App) -> Result<(), StoreError> {
    let sessions = app.links.sessions();
    if sessions.is_empty() {
        return Ok(());
    }
    let mut read = app.store.read().await?;
    let mut may: HashMap<UserId, bool> = HashMap::new();
    for session in &sessions {
        if may.contains_key(&session.view.owner) {
            continue;
        }
        let user = read.user(session.view.owner).await?;
        let still = user.is_some_and(|user| access::may_keep_sessions(&user.roles));
        may.insert(session.view.owner, still);
    }
    drop(read);
    for session in sessions {
        let lost = may.get(&session.view.owner) == Some(&false);
        if lost && session.view.state != SessionState::Ending {
            app.links
                .end_owned(session.device, session.view.owner)
                .await;
        }
    }
    Ok(())
}
