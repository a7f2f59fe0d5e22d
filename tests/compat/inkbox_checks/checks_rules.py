"""Contact rules and filter modes: who may write to an agent, and to whom it may write. Sending domains."""

from uuid import uuid4

import corpus
import smtp
import submit
from api import Inbox
from coverage import drives
from inkbox.exceptions import DuplicateContactRuleError, RecipientBlockedError
from inkbox.mail.types import SendingDomainStatus
from scenario import check, equal
from world import answers, refused, unique


@drives("mail_identity_contact_rules.create", "mail_identity_contact_rules.get", "mail_identity_contact_rules.list",
        "mail_identity_contact_rules.update", "mail_identity_contact_rules.delete", "mail_identity_contact_rules.list_all")
def rules(case):
    agent, other = case.agent(), case.agent()
    api = case.client.mail_identity_contact_rules
    made = api.create(agent.handle, action="block", match_type="exact_email", match_target="Bad@Client.Example.NET")
    equal((made.match_target, made.direction.value, made.status.value, made.agent_identity_id), ("bad@client.example.net", "both", "active", agent.id), "the rule")
    equal(refused(409, lambda: api.create(agent.handle, action="allow", match_type="exact_email", match_target="bad@client.example.net"),
                  kind=DuplicateContactRuleError).existing_rule_id, made.id, "the rule that is there")
    domain = agent.client.mail_identity_contact_rules.create(agent.handle, action="allow", match_type="domain", match_target="client.example.net", direction="inbound")
    equal({rule.id for rule in api.list(agent.handle)}, {made.id, domain.id}, "both")
    for options, expected in (({"action": "block"}, made), ({"match_type": "domain"}, domain), ({"direction": "inbound"}, domain)):
        check(expected.id in [rule.id for rule in api.list(agent.handle, **options)], f"with {options}")
    equal(len(api.list(agent.handle, limit=1)), 1, "one")
    equal(len(api.list(agent.handle, limit=5, offset=1)), 1, "but the first")
    foreign = api.create(other.handle, action="block", match_type="domain", match_target="x.example")
    every = {rule.id for rule in api.list_all(limit=200)}
    check({made.id, domain.id, foreign.id} <= every, "of the organization")
    equal({rule.id for rule in api.list_all(agent_identity_id=other.id)}, {foreign.id}, "of one identity")
    equal(api.update(agent.handle, made.id, action="allow").action.value, "allow", "changed")
    equal(api.update(agent.handle, made.id, direction="outbound").direction.value, "outbound", "changed")
    equal(api.get(agent.handle, made.id).direction.value, "outbound", "read again")
    mine = agent.client.mail_identity_contact_rules
    equal(mine.get(agent.handle, made.id).id, made.id, "with the agent's key")
    refused(403, lambda: mine.update(agent.handle, made.id, action="block"))
    refused(403, lambda: mine.delete(agent.handle, made.id))
    refused(403, mine.list_all)
    refused(404, lambda: mine.list(other.handle))
    refused(404, lambda: api.get(agent.handle, foreign.id))
    refused(404, lambda: case.with_key(case.stranger()).mail_identity_contact_rules.list(agent.handle))
    path = f"/api/v1/identities/{agent.handle}/mail-contact-rules"
    good = {"action": "block", "match_type": "domain", "match_target": "y.example"}
    for change in ({"action": "grey"}, {"match_type": "regex"}, {"match_target": "a b"}, {"match_target": "x@y@z"}, {"match_target": ""}, {"direction": "up"},
                   {"color": "red"}, {"match_type": "exact_email"}):
        answers(case.call("POST", path, {**good, **change}), 422)
    for body in ({"match_target": "z.example"}, {"match_type": "domain"}, {"action": None}, []):
        answers(case.call("PATCH", f"{path}/{made.id}", body), 422)
    api.delete(agent.handle, made.id)
    refused(404, lambda: api.get(agent.handle, made.id))
    refused(404, lambda: api.delete(agent.handle, made.id))


@drives("identity.list_mail_contact_rules", "identity.get_mail_contact_rule", "identity.create_mail_contact_rule",
        "identity.update_mail_contact_rule", "identity.delete_mail_contact_rule")
def of_an_identity(case):
    agent = case.agent()
    me = agent.identity
    made = me.create_mail_contact_rule(action="block", match_type="domain", match_target="x.example", direction="both")
    equal(me.get_mail_contact_rule(made.id).match_target, "x.example", "the rule")
    equal(me.update_mail_contact_rule(made.id, action="allow", direction="inbound").direction.value, "inbound", "changed")
    equal([rule.id for rule in me.list_mail_contact_rules()], [made.id], "the list")
    me.delete_mail_contact_rule(made.id)
    equal(me.list_mail_contact_rules(), [], "the list")


