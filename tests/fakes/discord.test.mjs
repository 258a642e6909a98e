// The fake Discord is honest: discord.js, a real client, gets along with it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createWorld, startServer } from './discord.mjs';

const { Client, Events, AttachmentBuilder } = await import('discord.js').catch(() => ({}));

function post(port, name, body) {
  return fetch(`http://127.0.0.1:${port}/control/${name}`, { method: 'POST', body: JSON.stringify(body) }).then((r) => r.json());
}

async function until(what, ms = 8000) {
  for (const end = Date.now() + ms; Date.now() < end;) {
    const value = what();
    if (value) return value;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`not in time: ${what}`);
}

async function withClient(run) {
  const world = createWorld({ token: 'MTE4MDAwMDAwMDAwMDAwMDAwMQ.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB' });
  const server = await startServer(world);
  const port = server.address().port;
  const client = new Client({ intents: [], rest: { api: `http://127.0.0.1:${port}/api` } });
  const heard = [];
  client.on(Events.InteractionCreate, (i) => heard.push(i));
  client.on(Events.Error, () => {});
  try {
    await client.login(world.token);
    await until(() => client.isReady());
    await run({ world, port, client, heard });
  } finally {
    await client.destroy();
    server.closeAllConnections();
    server.close();
  }
}

const needs = { skip: Client ? false : 'discord.js is not installed', timeout: 30000 };

test('a command is heard, deferred, answered and followed', needs, () => withClient(async ({ world, port, heard }) => {
  await post(port, 'command', { name: 'make', options: { topic: 'sky', length: 30 } });
  const i = await until(() => heard[0]);
  assert.equal(i.isChatInputCommand(), true);
  assert.equal(i.options.getString('topic'), 'sky');
  assert.equal(i.options.getInteger('length'), 30);
  await i.deferReply({ flags: 64 });
  const none = { parse: [] };
  await i.editReply({ content: 'Quote', allowedMentions: none, components: [{ type: 1, components: [{ type: 2, style: 1, label: 'Go', custom_id: 'go:1' }] }] });
  const more = await i.followUp({ content: 'More', flags: 64, allowedMentions: none });
  assert.equal(world.messages.get(more.id).flags, 64);
  const first = [...world.messages.values()].find((m) => m.content === 'Quote');
  assert.equal(first.flags, 64);
  await assert.rejects(() => i.client.rest.post(`/interactions/${i.id}/${i.token}/callback`, { auth: false, body: { type: 5 } }), { code: 40060 });
  await post(port, 'press', { message: first.id, label: 'Go' });
  const press = await until(() => heard[1]);
  assert.equal(press.isButton() && press.customId, 'go:1');
  await press.deferUpdate();
  const file = new AttachmentBuilder(Buffer.alloc(5000), { name: 'video.mp4' });
  await press.editReply({ content: 'Film', files: [file], components: [], allowedMentions: none });
  assert.equal(world.messages.get(first.id).attachments[0].size, 5000);
  await post(port, 'set', { uploadLimit: 10 });
  await assert.rejects(() => press.editReply({ files: [file], allowedMentions: none }), { code: 40005 });
  assert.deepEqual(world.complaints.filter((c) => !c.includes('40060') && !c.includes('user agent')), []);
}));

test('choices and modals arrive as they were meant', needs, () => withClient(async ({ world, port, heard }) => {
  await post(port, 'complete', { name: 'voice', option: 'name', typed: 'am' });
  const c = await until(() => heard[0]);
  assert.equal(c.isAutocomplete() && c.options.getFocused(), 'am');
  await c.respond([{ name: 'amy', value: 'amy' }]);
  assert.equal(world.choices[0].value, 'amy');
  await post(port, 'modal', { custom_id: 'script', text: 'One.\nTwo.' });
  const m = await until(() => heard[1]);
  assert.equal(m.isModalSubmit() && m.fields.getTextInputValue('text'), 'One.\nTwo.');
}));

test('a cut link and op 7 are resumed, an invalid session begins anew', needs, () => withClient(async ({ world, port, heard }) => {
  await post(port, 'gateway', { do: 'op7' });
  await until(() => world.resumes === 1 && world.links.size === 1);
  await post(port, 'command', { name: 'help' });
  await until(() => heard.length === 1);
  await post(port, 'gateway', { do: 'cut' });
  await until(() => world.resumes === 2 && world.links.size === 1);
  await post(port, 'command', { name: 'help' });
  await until(() => heard.length === 2);
  await post(port, 'gateway', { do: 'op9', d: false });
  await until(() => world.identifies === 2, 15000);
}));

test('limits are told so that nobody runs into them', needs, () => withClient(async ({ world, port, heard }) => {
  await post(port, 'command', { name: 'help' });
  const i = await until(() => heard[0]);
  await i.deferReply();
  for (let n = 0; n < 12; n++) await i.editReply({ content: `edit ${n}`, allowedMentions: { parse: [] } });
  assert.equal(world.tooFast, 0);
}));
