#!/usr/bin/env node
// A fake Telegram Bot API server for tests, with faults on demand. Plain Node, no dependencies.
//
//   node telegram.mjs [--port N] [--token T] [--dir FOLDER]   prints {"port":N} once it listens
//
// /bot<TOKEN>/<method>         the Bot API                /file/bot<TOKEN>/<path>   downloads
// POST /control/say            {chat, from, text, thread?, reply_to?, media?, ...}: a person writes
// POST /control/press          {chat, message_id, data | label, from}: a person presses a button
// POST /control/update         a raw update (update_id is filled in when missing)
// POST /control/chat           {id, ...}: makes or changes a chat (blocked, kicked, muted, topics, admins)
// POST /control/migrate        {from, to}
// POST /control/fault          {method | methods, times?, skip?, kind, ...}; kinds see `fault`
// POST /control/set            {...}: fields of the world (uploadLimit, webhook, nextUpdate, ...)
// GET  /control/state          everything worth looking at
import { createServer } from 'node:http';
import { methods, readParams, Refusal } from './telegram_methods.mjs';
import { parseMultipart } from './multipart.mjs';

export function createWorld({ token = '7000000001:AAExampleTokenForTests_abcdefghijk', dir } = {}) {
  return {
    token, dir, keepBytes: true,
    me: { id: Number(token.split(':')[0]), is_bot: true, first_name: 'Clip Bot', username: 'ExampleClipBot' },
    now: () => Math.floor(Date.now() / 1000),
    chats: new Map(), files: new Map(), queries: new Map(), menus: new Map(), queue: [], faults: [],
    calls: {}, log: [], uploads: [], complaints: [], webhook: '', nextUpdate: 880100201, menuWrites: 0,
    uploadLimit: 50_000_000, queryMs: 150_000, delivered: 0, conflicts: 0, unauthorized: 0,
    openPoll: null, lastConfirm: 0, allowed: null, lastQuery: 0,
  };
}

function chatFor(world, id, patch = {}) {
  let chat = world.chats.get(id);
  if (!chat) {
    const type = patch.type ?? (id > 0 ? 'private' : id < -1e12 ? 'supergroup' : 'group');
    chat = { type, lastMessage: 0, messages: new Map(), public: { id, type, ...(id > 0 ? { first_name: 'Ana' } : { title: 'Film club' }) } };
    world.chats.set(id, chat);
  }
  Object.assign(chat, patch, { public: { ...chat.public, ...(patch.topics ? { is_forum: true } : {}) } });
  return chat;
}

function push(world, update) {
  const full = { update_id: update.update_id ?? world.nextUpdate++, ...update };
  if (update.update_id !== undefined) world.nextUpdate = update.update_id + 1;
  world.queue.push(full);
  world.openPoll?.wake();
  return full;
}

const entitiesOf = (text) => {
  const list = [];
  for (const m of text.matchAll(/(^|\s)(\/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]+)?|@[A-Za-z0-9_]{3,})/g)) {
    const offset = m.index + m[1].length;
    list.push({ type: m[2][0] === '/' ? 'bot_command' : 'mention', offset, length: m[2].length });
  }
  return list;
};