@drives("mail_contact_rules.create", "mail_contact_rules.get", "mail_contact_rules.list", "mail_contact_rules.update", "mail_contact_rules.delete")
def of_a_mailbox(case):
    agent = case.agent()
    api = case.client.mail_contact_rules
    made = api.create(agent.address, action="block", match_type="domain", match_target="x.example")
    equal((made.mailbox_id, api.get(agent.address, made.id).match_target), (agent.mailbox, "x.example"), "the rule")
    equal([rule.id for rule in case.client.mail_identity_contact_rules.list(agent.handle)], [made.id], "the same rule, of the identity")
    equal([rule.id for rule in api.list(agent.address, action="block")], [made.id], "the list")
    equal(api.update(agent.address, made.id, action="allow").action.value, "allow", "changed")
    api.delete(agent.address, made.id)
    equal(api.list(agent.address), [], "the list")


def folder_of(case, agent, sender):
    """Where mail from that sender ends: a thread's folder, or None when SMTP refused it."""
    message = corpus.plain(agent.address, unique("From "))
    message.replace_header("From", sender)
    with smtp.Smtp(case.server.address("smtp_in")) as client:
        client.hello()
        client.command(f"MAIL FROM:<{sender}>", 250)
        if client.command(f"RCPT TO:<{agent.address}>").code != 250:
            return None
        client.command("DATA", 354)
        client.send(smtp.stuffed(corpus.octets(message)) + b".\r\n")
        if client.reply().code != 250:
            return None
    threads = [t for folder in ("inbox", "blocked") for t in case.quiet.threads.list(agent.address, folder=folder)]
    found = [t.folder.value for t in threads if t.subject == message["Subject"]]
    return found[0] if found else None


@drives("mail_identity_contact_rules.create", "threads.list", "identities.update")
def inbound(case):
    agent = case.agent()
    api = case.client.mail_identity_contact_rules
    equal(folder_of(case, agent, "one@bad.example"), "inbox", "before")
    api.create(agent.handle, action="block", match_type="domain", match_target="bad.example", direction="inbound")
    api.create(agent.handle, action="allow", match_type="exact_email", match_target="friend@bad.example")
    check(folder_of(case, agent, "one@bad.example") != "inbox", "blocked mail came in")
    check(folder_of(case, agent, "ONE@BAD.example") != "inbox", "blocked mail came in, in capitals")
    equal(folder_of(case, agent, "friend@bad.example"), "inbox", "the address beats its domain")
    equal(folder_of(case, agent, "one@good.example"), "inbox", "others")
    equal(case.imap(agent.address, agent.key).select()["exists"], 3, "over IMAP")
    check("blocked" not in {t.folder.value for t in agent.client.threads.list(agent.address)}, "an agent is shown blocked mail")
    case.client.identities.update(agent.handle, mail_inbound_filter_mode="whitelist")
    check(folder_of(case, agent, "one@good.example") != "inbox", "mail of nobody allowed came in")
    equal(folder_of(case, agent, "friend@bad.example"), "inbox", "an allowed address")


@drives("mail_identity_contact_rules.create", "messages.send")
def outbound(case):
    agent = case.agent()
    api = case.client.mail_identity_contact_rules
    rule = api.create(agent.handle, action="block", match_type="domain", match_target="bad.example", direction="outbound")
    me, ok = case.client.messages, "ok@good.example"
    for options in ({"to": ["one@bad.example"]}, {"to": [ok], "cc": ["One@Bad.Example"]}, {"to": [ok], "bcc": ["one@bad.example"]}):
        failure = refused(403, lambda options=options: me.send(agent.address, subject="x", **options), "recipient_blocked", RecipientBlockedError)
        equal((failure.address.lower(), failure.matched_rule_id), ("one@bad.example", rule.id), "what the error says")
        check(failure.reason, "no reason")
    equal(list(me.list(agent.address)), [], "nothing was kept")
    source = case.receive(agent.address)
    refused(403, lambda: me.forward(agent.address, source.id, to=["one@bad.example"]), "recipient_blocked", RecipientBlockedError)
    draft = case.client.drafts.create(agent.address, to=["one@bad.example"], subject="x", body_text="x")
    refused(403, lambda: case.client.drafts.send(agent.address, draft.id, generation=draft.generation), "recipient_blocked", RecipientBlockedError)
    inbox = Inbox(str(agent.mailbox), agent.address, agent.key, agent.key)
    with submit.session(case.server, inbox) as session:
        code = session.docmd("MAIL", f"FROM:<{agent.address}>")[0]
        code = session.docmd("RCPT", "TO:<one@bad.example>")[0] if code == 250 else code
        if code == 250:
            code = session.data(b"From: " + agent.address.encode() + b"\r\nTo: one@bad.example\r\nSubject: x\r\n\r\nx\r\n")[0]
        check(code >= 500, f"SMTP submission gives {code}")
    me.send(agent.address, to=[ok], subject="x")
    case.client.identities.update(agent.handle, mail_outbound_filter_mode="whitelist")
    failure = refused(403, lambda: me.send(agent.address, to=[ok], subject="x"), "recipient_blocked", RecipientBlockedError)
    equal(failure.matched_rule_id, None, "by the mode, and by no rule")
    api.create(agent.handle, action="allow", match_type="exact_email", match_target=ok)
    me.send(agent.address, to=[ok], subject="x")


