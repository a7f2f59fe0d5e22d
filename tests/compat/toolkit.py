#!/usr/bin/env python3
"""The vendor's toolkit for agents: each of its tools, over a client with our address, with the arguments its schemas make."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "python"), os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-agentmail.txt")
import base64  # noqa: E402
import re  # noqa: E402

import corpus  # noqa: E402
from agentmail_toolkit.toolkit import Toolkit  # noqa: E402
from agentmail_toolkit.util import api_error_message  # noqa: E402
from scenario import check, equal, say, wait_until  # noqa: E402
from server import Server  # noqa: E402
from world import ONCE, Case, new_client, unique  # noqa: E402


class Functions(Toolkit):
    """The toolkit without a framework around it: a tool is a function of its checked arguments."""

    def _build_tool(self, tool):
        def call(**words):
            self.called.add(tool.name)
            return tool.func(self.client, tool.params_schema(**words).model_dump(exclude_none=True))

        return call

    def __init__(self, client):
        self.called = set()
        super().__init__(client)
        self.by_name = self._tools

    def __call__(self, name, **words):
        return self.by_name[name](**words)


def inboxes_and_mail(case, tools):
    inbox = tools("create_inbox", username=unique("tool"), display_name="Tool").inbox_id
    equal(tools("get_inbox", inbox_id=inbox).display_name, "Tool", "display_name")
    equal(tools("list_inboxes", limit=1).inboxes[0].inbox_id, inbox, "the newest inbox")
    message, files = corpus.with_attachments(inbox, "Report")
    source = case.receive(inbox, message=message)
    thread = tools("list_threads", inbox_id=inbox, labels=["unread"]).threads[0]
    got = tools("get_thread", inbox_id=inbox, thread_id=thread.thread_id)
    equal([m.message_id for m in got.messages], [source], "messages of the thread")
    attachment = tools("get_attachment", inbox_id=inbox, thread_id=thread.thread_id, attachment_id=got.attachments[0].attachment_id)
    equal(attachment.size, len(files["report.pdf"]), "size of the attachment")
    check("unread" not in tools("update_message", inbox_id=inbox, message_id=source, add_labels=["done"], remove_labels=["unread"]).labels, "unread")
    other, file = case.inbox(), {"filename": "a.txt", "content": base64.b64encode(b"a").decode()}
    sent = tools("send_message", inbox_id=inbox, to=[other], subject="Sent by a tool", text="x", labels=["tool"], attachments=[file])
    case.arrived(other, "Sent by a tool")
    check(sent.thread_id in [t.thread_id for t in tools("list_threads", inbox_id=inbox, labels=["sent"]).threads], "not among the sent threads")
    reply = tools("reply_to_message", inbox_id=other, message_id=sent.message_id, text="Thanks", reply_all=True)
    wait_until(lambda: tools("get_thread", inbox_id=inbox, thread_id=sent.thread_id).message_count == 2, "the reply in the thread")
    forward = tools("forward_message", inbox_id=inbox, message_id=source, to=[other], text="For you")
    check(reply.message_id != forward.message_id, "message ids")
    tools("delete_inbox", inbox_id=inbox)
    try:
        tools("get_inbox", inbox_id=inbox)
    except Exception as error:  # noqa: BLE001 - what the toolkit tells the model
        check("404" in api_error_message(error), f"the toolkit says {api_error_message(error)}")
    else:
        check(False, "a deleted inbox is still there")


def sign_up(case, server):
    human = case.inbox()
    made = new_client(server, None).agent.sign_up(username=unique("agent"), request_options=ONCE)
    tools = Functions(new_client(server, made.api_key))
    equal(tools("agent_attach_human", human_email=human).human_email, human, "human_email")
    texts = lambda: [case.quiet.inboxes.messages.get(human, m.message_id).text or "" for m in case.quiet.inboxes.messages.list(human).messages]  # noqa: E731
    code = wait_until(lambda: next(filter(None, (re.search(r"\b\d{6}\b", text) for text in texts())), None), "the code")
    check(tools("agent_verify", otp_code=code[0]).verified, "not verified")
    return tools


def run():
    with Server() as server:
        case = Case(server)
        tools = Functions(new_client(server, server.ready["api_key"]))
        inboxes_and_mail(case, tools)
        called = tools.called | sign_up(case, server).called
        equal(sorted(set(tools.by_name) - called), [], "tools that were not called")
        say(f"{len(called)} tools")


if __name__ == "__main__":
    scenario.main(run, 120)
