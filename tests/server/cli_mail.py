"""Mail, with a key of the AgentMail API: messages, threads, drafts, attachments, and waiting for what comes."""

import datetime
import os
import smtplib
import tempfile
import time

from commands import FAILED, LATE, NOT_FOUND, USAGE, Cli
from scenario import check, equal, temp_folder, wait_until

BELL = "\x07"


def deliver(server, to, subject, text, sender="zoe@example.net"):
    with smtplib.SMTP(*server.address("smtp_in"), timeout=20) as smtp:
        letter = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        smtp.sendmail(sender, [to], letter.encode())


def one(agent, inbox, subject):
    found = lambda: agent.json("message", "ls", inbox, "--subject", subject)["messages"]
    return wait_until(found, f"a message {subject}", pause=0.2)[0]


def reading(server, agent, bob):
    deliver(server, bob, f"first{BELL} tune", "hello there, wombat")
    deliver(server, bob, "second tune", "hello again")
    first, second = one(agent, bob, "first"), one(agent, bob, "second")
    table = agent.text("message", "ls", bob)
    check(BELL not in table and "second tune" in table.splitlines()[1], f"newest first, no control characters: {table!r}")
    ascending = agent.json("message", "ls", bob, "--ascending", "--limit", "1")
    equal([m["message_id"] for m in ascending["messages"]], [first["message_id"]], "oldest first")
    rest = agent.json("message", "ls", bob, "--ascending", "--page", ascending["next_page_token"])
    equal([m["message_id"] for m in rest["messages"]], [second["message_id"]], "the page after it")
    agent.refused(FAILED, "page_token", "message", "ls", bob, "--page", ascending["next_page_token"])
    equal([m["message_id"] for m in agent.json("message", "search", bob, "wombat")["messages"]], [first["message_id"]], "search")
    equal(agent.json("message", "ls", bob, "--from", "nobody")["messages"], [], "from nobody")
    shown = agent.text("message", "show", bob, first["message_id"])
    check("Subject: first" in shown and "wombat" in shown, f"a message as text: {shown}")
    both = agent.json("message", "show", bob, first["message_id"], second["message_id"])
    equal(len(both["messages"]), 2, "several messages")
    agent.refused(NOT_FOUND, "404", "message", "show", bob, "<nothing@example.net>")
    source = agent.octets("message", "raw", bob, first["message_id"])
    check(b"Received:" in source and b"hello there, wombat\r\n" in source, "the source octet by octet")
    return first["message_id"], second["message_id"]


def labelling(agent, bob, first, second):
    labels = agent.json("message", "label", bob, first, "--add", "work", "--add", "todo", "--remove", "unread")["labels"]
    check({"work", "todo"} <= set(labels) and "unread" not in labels, f"labels: {labels}")
    equal(agent.json("message", "label", bob, first, second, "--add", "both")["count"], 2, "labels of two")
    listed = agent.json("message", "ls", bob, "--label", "both", "--label", "work")
    equal([m["message_id"] for m in listed["messages"]], [first], "by labels")
    check("label.added" in agent.text("inbox", "events", bob), "what happened to labels")
    agent.refused(USAGE, "required", "message", "label", bob, first)
    equal(agent.json("message", "rm", bob, second)["labels"].count("trash"), 1, "message rm")
    equal(agent.json("message", "rm", bob, second, "--for-good"), {}, "gone for good")
    agent.refused(NOT_FOUND, "404", "message", "show", bob, second)


def writing(agent, bob):
    """Sends with a file from standard input, once for a key, and gets the file back."""
    folder = temp_folder("cli")
    path = os.path.join(folder, "grüße.bin")
    content = bytes(range(256)) * 300
    with open(path, "wb") as file:
        file.write(content)
    words = ["message", "send", bob, "--to", bob, "--subject", "with a file", "--attach", path, "--label", "mine", "--header", "X-Note: n",
             "--reply-to", "desk@example.test", "--idempotency-key", "once-1"]
    sent = agent.json(*words, input=b"from standard input")
    equal(agent.json(*words, input=b"from standard input"), sent, "sent once")
    shown = lambda: agent.json("message", "show", bob, sent["message_id"])
    message = wait_until(lambda: shown() if "received" in shown()["labels"] or "sent" in shown()["labels"] else None, "the note")
    equal((message["text"].strip(), message["reply_to"]), ("from standard input", ["desk@example.test"]), "what was sent")
    check("mine" in message["labels"], "its label")
    listed = agent.json("message", "attachment", bob, sent["message_id"])["attachments"]
    equal([(file["filename"], file["size"]) for file in listed], [("grüße.bin", len(content))], "attachments")
    check("grüße.bin" in agent.text("message", "attachment", bob, sent["message_id"]), "attachments as a table")
    there = listed[0]["attachment_id"]
    equal(agent.octets("message", "attachment", bob, sent["message_id"], there), content, "a file on standard output")
    target = os.path.join(folder, "copy")
    equal(agent.text("thread", "attachment", sent["thread_id"], there, "-o", target), "", "a file that is saved")
    with open(target, "rb") as file:
        equal(file.read(), content, "a saved file")
    agent.refused(FAILED, "No such file", "message", "send", bob, "--to", bob, "--text", "x", "--attach", folder + "/none")
    agent.refused(USAGE, "has no", "message", "send", bob, "--to", bob, "--text", "x", "--header", "X-Note")


