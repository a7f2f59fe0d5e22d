//! The Model Context Protocol at `/mcp` (agentmail.md §18): streamable HTTP, one request at a time, no sessions.
//!
//! What always holds: a tool is a call to a route with the caller's own key, so that its permissions, errors and limits
//! are those of the route; nothing is told without a key. Arguments and results are in camelCase.

mod argument;
mod call;
mod case;
mod schema;
mod tools;

use crate::State;
use crate::agentmail::call::authenticate;
use crate::agentmail::failure::Failure;
use crate::auth::bearer_or_key;
use crate::error::ApiError;
use crate::large;
use crate::request::Fields;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State as Shared};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use call::Caller;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest request.
const MAX_BODY_OCTETS: usize = 10 << 20;
/// Requests up to this do not take turns.
const SMALL_OCTETS: usize = 256 << 10;
/// Large requests read at once.
const LARGE_AT_ONCE: usize = 8;

const INSTRUCTIONS: &str = "Mailboxes for agents. An inbox has an address; inboxId is that address. To wait for a mail that \
    something else sends, such as a sign-up code, call wait_for_message with `since` from before it was asked for.";

/// The route, on top of the others.
pub(crate) fn routes(state: &State, others: Router) -> Router<State> {
    let server = Server {
        others,
        tools: Arc::new(tools::described()),
    };
    let mut config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_cancellation_token(state.stopping().clone())
        // A page that rebinds a name has no key of ours: browsers send none by themselves.
        .disable_allowed_hosts();
    config.max_request_body_bytes = MAX_BODY_OCTETS;
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let door = Door {
        state: state.clone(),
        large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
    };
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(door, admit))
}

#[derive(Clone)]
struct Door {
    state: State,
    large: Arc<Semaphore>,
}

/// Lets a request in. Small ones take no turn: a call may last as long as it waits for mail, and holds up nobody meanwhile.
async fn admit(Shared(door): Shared<Door>, request: Request, next: Next) -> Response {
    match door.read(request).await {
        Ok((request, turn)) => {
            let response = next.run(request).await;
            drop(turn);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

impl Door {
    /// Asks for a key before anything else is looked at, then reads the body: an object in which no name is there twice,
    /// for what comes after takes the last. Who sends more than a small one takes a turn for the rest of the call.
    async fn read(&self, request: Request) -> Result<(Request, Option<OwnedSemaphorePermit>), Failure> {
        authenticate(&self.state, bearer_or_key(request.headers())).await?;
        if Fields::declared_octets(request.headers()).is_some_and(|octets| octets > MAX_BODY_OCTETS as u64) {
            return Err(ApiError::TooLarge.into());
        }
        let (parts, mut body) = request.into_parts();
        let (mut read, mut turn) = (Vec::new(), None);
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame.map_err(|_| Failure::invalid("the body could not be read"))?;
            read.extend(frame.into_data().unwrap_or_default());
            if read.len() > MAX_BODY_OCTETS {
                return Err(ApiError::TooLarge.into());
            }
            if read.len() > SMALL_OCTETS && turn.is_none() {
                let taken = Arc::clone(&self.large).acquire_owned().await;
                turn = Some(taken.map_err(|_| Failure::internal())?);
            }
        }
        let bytes = Bytes::from(read);
        let looked_at = bytes.clone();
        large::work(bytes.len() as u64, move || Fields::parse(&looked_at).map(drop)).await?;
        Ok((Request::from_parts(parts, Body::from(bytes)), turn))
    }
}

#[derive(Clone)]
struct Server {
    others: Router,
    tools: Arc<Vec<Tool>>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("postroom", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = context.extensions.get::<Parts>().map(|parts| Caller {
            key: bearer_or_key(&parts.headers).unwrap_or_default(),
            host: parts.headers.get(header::HOST),
        });
        let arguments = request.arguments.unwrap_or_default();
        let caller = caller.ok_or_else(|| ErrorData::internal_error("internal error", None))?;
        let result = call::call(&self.others, &caller, &request.name, arguments).await?;
        Ok(result.into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }
}
