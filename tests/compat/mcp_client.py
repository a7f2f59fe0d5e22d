#!/usr/bin/env python3
"""The official MCP client over streamable HTTP: lists the tools, holds them against the documented catalog, and calls each."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import packages  # noqa: E402
import scenario  # noqa: E402

packages.use_python_packages("requirements-mcp.txt")
import asyncio  # noqa: E402
import base64  # noqa: E402
import json  # noqa: E402

import api  # noqa: E402
import corpus  # noqa: E402
import httpx2  # noqa: E402
import jsonschema  # noqa: E402
import smtp  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from scenario import Failure, check, equal, say  # noqa: E402
from server import Server  # noqa: E402

TOOLS = """list_inboxes get_inbox delete_inbox create_inbox update_inbox list_threads search_threads search_messages get_thread delete_thread
update_thread get_attachment list_messages send_message reply_to_message forward_message update_message create_draft list_drafts get_draft
send_draft delete_draft update_draft agent_verify""".split()
HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def as_json(model):
    return json.loads(model.model_dump_json(by_alias=True, exclude_none=True))


class Session:
    """A connected client that checks each result against the schema of its tool."""

    def __init__(self, client, tools):
        self.client, self.tools, self.called = client, tools, set()

    async def call(self, name, **words):
        result = as_json(await self.client.call_tool(name, words))
        self.called.add(name)
        text = "".join(part.get("text", "") for part in result["content"])
        if result.get("isError"):
            raise Failure(f"{name} said: {text}")
        value = result.get("structuredContent")
        value = json.loads(text) if value is None else value
        schema = self.tools[name].get("outputSchema")
        if schema:
            jsonschema.validate(value, schema)
        return value

    async def refused(self, name, **words):
        self.called.add(name)
        try:
            await self.call(name, **words)
        except Exception as error:  # noqa: BLE001 - a tool error or a protocol error
            return str(error)
        raise Failure(f"{name} was not refused")


def check_catalog(tools):
    missing = [name for name in TOOLS if name not in tools]
    check(not missing, f"tools that are not there: {missing}")
    for name, tool in tools.items():
        annotations = tool.get("annotations") or {}
        check(all(isinstance(annotations.get(hint), bool) for hint in HINTS), f"annotations of {name} are {annotations}")
        check(tool.get("description") and tool["inputSchema"]["type"] == "object", f"{name} lacks a description or a schema")
        check(tool.get("outputSchema"), f"{name} has no output schema")
    check(tools["list_threads"]["annotations"]["readOnlyHint"] and not tools["delete_inbox"]["annotations"]["readOnlyHint"], "readOnlyHint")
    check("inboxId" in tools["send_message"]["inputSchema"]["required"], "inboxId is not required by send_message")


async def arrives(session, inbox, subject):
    for _ in range(200):
        found = [m for m in (await session.call("list_messages", inboxId=inbox, subject=[subject]))["messages"] if "received" in m["labels"]]
        if found:
            return found[0]
        await asyncio.sleep(0.05)
    raise Failure(f"{subject!r} did not arrive")


async def inboxes(_, session, inbox, other):
    named = (await session.call("create_inbox", username="tooling", displayName="Tools", metadata={"team": "a"}))["inboxId"]
    equal((await session.call("get_inbox", inboxId=named))["displayName"], "Tools", "displayName")
    equal((await session.call("update_inbox", inboxId=named, displayName="New"))["displayName"], "New", "displayName after a change")
    check(inbox in [i["inboxId"] for i in (await session.call("list_inboxes", limit=50))["inboxes"]], "not in the list")
    await session.call("delete_inbox", inboxId=other)
    await session.refused("get_inbox", inboxId=other)
    await session.refused("send_message", inboxId=inbox)


async def report(server, session, inbox):
    """A message with attachments in the inbox, as the list shows it, and its files."""
    message, files = corpus.with_attachments(inbox, "Report")
    smtp.deliver(server, [inbox], corpus.octets(message), parameters=" BODY=8BITMIME")
    return await arrives(session, inbox, "Report"), files


async def reading(server, session, inbox, _):
    source, _ = await report(server, session, inbox)
    thread = source["threadId"]
    equal((await session.call("list_threads", inboxId=inbox))["threads"][0]["threadId"], thread, "the thread")
    equal([m["messageId"] for m in (await session.call("get_thread", inboxId=inbox, threadId=thread))["messages"]], [source["messageId"]], "messages")
    equal(len((await session.call("search_messages", inboxId=inbox, q="naïve"))["messages"]), 1, "messages found")
    equal(len((await session.call("search_threads", inboxId=inbox, q="Report"))["threads"]), 1, "threads found")


async def attachments(server, session, inbox, _):
    source, files = await report(server, session, inbox)
    got = await session.call("get_attachment", inboxId=inbox, threadId=source["threadId"], attachmentId=source["attachments"][0]["attachmentId"])
    equal((got["size"], got["filename"]), (len(files["report.pdf"]), "report.pdf"), "the attachment")
    check(got["downloadUrl"].startswith("http"), f"downloadUrl is {got['downloadUrl']}")


async def sending(server, session, inbox, other):
    source, _ = await report(server, session, inbox)
    file = {"filename": "a.txt", "contentType": "text/plain", "content": base64.b64encode(b"a").decode()}
    sent = await session.call("send_message", inboxId=inbox, to=[other], subject="By a tool", text="x", labels=["tool"], attachments=[file])
    there = await arrives(session, other, "By a tool")
    equal(there["messageId"], sent["messageId"], "messageId at the recipient")
    await session.call("reply_to_message", inboxId=other, messageId=sent["messageId"], text="Thanks", replyAll=True)
    await arrives(session, inbox, "Re: By a tool")
    await session.call("forward_message", inboxId=inbox, messageId=source["messageId"], to=[other], text="For you")
    await arrives(session, other, "Fwd: Report")


async def labels(server, session, inbox, _):
    source, _ = await report(server, session, inbox)
    changed = await session.call("update_message", inboxId=inbox, messageId=source["messageId"], addLabels=["done"], removeLabels=["unread"])
    check("done" in changed["labels"] and "unread" not in changed["labels"], f"labels are {changed['labels']}")
    thread = source["threadId"]
    check("kept" in (await session.call("update_thread", inboxId=inbox, threadId=thread, addLabels=["kept"]))["labels"], "label of the thread")
    await session.call("delete_thread", inboxId=inbox, threadId=thread)
    await session.refused("get_thread", inboxId=inbox, threadId=thread)


async def drafts(_, session, inbox, other):
    made = await session.call("create_draft", inboxId=inbox, to=[other], subject="Draft", text="x")
    equal((await session.call("get_draft", inboxId=inbox, draftId=made["draftId"]))["subject"], "Draft", "subject")
    await session.call("update_draft", inboxId=inbox, draftId=made["draftId"], subject="Draft changed")
    equal([d["draftId"] for d in (await session.call("list_drafts", inboxId=inbox))["drafts"]], [made["draftId"]], "drafts")
    await session.call("send_draft", inboxId=inbox, draftId=made["draftId"])
    await arrives(session, other, "Draft changed")
    gone = await session.call("create_draft", inboxId=inbox, subject="Gone")
    await session.call("delete_draft", inboxId=inbox, draftId=gone["draftId"])


async def waiting(server, session, inbox, _):
    """Our own tool: mail that comes while the call waits."""
    waiting = asyncio.create_task(session.call("wait_for_message", inboxId=inbox, subject="your code", extract="code", timeout=20))
    await asyncio.sleep(0.5)
    content = corpus.octets(corpus.plain(inbox, "Your code", "Your code is 482913.\n"))
    await asyncio.to_thread(smtp.deliver, server, [inbox], content)
    told = await waiting
    check("482913" in json.dumps(told.get("extraction")) and told["message"]["subject"] == "Your code", f"what was waited for: {told}")


def connect(server, header):
    return streamable_http_client(server.ready["api"] + "/mcp", http_client=httpx2.AsyncClient(headers=header, timeout=60))


async def everything(server):
    key = server.ready["api_key"]
    async with Client(connect(server, {"x-api-key": key})) as client:
        tools = {tool["name"]: tool for tool in as_json(await client.list_tools())["tools"]}
        check_catalog(tools)
        session = Session(client, tools)
        failed = []
        for part in (inboxes, reading, attachments, sending, labels, drafts, waiting):
            inbox, other = [(await session.call("create_inbox"))["inboxId"] for _ in range(2)]
            try:
                await part(server, session, inbox, other)
                say(f"ok   {part.__name__}")
            except Exception as error:  # noqa: BLE001 - one part must not hide the others
                failed.append(part.__name__)
                say(f"FAIL {part.__name__}: {error}")
        check(not failed, f"failed: {', '.join(failed)}")
        await session.refused("agent_verify", otpCode="000000")  # this organization did not sign up as an agent
        equal(sorted(set(tools) - session.called), [], "tools that were not called")
    async with Client(connect(server, {"Authorization": f"Bearer {key}"})) as client:
        check(as_json(await client.list_tools())["tools"], "no tools with the key as a bearer")
    try:
        async with Client(connect(server, {"x-api-key": "am_nothing"})) as client:
            await client.list_tools()
    except BaseException:  # noqa: BLE001 - the client raises a group of errors
        pass
    else:
        raise Failure("a key that opens nothing lists the tools")
    say(f"{len(session.called)} tools")


def leaf(error):
    """What the client's groups of errors are about."""
    return leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def run():
    with Server() as server:
        status, _ = api.request(server, "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        equal(status, 401, "status without a key")
        try:
            asyncio.run(everything(server))
        except BaseExceptionGroup as group:
            raise leaf(group) from None


if __name__ == "__main__":
    scenario.main(run, 120)