export const control = {
  say(world, q) {
    const chat = chatFor(world, q.chat ?? q.from?.id ?? 6123456789);
    const from = { id: 6123456789, is_bot: false, first_name: 'Ana', username: 'ana_s', language_code: 'en', ...q.from };
    const message = { message_id: ++chat.lastMessage, from, chat: chat.public, date: q.date ?? world.now(), ...q.extra };
    if (q.thread) Object.assign(message, { message_thread_id: q.thread, is_topic_message: true });
    if (q.reply_to) message.reply_to_message = { ...(chat.messages.get(q.reply_to) ?? q.reply_to), reply_to_message: undefined };
    if (q.text != null) {
      const entities = entitiesOf(q.text);
      const field = q.extra?.photo || q.extra?.video ? 'caption' : 'text';
      message[field] = q.text;
      if (entities.length) message[field === 'text' ? 'entities' : 'caption_entities'] = entities;
    }
    chat.messages.set(message.message_id, message);
    return push(world, { message });
  },
  press(world, q) {
    const chat = chatFor(world, q.chat);
    const message = chat.messages.get(q.message_id);
    const buttons = message?.reply_markup?.inline_keyboard?.flat() ?? [];
    const data = q.data ?? buttons.find((b) => b.text.includes(q.label))?.callback_data;
    if (data === undefined) throw new Error(`no button ${q.label} on message ${q.message_id}`);
    const id = String(4382000000000000n + BigInt(++world.lastQuery));
    world.queries.set(id, { at: Date.now() });
    const from = { id: 6123456789, is_bot: false, first_name: 'Ana', username: 'ana_s', language_code: 'en', ...q.from };
    return push(world, { callback_query: { id, from, message, chat_instance: '-3911222333444555666', data } });
  },
  update: (world, q) => push(world, q),
  chat: (world, q) => { chatFor(world, q.id, q); return true; },
  migrate(world, q) {
    const old = chatFor(world, q.from);
    const fresh = chatFor(world, q.to, { type: 'supergroup' });
    old.migratedTo = q.to;
    const from = { id: 6123456789, is_bot: false, first_name: 'Ana' };
    push(world, { message: { message_id: ++old.lastMessage, from, chat: old.public, date: world.now(), migrate_to_chat_id: q.to } });
    push(world, { message: { message_id: ++fresh.lastMessage, from, chat: fresh.public, date: world.now(), migrate_from_chat_id: q.from } });
    return true;
  },
  // kind: status {code, description, parameters}, html {code}, reset, lost (done, then cut), cut (mid body), slow {ms}, junk {body},
  // kill {pid, done, after}: SIGKILL before or after the request was done, or after so many bytes of its body
  fault: (world, q) => { world.faults.push({ times: 1, skip: 0, ...q }); return true; },
  set: (world, q) => { Object.assign(world, q); return true; },
  delete(world, q) { chatFor(world, q.chat).messages.get(q.message_id).deleted = true; return true; },
  file(world, q) { world.files.set(q.file_id, { file_unique_id: 'u', file_size: 3, ...q, bytes: q.base64 ? Buffer.from(q.base64, 'base64') : Buffer.from(q.text ?? 'abc') }); return true; },
  state(world) {
    return {
      chats: Object.fromEntries([...world.chats].map(([id, c]) => [id, [...c.messages.values()].filter((m) => !m.deleted)])),
      calls: world.calls, log: world.log, uploads: world.uploads, complaints: world.complaints, queued: world.queue.length,
      confirmed: world.lastConfirm, delivered: world.delivered, conflicts: world.conflicts, unauthorized: world.unauthorized,
      menus: Object.fromEntries(world.menus), menuWrites: world.menuWrites, webhook: world.webhook, allowed: world.allowed,
      queries: [...world.queries.values()], polling: world.openPoll !== null, faults: world.faults.length,
      files: Object.fromEntries([...world.files].map(([id, f]) => [id, { ...f, bytes: undefined }])),
    };
  },
};

async function getUpdates(world, p, res) {
  if (world.webhook) throw new Refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
  if (world.openPoll) {
    world.conflicts++;
    world.openPoll.end(new Refusal(409, 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running'));
  }
  if (p.allowed_updates !== undefined) world.allowed = p.allowed_updates.length ? p.allowed_updates : null;
  const offset = parseInt(p.offset ?? '0', 10);
  const last = world.queue.at(-1)?.update_id ?? world.nextUpdate - 1;
  if (offset > 0 && offset <= last + 11) {
    world.lastConfirm = offset;
    world.queue = world.queue.filter((u) => u.update_id >= offset);
  }
  const take = () => world.queue
    .filter((u) => !world.allowed || Object.keys(u).every((k) => k === 'update_id' || world.allowed.includes(k)))
    .slice(0, Math.min(Math.max(parseInt(p.limit ?? '100', 10), 1), 100));
  const timeout = Math.min(parseInt(p.timeout ?? '0', 10), 50) * 1000;
  if (take().length === 0 && timeout > 0) {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(done, timeout);
      const poll = { wake: () => { if (take().length) done(); }, end: (e) => { clear(); reject(e); } };
      function clear() { clearTimeout(timer); if (world.openPoll === poll) world.openPoll = null; }
      function done() { clear(); resolve(); }
      res.on('close', () => { if (world.openPoll === poll) done(); });
      world.openPoll = poll;
    });
  }
  const list = take();
  world.delivered += list.length;
  return list;
}

function takeFault(world, method) {
  const i = world.faults.findIndex((f) => f.method === method || f.method === '*' || f.methods?.includes(method));
  if (i < 0) return null;
  const f = world.faults[i];
  if (f.skip > 0) { f.skip--; return null; }
  if (--f.times <= 0) world.faults.splice(i, 1);
  return f;
}

