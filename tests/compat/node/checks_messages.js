// Messages: reading, sending, labels, attachments.
const { assert, crypto, download, drives, has, lacks, pages, refused, seenByImap, unique, waitUntil } = require("./world.js");

const file = { name: "data.bin", content: crypto.randomBytes(3000) };
const attachment = { filename: "data.bin", contentType: "application/octet-stream", content: file.content.toString("base64") };

// The message that was sent, in another inbox, once it is there.
const arrives = (test, inbox, sent) => waitUntil(async () => (await test.quiet.inboxes.messages.batchGet(inbox, { messageIds: [sent.messageId] })).messages[0],
    `${sent.messageId} in ${inbox}`);

drives("inboxes.messages.get", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "Getting", { text: "Größe 7, 日本語.", fields: { Cc: "Max <max@other.example>", "X-Order": "4711" }, file });
    const got = await test.client.inboxes.messages.get(inbox, id);
    assert.deepEqual([got.messageId, got.inboxId, got.subject, got.from, got.to, got.cc], [id, inbox, "Getting", "zoe@client.example.net", [inbox],
        ["Max <max@other.example>"]]);
    assert.equal(got.text.trim(), "Größe 7, 日本語.");
    assert(got.timestamp instanceof Date && got.preview && got.size > 0 && got.threadId);
    assert.equal(got.headers["X-Order"], "4711");
    has(got.labels, "received", "unread");
    await refused(404, () => test.client.inboxes.messages.get(inbox, "<nothing@x.example>"), "not_found");
    for (const odd of ["org/repo/pull/1@forge.example", "a+b=c&d*e'f?g#h%20i@client.example.net"]) {
        const message = `<${unique()}-${odd}>`;
        await test.receive(inbox, odd, { fields: { "Message-ID": message } });
        assert.equal((await test.client.inboxes.messages.get(inbox, message)).subject, odd);
    }
});

drives("inboxes.messages.list", async (test) => {
    const inbox = await test.inbox();
    const ids = [];
    for (let n = 0; n < 5; n += 1) {
        ids.push(await test.receive(inbox, `Number ${n}`));
    }
    const list = (request) => test.client.inboxes.messages.list(inbox, request);
    const found = (page) => page.messages.map((m) => m.messageId);
    assert.deepEqual(found(await list()), [...ids].reverse());
    assert.deepEqual((await pages(list, "messages", { ascending: true })).map((m) => m.messageId), ids);
    assert.deepEqual(found(await list({ subject: ["NUMBER 3"] })), [ids[3]]);
    assert.deepEqual([(await list({ from: ["zoe", "client"] })).count, (await list({ from: ["zoe", "nobody"] })).count], [5, 0]);
    await test.quiet.inboxes.messages.update(inbox, ids[1], { addLabels: ["one", "two"] });
    assert.deepEqual(found(await list({ labels: ["one", "two"] })), [ids[1]]);
    const at = (await list({ ascending: true })).messages.map((m) => m.timestamp);
    assert.deepEqual(found(await list({ after: at[3], ascending: true })), ids.filter((_, n) => at[n] >= at[3]));
    await refused(400, () => list({ pageToken: "!" }), "validation_error");
});

drives("inboxes.messages.search", async (test) => {
    const inbox = await test.inbox();
    const word = unique("needle");
    const id = await test.receive(inbox, "Search", { text: `The word ${word} is here.` });
    await test.receive(inbox, "Other");
    const found = (await test.client.inboxes.messages.search(inbox, { q: word })).messages;
    assert.deepEqual(found.map((m) => m.messageId), [id]);
    assert(found[0].highlights.text[0].includes(`**${word}**`));
});

drives("inboxes.messages.batchGet", async (test) => {
    const inbox = await test.inbox();
    const ids = [await test.receive(inbox, "One"), await test.receive(inbox, "Two")];
    const got = await test.client.inboxes.messages.batchGet(inbox, { messageIds: [ids[1], "<missing@x.example>", ids[0]] });
    assert.deepEqual([got.limit, got.count, got.messages.map((m) => m.messageId)], [3, 2, [...ids].reverse()]);
    assert(got.messages.every((m) => m.text == null));
});

drives("inboxes.messages.batchUpdate", async (test) => {
    const inbox = await test.inbox();
    const ids = [await test.receive(inbox, "One"), await test.receive(inbox, "Two")];
    const got = await test.client.inboxes.messages.batchUpdate(inbox, { messageIds: ids, addLabels: ["done"], removeLabels: ["unread"] });
    assert.deepEqual([got.limit, got.count, got.updates.map((u) => u.messageId)], [2, 2, ids]);
    for (const update of got.updates) {
        has(update.labels, "done");
        lacks(update.labels, "unread");
    }
    assert((await seenByImap(inbox)).every((m) => m.flags.has("\\Seen") && m.flags.has("done")));
});

drives("inboxes.messages.update", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "Labels");
    const changed = await test.client.inboxes.messages.update(inbox, id, { addLabels: ["Important"], removeLabels: "unread" });
    has(changed.labels, "important", "received");
    lacks(changed.labels, "unread");
    assert.deepEqual([...(await seenByImap(inbox))[0].flags].map((f) => f.toLowerCase()).filter((f) => f !== "\\recent").sort(), ["\\seen", "important"]);
    await refused(400, () => test.client.inboxes.messages.update(inbox, id, { addLabels: ["sent"] }), "validation_error");
});

