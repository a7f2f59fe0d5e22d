//! Agents that sign themselves up, and the human who answers for them (agentmail.md §17).
//!
//! What always holds: the code goes out by mail alone; a mail that cannot be sent is not an error of the request, since the
//! same request may be made again.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{ORGANIZATION, Operation};
use super::wire::Body;
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::post;
use postroom_identity::SignUp;
use postroom_intake::{Submission, Via};
use postroom_mailstore::ThreadChoice;
use postroom_message::{Mailbox, Outgoing, compose};
use postroom_types::{EmailAddress, EmailId, ReversePath, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest `source` and `referrer`.
const MAX_ORIGIN_CHARACTERS: usize = 2048;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("agent.signUp", ORGANIZATION, "/agent/sign-up", || post(sign_up))
        .open()
        .takes::<SignUpBody>()
        .answers::<SignedUpView>(),
    Operation::post("agent.verify", ORGANIZATION, "/agent/verify", || post(verify))
        .takes::<VerifyBody>()
        .answers::<VerifiedView>(),
    Operation::post("agent.attachHuman", ORGANIZATION, "/agent/human", || post(human))
        .takes::<HumanBody>()
        .answers::<HumanView>(),
];

/// A wanted agent.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SignUpRequest)]
struct SignUpBody {
    username: String,
    human_email: Option<String>,
    source: Option<String>,
    referrer: Option<String>,
}

/// What it gets.
#[derive(Serialize, ToSchema)]
#[schema(as = SignUpResponse)]
struct SignedUpView {
    organization_id: String,
    inbox_id: String,
    /// The secret.
    api_key: String,
}

/// The code that the human got.
#[derive(Deserialize, ToSchema)]
#[schema(as = VerifyRequest)]
struct VerifyBody {
    otp_code: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VerifyResponse)]
struct VerifiedView {
    verified: bool,
}

/// Who answers for the agent.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = HumanRequest)]
struct HumanBody {
    human_email: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HumanResponse)]
struct HumanView {
    human_email: String,
    instructions: &'static str,
}

fn address(text: &str) -> Answer<EmailAddress> {
    EmailAddress::parse(text.trim()).map_err(|_| Failure::field("human_email", "human_email is not an address"))
}

async fn sign_up(Shared(state): Shared<State>, Body(wanted): Body<SignUpBody>) -> Answer<Json<SignedUpView>> {
    if !state.options().agent_sign_up {
        return Err(Failure::forbidden("this server takes no sign-ups of agents"));
    }
    for (name, text) in [("source", &wanted.source), ("referrer", &wanted.referrer)] {
        if text
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_ORIGIN_CHARACTERS)
        {
            return Err(Failure::field(
                name,
                format!("{name} has at most {MAX_ORIGIN_CHARACTERS} characters"),
            ));
        }
    }
    let human_email = wanted.human_email.as_deref().map(address).transpose()?;
    let request = SignUp {
        username: wanted.username,
        human_email: human_email.clone(),
    };
    state.sign_ups().take()?;
    let made = state.identity().sign_up(&request).await?;
    if let Some((human, otp)) = human_email.zip(made.otp) {
        send_code(&state, &human, &made.inbox.canonical, &otp).await;
    }
    Ok(Json(SignedUpView {
        organization_id: made.organization.to_string(),
        inbox_id: made.inbox.canonical.to_string(),
        api_key: made.api_key.expose().clone(),
    }))
}

async fn verify(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<VerifyBody>,
) -> Answer<Json<VerifiedView>> {
    let code = Secret::new(wanted.otp_code.trim().to_owned());
    state.identity().verify_otp(call.scope.organization, &code).await?;
    Ok(Json(VerifiedView { verified: true }))
}

async fn human(Shared(state): Shared<State>, call: Call, Body(wanted): Body<HumanBody>) -> Answer<Json<HumanView>> {
    let human = address(&wanted.human_email)?;
    let identity = state.identity();
    let set = identity.set_human(call.scope.organization, &human).await?;
    if let Some(otp) = &set.otp {
        let organization = identity.organization(call.scope.organization).await?;
        send_code(&state, &set.human_email, &organization.name, otp).await;
    }
    Ok(Json(HumanView {
        human_email: set.human_email.to_string(),
        instructions: "Ask your human for the 6-digit code in the mail we sent, then call POST /v0/agent/verify with it.",
    }))
}

/// Mails the code to the human, from the operator's inbox.
async fn send_code(state: &State, human: &EmailAddress, agent: &impl std::fmt::Display, otp: &Secret<String>) {
    if let Err(failure) = try_to_send_code(state, human, agent, otp).await {
        tracing::warn!(code = failure.body.code, "cannot send the code of an agent's sign-up");
    }
}

async fn try_to_send_code(
    state: &State,
    human: &EmailAddress,
    agent: &impl std::fmt::Display,
    otp: &Secret<String>,
) -> Answer<()> {
    let inbox = state.identity().postmaster().await?;
    let code = otp.expose();
    let text = format!(
        "The agent {agent} says that you answer for it.\r\n\r\n\
         Your code is {code}. It is valid for 24 hours. Give it to the agent only if you know it: with the code it may\r\n\
         send mail to anybody.\r\n\r\nIf you know of no such agent, ignore this message.\r\n"
    );
    let outgoing = Outgoing {
        from: Mailbox {
            name: inbox.display_name.clone(),
            address: inbox.primary.clone(),
        },
        to: vec![Mailbox {
            name: None,
            address: human.clone(),
        }],
        cc: Vec::new(),
        bcc: Vec::new(),
        reply_to: Vec::new(),
        subject: format!("Your code for {agent}: {code}"),
        text: Some(text),
        html: None,
        attachments: Vec::new(),
        in_reply_to: None,
        references: Vec::new(),
        auto_submitted: Some("auto-generated"),
        extra: Vec::new(),
        date_seconds: jiff::Timestamp::now().as_second(),
        message_id: format!("{}@{}", EmailId::new(), inbox.primary.domain()),
    };
    let content = compose(&outgoing).map_err(crate::error::ApiError::from)?.into();
    let submission = Submission {
        via: Via::Api,
        reverse_path: ReversePath::Mailbox(inbox.primary.clone()),
        inbox,
        recipients: vec![human.clone()],
        content,
        thread: ThreadChoice::New,
        idempotency: None,
        answers: None,
    };
    state.intake().submit(submission).await?;
    Ok(())
}
