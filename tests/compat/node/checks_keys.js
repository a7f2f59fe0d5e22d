// API keys, who they are, the organization, and the sign-up of agents.
const { assert, atLevels, drives, refused, settings, unique, waitUntil } = require("./world.js");

atLevels("apiKeys.create", async (test, scene) => {
    const made = await scene.on("apiKeys").create({ name: "reader", permissions: { messageRead: true } });
    assert(made.apiKey.startsWith("am_") && made.apiKey.startsWith(made.prefix));
    const mine = test.withKey(made.apiKey);
    const who = await mine.auth.me();
    assert.deepEqual([who.scopeType, who.apiKeyId], [scene.level, made.apiKeyId]);
    assert.equal((await mine.inboxes.messages.list(scene.inbox)).count, 0);
    await refused(403, () => mine.inboxes.messages.send(scene.inbox, { to: scene.inbox, text: "x" }), "missing_permission");
    if (scene.level !== "organization") {
        const elsewhere = await test.inbox();
        await refused(404, () => mine.inboxes.messages.list(elsewhere), "not_found");
    }
});

atLevels("apiKeys.list", async (test, scene) => {
    const made = [(await scene.on("apiKeys").create({ name: "a" })).apiKeyId, (await scene.on("apiKeys").create({ name: "b" })).apiKeyId];
    const found = (await scene.on("apiKeys").list({ limit: 2 })).apiKeys;
    assert.deepEqual(found.map((k) => k.apiKeyId), [...made].reverse());
    assert(found.every((k) => !("apiKey" in k) && !("api_key" in k)));
});

drives("apiKeys.get", async (test) => {
    const made = await test.quiet.apiKeys.create({ name: "mine", permissions: { draftRead: true } });
    const got = await test.client.apiKeys.get(made.apiKeyId);
    assert.deepEqual([got.type, got.name, got.permissions.draftRead], ["bearer", "mine", true]);
});

atLevels("apiKeys.update", async (test, scene) => {
    const made = await scene.on("apiKeys").create({ name: "before", permissions: { messageRead: true } });
    const changed = await scene.on("apiKeys").update(made.apiKeyId, { name: "after", permissions: { draftRead: true } });
    assert.deepEqual([changed.name, changed.permissions.draftRead], ["after", true]);
    await refused(403, () => test.withKey(made.apiKey).inboxes.messages.list(scene.inbox), "missing_permission");
});

atLevels("apiKeys.delete", async (test, scene) => {
    const made = await scene.on("apiKeys").create({ name: "gone" });
    await scene.on("apiKeys").delete(made.apiKeyId);
    await refused(401, () => test.withKey(made.apiKey).auth.me(), "unknown_api_key");
});

drives("auth.me", async (test) => {
    const who = await test.client.auth.me();
    assert.deepEqual([who.scopeType, who.organizationId], ["organization", settings.organization]);
    await refused(401, () => test.withKey("am_nothing").auth.me(), "unknown_api_key");
});

drives("organizations.get", async (test) => {
    await test.inbox();
    const got = await test.client.organizations.get();
    assert(got.organizationId === settings.organization && got.inboxCount >= 1 && got.createdAt instanceof Date);
});

drives(["agent.signUp", "agent.verify"], async (test) => {
    const human = await test.inbox();
    const made = await test.client.agent.signUp({ username: unique("agent"), humanEmail: human });
    const mine = test.withKey(made.apiKey);
    const other = await test.inbox();
    await refused(403, () => mine.inboxes.messages.send(made.inboxId, { to: other, text: "x" }), "message_rejected");
    const code = await waitUntil(async () => {
        const [item] = (await test.quiet.inboxes.messages.list(human)).messages;
        return item && /\b\d{6}\b/.exec((await test.quiet.inboxes.messages.get(human, item.messageId)).text ?? "");
    }, "the code");
    assert.equal((await mine.agent.verify({ otpCode: code[0] })).verified, true);
    await mine.inboxes.messages.send(made.inboxId, { to: other, text: "free" });
});
