// Drafts.
const { assert, atLevels, download, drives, has, lacks, pages, refused, seenByImap, unique } = require("./world.js");

const file = { filename: "plan.txt", contentType: "text/plain", content: Buffer.from("the plan\n").toString("base64") };

atLevels("drafts.list", async (test, scene) => {
    const made = [];
    for (let n = 0; n < 3; n += 1) {
        made.push((await test.quiet.inboxes.drafts.create(scene.inbox, { subject: `Draft ${n}` })).draftId);
    }
    const all = await pages((request) => scene.on("drafts").list(request), "drafts", {}, 10);
    assert.deepEqual(all.filter((d) => d.inboxId === scene.inbox).map((d) => d.draftId), [...made].reverse());
});

atLevels("drafts.get", async (test, scene) => {
    const made = await test.quiet.inboxes.drafts.create(scene.inbox, { to: ["Max <max@client.example.net>"], subject: "Größe", text: "Text." });
    const got = await scene.on("drafts").get(made.draftId);
    assert.deepEqual([got.to, got.subject, got.text.trim()], [["Max <max@client.example.net>"], "Größe", "Text."]);
    await refused(404, () => scene.on("drafts").get("01890000-0000-7000-8000-000000000000"), "not_found");
});

atLevels("drafts.getAttachment", async (test, scene) => {
    const made = await test.quiet.inboxes.drafts.create(scene.inbox, { subject: "x", attachments: [file] });
    const got = await scene.on("drafts").getAttachment(made.draftId, made.attachments[0].attachmentId);
    assert.equal((await download(got.downloadUrl)).toString(), "the plan\n");
});

drives("inboxes.drafts.create", async (test) => {
    const [inbox, clientId] = [await test.inbox(), unique("client")];
    const made = await test.client.inboxes.drafts.create(inbox, { to: [inbox], subject: "First", text: "x", clientId });
    assert.equal((await test.client.inboxes.drafts.create(inbox, { subject: "Second", clientId })).draftId, made.draftId);
    assert.deepEqual((await seenByImap(inbox, "Drafts")).map((m) => m.subject), ["First"]);
    const source = await test.receive(inbox, "Question");
    const reply = await test.client.inboxes.drafts.create(inbox, { inReplyTo: source, text: "Soon." });
    assert.deepEqual([reply.subject, reply.inReplyTo], ["Re: Question", source]);
    await refused(400, () => test.client.inboxes.drafts.create(inbox, { inReplyTo: source, forwardOf: source }), "validation_error");
});

drives("inboxes.drafts.update", async (test) => {
    const inbox = await test.inbox();
    const made = await test.quiet.inboxes.drafts.create(inbox, { to: ["a@client.example.net"], cc: ["c@client.example.net"], subject: "First" });
    const changed = await test.client.inboxes.drafts.update(inbox, made.draftId, { subject: "Second", cc: null, addAttachments: [file], addLabels: ["one"] });
    assert.deepEqual([changed.draftId, changed.subject, changed.to, changed.cc?.length ?? 0], [made.draftId, "Second", ["a@client.example.net"], 0]);
    assert.deepEqual(changed.attachments.map((a) => a.filename), ["plan.txt"]);
    has(changed.labels, "one");
    const sendAt = new Date(Date.now() + 3600_000);
    const scheduled = await test.client.inboxes.drafts.update(inbox, made.draftId, { sendAt });
    assert.equal(scheduled.sendStatus, "scheduled");
    has(scheduled.labels, "scheduled");
    const calm = await test.client.inboxes.drafts.update(inbox, made.draftId, { sendAt: null });
    assert.equal(calm.sendStatus ?? null, null);
    lacks(calm.labels, "scheduled");
});

drives("inboxes.drafts.send", async (test) => {
    const [inbox, other, subject] = [await test.inbox(), await test.inbox(), unique("Draft ")];
    const made = await test.quiet.inboxes.drafts.create(inbox, { to: [other], subject, text: "x", attachments: [file] });
    const sent = await test.client.inboxes.drafts.send(inbox, made.draftId, { addLabels: ["extra"] }, { idempotencyKey: unique("once") });
    assert.equal((await test.arrived(other, subject)).messageId, sent.messageId);
    has((await test.quiet.inboxes.messages.get(inbox, sent.messageId)).labels, "sent", "extra");
    await refused(404, () => test.quiet.inboxes.drafts.get(inbox, made.draftId), "not_found");
    assert.deepEqual(await seenByImap(inbox, "Drafts"), []);
});

drives("inboxes.drafts.delete", async (test) => {
    const inbox = await test.inbox();
    const made = await test.quiet.inboxes.drafts.create(inbox, { subject: "Gone" });
    await test.client.inboxes.drafts.delete(inbox, made.draftId);
    await refused(404, () => test.quiet.inboxes.drafts.get(inbox, made.draftId), "not_found");
});
