// Webhooks, the WebSocket and the metrics.
const { assert, atLevels, crypto, drives, receiver, refused, settings, unique, waitUntil } = require("./world.js");

const hook = (extra = {}) => ({ url: "http://127.0.0.1:9/never", eventTypes: ["message.received"], ...extra });
const names = (list) => list.map((name) => name.toLowerCase()).sort();

function signed(secret, post) {
    const { "svix-id": id, "svix-timestamp": at, "svix-signature": signature } = post.headers;
    const key = Buffer.from(secret.replace("whsec_", ""), "base64");
    return signature.split(" ").includes(`v1,${crypto.createHmac("sha256", key).update(`${id}.${at}.${post.body}`).digest("base64")}`);
}

atLevels("webhooks.create", async (test, scene) => {
    const web = await receiver();
    const clientId = unique("client");
    const made = await scene.on("webhooks").create(hook({ url: `${web.url}/hook`, clientId, headers: { "X-Shared": "4711" } }));
    assert(made.webhookId.startsWith("ep_") && made.secret.startsWith("whsec_") && made.enabled === true && made.createdAt instanceof Date);
    assert.equal((await scene.on("webhooks").create(hook({ clientId }))).webhookId, made.webhookId);
    const id = await test.receive(scene.inbox, "Hooked");
    const post = await waitUntil(() => web.posts.find((one) => one.body.includes(id.slice(1, -1))), "the post");
    const event = JSON.parse(post.body);
    assert(signed(made.secret, post), "the signature is wrong");
    assert.deepEqual([event.event_type, event.message.message_id, post.headers["x-shared"]], ["message.received", id, "4711"]);
    await test.quiet.webhooks.delete(made.webhookId);
    web.close();
});

atLevels("webhooks.get", async (_, scene) => {
    const made = await scene.on("webhooks").create(hook());
    assert.equal((await scene.on("webhooks").get(made.webhookId)).secret, made.secret);
    await refused(404, () => scene.on("webhooks").get("ep_nothing"), "not_found");
});

atLevels("webhooks.list", async (_, scene) => {
    const made = [(await scene.on("webhooks").create(hook())).webhookId, (await scene.on("webhooks").create(hook())).webhookId];
    assert.deepEqual((await scene.on("webhooks").list({ limit: 2 })).webhooks.map((w) => w.webhookId), [...made].reverse());
});

atLevels("webhooks.update", async (_, scene) => {
    const made = await scene.on("webhooks").create(hook());
    assert.deepEqual((await scene.on("webhooks").update(made.webhookId, { eventTypes: ["message.sent"] })).eventTypes, ["message.sent"]);
    if (scene.level !== "inbox") {
        assert.deepEqual((await scene.on("webhooks").update(made.webhookId, { addInboxIds: [scene.inbox] })).inboxIds, [scene.inbox]);
    }
});

atLevels("webhooks.getHeaders", async (_, scene) => {
    const made = await scene.on("webhooks").create(hook({ headers: { "X-One": "1" } }));
    assert.deepEqual(names((await scene.on("webhooks").getHeaders(made.webhookId)).headerNames), ["x-one"]);
});

atLevels("webhooks.updateHeaders", async (_, scene) => {
    const made = await scene.on("webhooks").create(hook({ headers: { "X-One": "1", "X-Two": "2" } }));
    await scene.on("webhooks").updateHeaders(made.webhookId, { headers: { "X-Three": "3" }, removeHeaders: ["x-one"] });
    assert.deepEqual(names((await scene.on("webhooks").getHeaders(made.webhookId)).headerNames), ["x-three", "x-two"]);
});

atLevels("webhooks.delete", async (_, scene) => {
    const made = await scene.on("webhooks").create(hook());
    await scene.on("webhooks").delete(made.webhookId);
    await refused(404, () => scene.on("webhooks").get(made.webhookId), "not_found");
});

drives("websockets.connect", async (test) => {
    const inbox = await test.inbox();
    const socket = await test.client.websockets.connect({ apiKey: settings.key, reconnectAttempts: 3 });
    const heard = [];
    socket.on("message", (message) => heard.push(message));
    await socket.waitForOpen();
    socket.sendSubscribe({ type: "subscribe", inboxIds: [inbox], eventTypes: ["message.received"] });
    const subscribed = await waitUntil(() => heard[0], "the answer to subscribe");
    assert.deepEqual([subscribed.type, subscribed.inboxIds], ["subscribed", [inbox]]);
    const id = await test.receive(inbox, "For the socket");
    const event = await waitUntil(() => heard[1], "the event");
    assert.deepEqual([event.type, event.eventType, event.message.messageId, event.thread.inboxId], ["event", "message.received", id, inbox]);
    socket.close();
});

atLevels("metrics.queryEvents", async (test, scene) => {
    const range = { start: new Date(Date.now() - 3600_000), end: new Date(Date.now() + 3600_000), eventTypes: ["message.received"] };
    await test.receive(scene.inbox, "Counted");
    const points = (await scene.on("metrics").queryEvents({ ...range, period: 3600 }))["message.received"];
    assert(points.reduce((sum, point) => sum + point.count, 0) >= 1, JSON.stringify(points));
    assert((await scene.on("metrics").queryEvents(range))["message.received"].every((point) => point.count >= 1 && point.timestamp instanceof Date));
});

atLevels("metrics.queryUsage", async (test, scene) => {
    await test.receive(scene.inbox, "Counted");
    const got = await scene.on("metrics").queryUsage({ usageTypes: ["message_count", "storage_bytes"] });
    assert(got.message_count.at(-1).value >= 1 && got.storage_bytes.at(-1).value > 100, JSON.stringify(got));
});
