//! Looking whether the stores have changed.

use std::sync::Arc;

use super::server_state::ServerState;
use crate::error_chain::chain;

/// Looks again and again whether the stores have changed, and swaps the view if so. Requests go on
/// with what they began with.
pub(crate) async fn watch(state: Arc<ServerState>) {
    let mut reported = String::new();
    loop {
        tokio::time::sleep(state.settings.options().poll).await;
        let refreshing = Arc::clone(&state);
        let result = match tokio::task::spawn_blocking(move || refreshing.look()).await {
            Ok(result) => result.map_err(|error| chain(&error)),
            Err(error) => Err(error.to_string()),
        };
        match result {
            Ok(()) => reported.clear(),
            // The same trouble is reported once.
            Err(error) if error == reported => {}
            Err(error) => {
                tracing::error!(error, "cannot load what changed; the old state is served");
                reported = error;
            }
        }
    }
}
