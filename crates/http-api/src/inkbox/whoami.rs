//! What a key resolves to (inkbox.md §3).

use super::api_keys::own_record;
use super::call::Caller;
use super::failure::Answer;
use super::operations::Operation;
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::get;
use serde::Serialize;

pub(super) const OPERATIONS: &[Operation] = &[Operation::get("whoami", "/whoami", || get(whoami))];

/// Times are seconds since 1970 here, and here alone.
#[derive(Debug, Serialize)]
struct Whoami {
    auth_type: &'static str,
    auth_subtype: &'static str,
    organization_id: String,
    key_id: String,
    label: String,
    description: Option<String>,
    scope: &'static str,
    created_by: String,
    creator_type: &'static str,
    created_at: Seconds,
    last_used_at: Option<Seconds>,
    expires_at: Option<Seconds>,
}

/// Milliseconds, shown as seconds with a fraction.
#[derive(Debug, Clone, Copy)]
struct Seconds(i64);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact: milliseconds of any date fit the 53 bits of a double.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

async fn whoami(Shared(state): Shared<State>, caller: Caller) -> Answer<Json<Whoami>> {
    let record = own_record(&state, &caller).await?;
    let (auth_subtype, scope) = match caller.inbox_scope() {
        None => ("api_key.admin_scoped", "admin"),
        Some(_) => ("api_key.agent_scoped.claimed", "agent"),
    };
    Ok(Json(Whoami {
        auth_type: "api_key",
        auth_subtype,
        organization_id: record.organization.to_string(),
        key_id: record.id.to_string(),
        label: record.name.unwrap_or_default(),
        description: record.description,
        scope,
        created_by: record
            .maker
            .map_or_else(|| record.organization.to_string(), |maker| maker.to_string()),
        creator_type: "human",
        created_at: Seconds(record.created_at),
        last_used_at: record.used_at.map(Seconds),
        expires_at: record.expires_at.map(Seconds),
    }))
}
