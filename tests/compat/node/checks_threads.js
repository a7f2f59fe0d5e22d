// Threads, seen from the organization, a pod and an inbox.
const { assert, atLevels, crypto, download, has, lacks, pages, refused, seenByImap, unique } = require("./world.js");

async function conversation(test, scene, subject = unique("Talk ")) {
    const first = await test.receive(scene.inbox, subject, { text: "The first." });
    const second = await test.receive(scene.inbox, `Re: ${subject}`, { text: "The second.", fields: { "In-Reply-To": first, References: first } });
    return { subject, ids: [first, second], id: await test.threadOf(scene.inbox, first) };
}

atLevels("threads.list", async (test, scene) => {
    const talk = await conversation(test, scene);
    const later = await conversation(test, scene);
    const found = (await scene.on("threads").list({ subject: [talk.subject] })).threads;
    assert.deepEqual(found.map((t) => [t.threadId, t.messageCount, t.lastMessageId, t.inboxId]), [[talk.id, 2, talk.ids[1], scene.inbox]]);
    assert(found[0].timestamp instanceof Date && found[0].receivedTimestamp instanceof Date);
    const mine = await pages((request) => scene.on("threads").list(request), "threads", { recipients: [scene.inbox] }, 1);
    assert.deepEqual(mine.map((t) => t.threadId), [later.id, talk.id]);
});

atLevels("threads.get", async (test, scene) => {
    const talk = await conversation(test, scene);
    const thread = await scene.on("threads").get(talk.id);
    assert.deepEqual(thread.messages.map((m) => m.messageId), talk.ids);
    const newest = await scene.on("threads").get(talk.id, { limit: 1 });
    assert.deepEqual(newest.messages.map((m) => m.messageId), [talk.ids[1]]);
    assert.equal((await scene.on("threads").get(talk.id, { limit: 1, pageToken: newest.nextPageToken })).messages[0].messageId, talk.ids[0]);
    await refused(404, () => scene.on("threads").get("01890000-0000-7000-8000-000000000000"), "not_found");
});

atLevels("threads.search", async (test, scene) => {
    const word = unique("needle");
    const talk = await conversation(test, scene, `About ${word}`);
    assert.deepEqual((await scene.on("threads").search({ q: word })).threads.map((t) => t.threadId), [talk.id]);
});

atLevels("threads.update", async (test, scene) => {
    const talk = await conversation(test, scene);
    const changed = await scene.on("threads").update(talk.id, { addLabels: ["VIP"], removeLabels: ["unread"] });
    has(changed.labels, "vip");
    lacks(changed.labels, "unread");
    assert((await seenByImap(scene.inbox)).every((m) => m.flags.has("\\Seen") && [...m.flags].some((f) => f.toLowerCase() === "vip")));
});

atLevels("threads.delete", async (test, scene) => {
    const talk = await conversation(test, scene);
    await scene.on("threads").delete(talk.id);
    await refused(404, () => scene.on("threads").get(talk.id), "not_found");
    assert.deepEqual(await seenByImap(scene.inbox), []);
});

atLevels("threads.getAttachment", async (test, scene) => {
    const file = { name: "data.bin", content: crypto.randomBytes(2000) };
    const id = await test.threadOf(scene.inbox, await test.receive(scene.inbox, "File", { file }));
    const [known] = (await test.quiet.threads.get(id)).attachments;
    const got = await scene.on("threads").getAttachment(id, known.attachmentId);
    assert((await download(got.downloadUrl)).equals(file.content));
});