@drives("mail_contact_rules.list_all")
def of_all_mailboxes(case):
    agent = case.agent()
    made = case.quiet.mail_contact_rules.create(agent.address, action="block", match_type="domain", match_target="x.example")
    path = f"/api/v1/mail/contact-rules?agent_identity_id={agent.id}"
    equal([rule["id"] for rule in items(answers(case.call("GET", path), 200))], [str(made.id)], "the rules of one")
    equal([rule.id for rule in case.client.mail_contact_rules.list_all(mailbox_id=agent.mailbox)], [made.id], "by the old client's filter")
    answers(case.call("GET", "/api/v1/mail/contact-rules?action=grey"), 422)
    answers(case.call("GET", f"/api/v1/mail/contact-rules?agent_identity_id={uuid4()}"), 404)


def items(body):
    return body["items"] if isinstance(body, dict) else body


@drives("domains.list", "domains.set_default")
def domains(case):
    agent, name = case.agent(), f"{unique('d')}.test"
    key = case.server.ready["api_key"]
    made = case.call("POST", "/v0/domains", {"domain": name, "feedback_enabled": False}, key)
    check(made.status in (200, 201), f"making a domain: {made.status} {made.body}")
    listed = {domain.domain: domain for domain in case.client.domains.list()}
    check(name in listed and not listed[name].is_default, f"listed {sorted(listed)}")
    check(listed[name].status is not SendingDomainStatus.VERIFIED and listed[name].verified_at is None, "an unverified domain")
    check(name not in [domain.domain for domain in case.client.domains.list(status=SendingDomainStatus.VERIFIED)], "by status")
    equal(case.client.domains.set_default(case.domain), None, "the server's own is no domain of the organization")
    refused(404, lambda: case.client.domains.set_default("not-ours.test"))
    check(400 < refused_status(lambda: case.client.domains.set_default(name)) < 500, "an unverified one")
    refused(403, lambda: agent.client.domains.set_default(case.domain))
    refused(404, lambda: case.with_key(case.stranger()).domains.set_default(name))
    answers(case.call("GET", "/api/v1/domains/?status=great"), 422)
    refused(422, lambda: case.client.create_identity(unique(), sending_domain=name))
    # Under `dev` a domain is verified when it is asked for.
    check(case.call("POST", f"/v0/domains/{name}/verify", {}, key).status in (200, 204), "verifying")
    made = case.client.create_identity(unique(), email_local_part="free.name", sending_domain=name)
    equal((made.email_address, made.mailbox.sending_domain), (f"free.name@{name}", name), "an identity at one's own domain")
    equal(case.client.domains.set_default(name), name, "the default")
    check([domain.domain for domain in case.client.domains.list(status=SendingDomainStatus.VERIFIED) if domain.is_default] == [name], "by the list")
    handle = unique()
    equal(case.client.create_identity(handle).email_address, f"{handle}@{name}", "the default is taken")
    equal(case.client.create_identity(unique(), sending_domain=None).email_address.split("@")[1], case.domain, "the server's own, if asked for")
    refused(422, lambda: case.with_key(case.stranger()).create_identity(unique(), sending_domain=name))
    equal(case.client.domains.set_default(case.domain), None, "back to the server's own")


def refused_status(run):
    try:
        run()
    except Exception as error:  # noqa: BLE001 - the status is what counts
        return error.status_code
    return 200