drives("inboxes.messages.delete", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "Gone");
    await test.client.inboxes.messages.delete(inbox, id);
    await refused(404, () => test.client.inboxes.messages.get(inbox, id), "not_found");
    assert.deepEqual(await seenByImap(inbox), []);
});

drives("inboxes.messages.getRaw", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "Raw");
    const raw = await test.client.inboxes.messages.getRaw(inbox, id);
    const content = await download(raw.downloadUrl);
    assert.deepEqual([raw.size, raw.messageId], [content.length, id]);
    assert(content.includes("Subject: Raw") && raw.expiresAt > new Date());
});

drives("inboxes.messages.getAttachment", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "File", { file });
    const [known] = (await test.quiet.inboxes.messages.get(inbox, id)).attachments;
    const got = await test.client.inboxes.messages.getAttachment(inbox, id, known.attachmentId);
    assert.deepEqual([got.filename, got.size], ["data.bin", 3000]);
    assert((await download(got.downloadUrl)).equals(file.content));
});

drives("inboxes.messages.send", async (test) => {
    const [inbox, other, hidden, subject, key] = [await test.inbox(undefined, { displayName: "Ada" }), await test.inbox(), await test.inbox(),
        unique("Grüße "), unique("once")];
    const wanted = { to: other, bcc: [hidden], subject, text: "Hello", html: "<p>Hello</p>", attachments: [attachment], labels: ["out"],
        headers: { "X-Campaign": "42" } };
    const sent = await test.client.inboxes.messages.send(inbox, wanted, { idempotencyKey: key });
    assert.equal((await test.client.inboxes.messages.send(inbox, wanted, { idempotencyKey: key })).messageId, sent.messageId);
    const got = await test.quiet.inboxes.messages.get(other, (await arrives(test, other, sent)).messageId);
    assert.deepEqual([got.from, got.to, got.subject, got.bcc ?? null], [`Ada <${inbox}>`, [other], subject, null]);
    assert.deepEqual([got.text.trim(), got.headers["X-Campaign"]], ["Hello", "42"]);
    const found = await test.quiet.inboxes.messages.getAttachment(other, sent.messageId, got.attachments[0].attachmentId);
    assert((await download(found.downloadUrl)).equals(file.content));
    await arrives(test, hidden, sent);
    const own = await waitUntil(async () => {
        const mine = await test.quiet.inboxes.messages.get(inbox, sent.messageId);
        return mine.labels.includes("delivered") && mine;
    }, "the label delivered");
    has(own.labels, "sent", "out");
    assert.equal((await seenByImap(inbox, "Sent")).length, 1);
    await refused(422, () => test.client.inboxes.messages.send(inbox, { text: "to nobody" }), "unprocessable");
    await refused(409, () => test.client.inboxes.messages.send(inbox, { ...wanted, text: "other" }, { idempotencyKey: key }), "conflict");
});

drives("inboxes.messages.reply", async (test) => {
    const [inbox, other, subject] = [await test.inbox(), await test.inbox(), unique("Question ")];
    await test.quiet.inboxes.messages.send(other, { to: inbox, subject, text: "What?" });
    const question = await test.arrived(inbox, subject);
    const sent = await test.client.inboxes.messages.reply(inbox, question.messageId, { text: "This." });
    assert.equal(sent.threadId, question.threadId);
    const answer = await arrives(test, other, sent);
    assert.deepEqual([answer.subject, answer.inReplyTo, answer.references], [`Re: ${subject}`, question.messageId, [question.messageId]]);
    assert.equal((await test.quiet.inboxes.messages.get(other, sent.messageId)).extractedText.trim(), "This.");
});

drives("inboxes.messages.replyAll", async (test) => {
    const [inbox, other, third, subject] = [await test.inbox(), await test.inbox(), await test.inbox(), unique("All ")];
    await test.quiet.inboxes.messages.send(other, { to: [inbox], cc: [third], subject, text: "Everyone?" });
    const question = await test.arrived(inbox, subject);
    const sent = await test.client.inboxes.messages.replyAll(inbox, question.messageId, { text: "Yes." });
    const answer = await arrives(test, third, sent);
    assert.deepEqual([...answer.to, ...(answer.cc ?? [])].sort(), [other, third].sort());
});

drives("inboxes.messages.forward", async (test) => {
    const [inbox, other, subject] = [await test.inbox(), await test.inbox(), unique("Report ")];
    const source = await test.receive(inbox, subject, { text: "The report.", file });
    const sent = await test.client.inboxes.messages.forward(inbox, source, { to: [other], text: "For you." });
    await arrives(test, other, sent);
    const got = await test.quiet.inboxes.messages.get(other, sent.messageId);
    assert.equal(got.subject, `Fwd: ${subject}`);
    assert(got.text.startsWith("For you.") && got.text.includes("The report."), got.text);
    assert.deepEqual(got.attachments.map((a) => a.filename), ["data.bin"]);
    assert.equal(sent.threadId, await test.threadOf(inbox, source));
});

drives("inboxes.events.list", async (test) => {
    const inbox = await test.inbox();
    const id = await test.receive(inbox, "Events");
    await test.quiet.inboxes.messages.update(inbox, id, { addLabels: ["first"] });
    const events = await pages((request) => test.client.inboxes.events.list(inbox, request), "events");
    assert(events.some((e) => e.eventType === "label.added" && e.label === "first" && e.messageId === id), JSON.stringify(events));
});
