//! Sending a mail, once.

use schemars::JsonSchema;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Email, compose, session};

/// Sends an e-mail from the business's own address; it reaches real people at once. Answers the Message-ID and what the
/// mail server said. Sent once: if the connection breaks at the end, the outcome is unknown and nothing is sent again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Recipients: an address, or Name <address>.
    #[schemars(length(min = 1, max = 50), inner(length(min = 3, max = 320)))]
    pub to: Vec<String>,
    /// Visible copies.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320)))]
    pub cc: Vec<String>,
    /// Copies that the others do not see.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320)))]
    pub bcc: Vec<String>,
    /// The subject line.
    #[schemars(length(min = 1, max = 300))]
    pub subject: String,
    /// The text, without markup.
    #[schemars(length(min = 1, max = 50_000))]
    pub text: String,
    /// The same in HTML, if it should look like more.
    #[schemars(length(min = 1, max = 200_000))]
    pub html: Option<String>,
    /// Where answers go, if not to the sender.
    #[schemars(length(min = 3, max = 320))]
    pub reply_to: Option<String>,
}

/// A mail that the server took for delivery.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sent {
    message_id: String,
    from: String,
    /// How many people get it.
    recipients: usize,
    /// The server's reply.
    reply: String,
}

pub async fn send(api: &Email, args: Send) -> Result<Sent> {
    let mail = &composed(api, &args)?;
    let hand_in = |exchange| async move {
        let mut session = session::open(api, &exchange).await?;
        let reply = match session.hand_in(mail).await {
            Ok(reply) => reply,
            Err(error) if error.outcome_unknown => return Err(error),
            Err(error) => {
                session.leave().await;
                return Err(error);
            }
        };
        session.leave().await;
        Ok(reply)
    };
    let reply = api.http.attempt(session::PROTOCOL, "send", hand_in).await.map_err(unknown)?;
    let (message_id, recipients) = (mail.id.clone(), mail.recipients.len());
    Ok(Sent { message_id, from: mail.from.to_string(), recipients, reply })
}

pub async fn plan(api: &Email, args: Send) -> Result<Plan> {
    let mail = composed(api, &args)?;
    let people = mail.recipients.len();
    let after = json!({"from": api.from.to_string(), "to": args.to, "cc": args.cc, "bcc": args.bcc,
        "reply_to": args.reply_to, "subject": args.subject, "text": sdk::text::cut(&args.text, 4_000),
        "html": args.html.is_some(), "message_id": mail.id});
    let would = match people {
        1 => format!("Send a mail from {} to {}.", mail.from, mail.recipients[0]),
        _ => format!("Send a mail from {} to {people} people.", mail.from),
    };
    let plan = Plan::new(would).adds("mail", after);
    Ok(match args.bcc.len() {
        0 => plan,
        blind => plan.note(format!("{blind} of them get a blind copy.")),
    })
}

fn composed(api: &Email, args: &Send) -> Result<compose::Mail> {
    if args.text.trim().is_empty() {
        return Err(Error::invalid_input("text: it is empty"));
    }
    compose::mail(&api.from, args, api.http.idempotency_key(), api.http.now())
}

/// When the time ended, the pipeline knows that it was too late to say no, but not what for.
fn unknown(mut error: Error) -> Error {
    if error.outcome_unknown && !error.message.contains("unknown") {
        error.message = format!(
            "{}. It is unknown whether the mail is delivered: look in the sent folder before sending it again",
            error.message
        );
    }
    error
}