function answer(res, code, body, headers = {}) {
  const text = JSON.stringify(body);
  res.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

function refuse(res, e) {
  const headers = e.parameters?.retry_after ? { 'Retry-After': String(e.parameters.retry_after) } : {};
  answer(res, e.code, { ok: false, error_code: e.code, description: e.message, ...(e.parameters ? { parameters: e.parameters } : {}) }, headers);
}

async function readBody(req, fault) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    chunks.push(chunk);
    size += chunk.length;
    if (fault?.kind === 'cut' && size > (fault.after ?? 1000)) { req.socket.resetAndDestroy(); return null; }
    if (fault?.kind === 'kill' && size > (fault.after ?? Infinity)) { process.kill(fault.pid, 'SIGKILL'); return null; }
  }
  return Buffer.concat(chunks);
}

function paramsOf(req, url, body) {
  const type = req.headers['content-type'] ?? '';
  const query = Object.fromEntries(url.searchParams);
  if (type.startsWith('multipart/form-data')) {
    const { fields, files } = parseMultipart(body, type);
    return [{ ...query, ...fields }, files];
  }
  if (type.startsWith('application/json')) return [{ ...query, ...JSON.parse(body.toString() || '{}') }, {}];
  return [{ ...query, ...Object.fromEntries(new URLSearchParams(body.toString())) }, {}];
}

async function serveMethod(world, req, res, url, name) {
  const method = Object.keys(methods).concat('getUpdates').find((m) => m.toLowerCase() === name.toLowerCase());
  const fault = method ? takeFault(world, method) : null;
  const body = await readBody(req, fault);
  if (body === null) return undefined;
  if (!method) throw new Refusal(404, 'Not Found');
  world.calls[method] = (world.calls[method] ?? 0) + 1;
  if (fault?.kind === 'slow') await new Promise((r) => setTimeout(r, fault.ms));
  if (fault?.kind === 'status') throw new Refusal(fault.code, fault.description, fault.parameters);
  if (fault?.kind === 'reset') return req.socket.resetAndDestroy();
  if (fault?.kind === 'kill' && !fault.done) { process.kill(fault.pid, 'SIGKILL'); return req.socket.resetAndDestroy(); }
  if (fault?.kind === 'html') { res.writeHead(fault.code ?? 502, { 'Content-Type': 'text/html' }); return res.end('<html>Bad Gateway</html>'); }
  if (fault?.kind === 'junk') { res.writeHead(200, { 'Content-Type': 'application/json' }); return res.end(fault.body); }
  const [raw, files] = paramsOf(req, url, body);
  world.attachments = files;
  const params = readParams(world, method, raw);
  const result = method === 'getUpdates' ? await getUpdates(world, params, res) : methods[method](world, params, files);
  if (fault?.kind === 'kill') process.kill(fault.pid, 'SIGKILL');
  if (fault?.kind === 'lost' || fault?.kind === 'kill') return req.socket.resetAndDestroy();
  return answer(res, 200, { ok: true, result });
}

async function serveControl(world, req, res, name) {
  const body = await readBody(req);
  const result = control[name](world, body.length ? JSON.parse(body.toString()) : {});
  answer(res, 200, result ?? true);
}

export function createFake(options) {
  const world = createWorld(options);
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, async (req, res) => {
    try {
      const url = new URL(req.url, 'http://localhost');
      const c = /^\/control\/(\w+)$/.exec(url.pathname);
      if (c) return await serveControl(world, req, res, c[1]);
      const f = /^\/file\/bot([^/]+)\/(.+)$/.exec(url.pathname);
      const m = /^\/bot([^/]+)\/(\w+)$/.exec(url.pathname);
      if ((f ?? m)?.[1] !== world.token) {
        world.unauthorized++;
        await readBody(req);
        throw m ? new Refusal(401, 'Unauthorized') : new Refusal(404, 'Not Found');
      }
      if (m) return await serveMethod(world, req, res, url, m[2]);
      const file = [...world.files.values()].find((x) => (x.file_path ?? `videos/${x.file_id}.mp4`) === f[2]);
      if (!file?.bytes) throw new Refusal(404, 'Not Found');
      res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': file.bytes.length });
      return res.end(file.bytes);
    } catch (e) {
      if (res.headersSent || res.destroyed) return undefined;
      if (e instanceof Refusal) return refuse(res, e);
      return answer(res, 500, { ok: false, error_code: 500, description: `fake: ${e.stack}` });
    }
  });
  return { world, server };
}

function option(name) {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : undefined;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const { server } = createFake({ token: option('token'), dir: option('dir') });
  server.listen(Number(option('port') ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
}
