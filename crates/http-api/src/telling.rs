//! What is told of events to all who listen, in the form of each dialect.

use crate::State;
use crate::agentmail::event_view as agentmail;
use crate::inkbox::event_view as inkbox;
use crate::myagentmail::event_view as myagentmail;
use axum::http::StatusCode;
use postroom_types::OrganizationId;
use postroom_webhooks::{BoxFuture, Dialect, Hidden, Placed, Render, RenderError, Told};

impl Render for State {
    fn render<'a>(
        &'a self,
        _: OrganizationId,
        dialect: Dialect,
        placed: &'a Placed,
    ) -> BoxFuture<'a, Result<Option<Told>, RenderError>> {
        Box::pin(async move {
            match dialect {
                Dialect::AgentMail => match agentmail::told(self, &placed.event).await {
                    // Deleted while it was read.
                    Err(failure) if failure.status == StatusCode::NOT_FOUND => Ok(None),
                    told => told.map_err(|failure| RenderError(failure.body.message)),
                },
                Dialect::Inkbox => match inkbox::told(self, &placed.event).await {
                    Err(failure) if failure.status == StatusCode::NOT_FOUND => Ok(None),
                    told => told.map_err(|failure| RenderError(failure.message().to_owned())),
                },
                Dialect::MyAgentMail => {
                    let body = myagentmail::body(self, placed).await;
                    let body = body.map_err(|error| RenderError(error.to_string()))?;
                    // Of what is hidden it makes none.
                    let hidden = Hidden::default();
                    Ok(body.map(|body| Told { body, hidden }))
                }
            }
        })
    }
}
