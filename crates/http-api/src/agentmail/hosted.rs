//! What only makes sense for the hosted service (agentmail.md §20), answered as an organization without it is: no apps and
//! no accounts, and labs that one is not part of.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{EVERYWHERE, INBOX, ORGANIZATION, Operation, PAGED, SEARCHED};
use super::wire::Asked;
use axum::Json;
use axum::routing::{any, get, post};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("accounts.list", EVERYWHERE, "/accounts", || get(no_accounts))
        .asks(PAGED)
        .answers::<NoAccounts>(),
    Operation::get("accounts.get", EVERYWHERE, "/accounts/{account_id}", || get(nothing)),
    Operation::get("apps.list", ORGANIZATION, "/apps", || get(no_apps))
        .asks(PAGED)
        .answers::<NoApps>(),
    Operation::get("apps.search", ORGANIZATION, "/apps/search", || get(no_apps))
        .asks(SEARCHED)
        .answers::<NoApps>(),
    Operation::get("apps.get", ORGANIZATION, "/apps/{app_id}", || get(nothing)),
    Operation::get("apps.listAccounts", ORGANIZATION, "/apps/{app_id}/accounts", || {
        get(nothing)
    }),
    Operation::post("apps.connect", ORGANIZATION, "/apps/{app_id}/connect", || post(nothing)),
    Operation::get("providers.list", ORGANIZATION, "/providers", || get(no_providers))
        .asks(PAGED)
        .answers::<NoProviders>(),
    Operation::get("providers.search", ORGANIZATION, "/providers/search", || {
        get(no_providers)
    })
    .asks(SEARCHED)
    .answers::<NoProviders>(),
    Operation::get("providers.get", ORGANIZATION, "/providers/{provider_id}", || {
        get(nothing)
    }),
    Operation::get("calendar.any", INBOX, "/calendar", || any(no_labs)),
    Operation::get("calendar.anyBelow", INBOX, "/calendar/{*rest}", || any(no_labs)),
    Operation::get("files.any", INBOX, "/files", || any(no_labs)),
    Operation::get("files.anyBelow", INBOX, "/files/{*rest}", || any(no_labs)),
];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountList)]
struct NoAccounts {
    count: usize,
    limit: u64,
    accounts: [String; 0],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppList)]
struct NoApps {
    count: usize,
    limit: u64,
    apps: [String; 0],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderList)]
struct NoProviders {
    count: usize,
    limit: u64,
    providers: [String; 0],
}

/// Items of a page, unless asked otherwise.
const LIMIT: u64 = 50;

fn limit(asked: &Asked) -> Answer<u64> {
    Ok(asked.number("limit", 1..=u64::from(u32::MAX))?.unwrap_or(LIMIT))
}

async fn no_accounts(_: Call, asked: Asked) -> Answer<Json<NoAccounts>> {
    Ok(Json(NoAccounts {
        count: 0,
        limit: limit(&asked)?,
        accounts: [],
    }))
}

async fn no_apps(_: Call, asked: Asked) -> Answer<Json<NoApps>> {
    Ok(Json(NoApps {
        count: 0,
        limit: limit(&asked)?,
        apps: [],
    }))
}

async fn no_providers(_: Call, asked: Asked) -> Answer<Json<NoProviders>> {
    Ok(Json(NoProviders {
        count: 0,
        limit: limit(&asked)?,
        providers: [],
    }))
}

async fn nothing(_: Call) -> Failure {
    Failure::not_found()
}

async fn no_labs(_: Call) -> Failure {
    Failure::forbidden("this server has no labs")
}