def threads(agent, bob, first):
    reply = agent.json("message", "reply", bob, first, "--text", "answer")
    thread = reply["thread_id"]
    check(any(one["thread_id"] == thread for one in agent.json("thread", "ls", "--inbox", bob)["threads"]), "thread ls of an inbox")
    check(thread in agent.text("thread", "list", "--from", "zoe"), "thread ls")
    equal([one["thread_id"] for one in agent.json("thread", "search", "wombat", "--inbox", bob)["threads"]], [thread], "thread search")
    equal(agent.json("thread", "show", thread)["message_count"], 2, "thread show")
    part = agent.json("thread", "show", thread, "--limit", "1")
    rest = agent.json("thread", "show", thread, "--page", part["next_page_token"])
    equal((len(part["messages"]), len(rest["messages"])), (1, 1), "a thread in two pieces")
    text = agent.text("thread", "show", thread)
    check("wombat" in text and "answer" in text and "----" in text, f"a thread as text: {text}")
    check("hot" in agent.json("thread", "label", thread, "--add", "hot")["labels"], "thread label")
    check("trash" in agent.json("thread", "rm", thread)["labels"], "thread rm")
    equal(agent.json("thread", "rm", thread, "--for-good"), {}, "a thread gone for good")
    agent.refused(NOT_FOUND, "404", "thread", "show", thread)


def drafts(agent, bob):
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).isoformat()
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"a file")
        file.flush()
        made = agent.json("draft", "create", bob, "--to", "a@example.net", "--subject", "plan", "--text", "-", "--send-at", later,
                          "--label", "idea", "--attach", file.name, "--client-id", "d-1", input=b"text of a draft")
    draft = made["draft_id"]
    equal((made["text"].strip(), made["send_status"]), ("text of a draft", "scheduled"), "a draft that goes later")
    check("plan" in agent.text("draft", "ls", "--inbox", bob) and draft in agent.text("draft", "list"), "draft ls")
    check("Subject: plan" in agent.text("draft", "show", bob, draft), "draft show")
    attachment = made["attachments"][0]["attachment_id"]
    equal(agent.octets("draft", "attachment", bob, draft, attachment), b"a file", "a file of a draft")
    changed = agent.json("draft", "update", bob, draft, "--subject", "better plan", "--clear", "send_at", "--detach", attachment, "--add-label", "good")
    equal((changed["subject"], changed.get("send_at"), changed.get("attachments", [])), ("better plan", None, []), "draft update")
    sent = agent.json("draft", "send", bob, draft, "--add-label", "done", "--remove-label", "idea")
    labels = agent.json("message", "show", bob, sent["message_id"])["labels"]
    check("done" in labels and "good" in labels and "idea" not in labels, f"labels of a sent draft: {labels}")
    agent.refused(NOT_FOUND, "404", "draft", "show", bob, draft)
    answer = agent.json("draft", "create", bob, "--in-reply-to", sent["message_id"], "--all", "--text", "x")
    equal(answer["in_reply_to"], sent["message_id"], "a draft that answers")
    forward = agent.json("draft", "create", bob, "--forward-of", sent["message_id"], "--to", "b@example.net")
    for made in (answer, forward):
        equal(agent.json("draft", "rm", bob, made["draft_id"]), {}, "draft rm")


def waiting(server, agent, bob):
    begun = time.monotonic()
    agent.refused(LATE, "nothing came", "message", "wait", bob, "--timeout", "1")
    check(1 <= time.monotonic() - begun < 10, "how long a wait was")
    waiter = agent.start("message", "wait", bob, "--from", "bank.example", "--subject", "code", "--extract", "code", "--timeout", "30", "--unauthenticated")
    time.sleep(0.5)
    deliver(server, bob, "your code", "Your code is 123456.", sender="other@example.net")
    deliver(server, bob, "your code", "Your code is 271828. It is valid for 10 minutes.", sender="no-reply@bank.example")
    equal(waiter.line(), "271828\n", "a code that was waited for")
    equal(waiter.end(), (0, ""), "end of a wait")
    since = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)).isoformat()
    found = agent.json("message", "wait", bob, "--since", since, "--from", "bank.example", "--unauthenticated", "--consume", "--timeout", "5")
    check("271828" in found["message"]["text"] and found["next"], "what came since a time")
    agent.refused(LATE, "--since", "message", "wait", bob, "--since", since, "--from", "bank.example", "--unauthenticated", "--consume", "--timeout", "1")
    agent.refused(NOT_FOUND, "", "message", "wait", "nobody@example.test", "--timeout", "1")
    text = agent.text("message", "wait", bob, "--since", since, "--subject", "your code", "--unauthenticated")
    check("Subject: your code" in text, f"a message that was waited for: {text}")


def run(server):
    agent = Cli(server, "api_key")
    bob = agent.json("inbox", "create", "bob")["inbox_id"]
    first, second = reading(server, agent, bob)
    labelling(agent, bob, first, second)
    writing(agent, bob)
    threads(agent, bob, first)
    drafts(agent, bob)
    waiting(server, agent, bob)
