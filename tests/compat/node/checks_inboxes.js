// Inboxes and pods.
const { assert, atLevels, drives, pages, refused, seenByImap, unique } = require("./world.js");

const ABOVE = ["organization", "pod"];

atLevels("inboxes.create", async (test, scene) => {
    const username = unique("made");
    const clientId = unique("client");
    const wanted = { username, displayName: "Support", clientId, metadata: { tier: "gold", seats: 5, trial: true } };
    const made = await scene.on("inboxes").create(wanted);
    assert.equal(made.email, `${username}@${test.domain}`);
    assert.deepEqual([made.inboxId, made.displayName, made.clientId, made.metadata], [made.email, "Support", clientId, wanted.metadata]);
    assert(made.createdAt instanceof Date && made.updatedAt instanceof Date);
    assert.equal((await scene.on("inboxes").create({ clientId })).inboxId, made.inboxId);
    await refused(403, () => scene.on("inboxes").create({ username }), "resource_taken");
    await test.receive(made.inboxId, "The first");
    assert.deepEqual((await seenByImap(made.inboxId)).map((m) => m.subject), ["The first"]);
}, ABOVE);

drives("inboxes.create", async (test) => {
    const made = await test.client.inboxes.create(undefined);
    assert(made.inboxId.endsWith(`@${test.domain}`));
});

atLevels("inboxes.get", async (test, scene) => {
    assert.equal((await scene.on("inboxes").get(scene.inbox)).inboxId, scene.inbox);
    await refused(404, () => scene.on("inboxes").get(`nobody-here@${test.domain}`), "not_found");
}, ABOVE);

atLevels("inboxes.list", async (test, scene) => {
    const made = [scene.inbox, await test.inbox(scene.pod), await test.inbox(scene.pod)];
    assert.deepEqual((await scene.on("inboxes").list({ limit: 3 })).inboxes.map((i) => i.inboxId), [...made].reverse());
    const all = await pages((request) => scene.on("inboxes").list(request), "inboxes", { ascending: true }, scene.level === "pod" ? 2 : 50);
    assert.deepEqual(all.map((i) => i.inboxId).slice(-3), made);
}, ABOVE);

atLevels("inboxes.search", async (test, scene) => {
    const word = unique("w");
    const inbox = await test.inbox(scene.pod, { username: word });
    assert.deepEqual((await scene.on("inboxes").search({ q: word })).inboxes.map((i) => i.inboxId), [inbox]);
    await refused(400, () => scene.on("inboxes").search({ q: "x" }), "validation_error");
}, ABOVE);

atLevels("inboxes.update", async (test, scene) => {
    const api = scene.on("inboxes");
    const changed = await api.update(scene.inbox, { displayName: "New", metadata: { a: "1", b: 2 } });
    assert.deepEqual([changed.displayName, changed.metadata], ["New", { a: "1", b: 2 }]);
    assert.deepEqual((await api.update(scene.inbox, { metadata: { a: null } })).metadata, { b: 2 });
    const cleared = await api.update(scene.inbox, { metadata: null });
    assert(!cleared.metadata || Object.keys(cleared.metadata).length === 0);
    assert.equal(cleared.displayName, "New");
}, ABOVE);

atLevels("inboxes.delete", async (test, scene) => {
    await scene.on("inboxes").delete(scene.inbox);
    await refused(404, () => scene.on("inboxes").get(scene.inbox), "not_found");
    await assert.rejects(test.receive(scene.inbox));
}, ABOVE);

drives("pods.create", async (test) => {
    const clientId = unique("client");
    const pod = await test.client.pods.create({ name: "Customer", clientId });
    assert.deepEqual([pod.name, pod.clientId], ["Customer", clientId]);
    assert.equal((await test.client.pods.create({ clientId })).podId, pod.podId);
});

drives("pods.get", async (test) => {
    const pod = await test.quiet.pods.create({ name: "P" });
    assert.equal((await test.client.pods.get(pod.podId)).name, "P");
    await refused(404, () => test.client.pods.get("01890000-0000-7000-8000-000000000000"), "not_found");
});

drives("pods.list", async (test) => {
    const made = [(await test.quiet.pods.create({ name: "P" })).podId, (await test.quiet.pods.create({ name: "Q" })).podId];
    assert.deepEqual((await test.client.pods.list({ limit: 2 })).pods.map((p) => p.podId), [...made].reverse());
});

drives("pods.delete", async (test) => {
    const pod = (await test.quiet.pods.create({ name: "P" })).podId;
    await test.client.pods.delete(pod);
    await refused(404, () => test.client.pods.get(pod), "not_found");
});
