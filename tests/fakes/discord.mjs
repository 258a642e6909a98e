#!/usr/bin/env node
// A fake Discord for tests: gateway (own WebSocket, zlib-stream) and REST, with faults on demand. Plain Node.
//
//   node discord.mjs [--token T]      prints {"port":N} once it listens
//
// /api/v10/...                 REST as documented       ws://.../gateway   the gateway
// POST /control/command        {user?, where?, name, options?, target?, resolved?}: a slash or message command
// POST /control/press          {message, label | custom_id, user?, where?, values?}
// POST /control/modal          {custom_id, text, user?, where?}     /control/complete {name, option, typed}
// POST /control/gateway        {do: op7 | op9 | op1 | cut | close | raw | mute, ...}
// POST /control/fault          {match: "PATCH /webhooks", times?, skip?, status, body?, headers?, html?, reset?, lost?}
// POST /control/set            {...}: tokenMs, uploadLimit, dmClosed, noAccess, botHere, heartbeat, identifies, ...
// GET  /control/state          everything worth looking at
import { createServer } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { parseMultipart } from './multipart.mjs';
import { Link, cutHere } from './discord_link.mjs';

const EPHEMERAL = 64;
const APP = '1180000000000000001', GUILD = '1090000000000000007', USER = '700000000000000003';
const places = {
  guild: { channel: '1090000000000000020', context: 0 }, thread: { channel: '1090000000000000021', context: 0 },
  dm: { channel: '1230000000000000044', context: 1 }, other: { channel: '1230000000000000099', context: 2 },
};

export class Refusal extends Error {
  constructor(status, code, message, extra = {}) { super(message); Object.assign(this, { status, code, extra }); }
}

export function createWorld({ token = 'discord-test-token' } = {}) {
  return {
    token, tokenMs: 900_000, ackMs: 3000, uploadLimit: 10 * 1024 * 1024, tooLarge: 0, heartbeat: 41250, mute: false, hello: true,
    dmClosed: false, noAccess: false, botHere: true, shards: 1, maxConcurrency: 1, remaining: 1000, refuseUpgrade: 0,
    closeOnIdentify: 0, invalidSession: false, noArabic: false, resumeUrl: '', bucketLimit: 5, bucketMs: 200, nonceMs: 300_000,
    nextId: 1_250_000_000_000_000_000n, sessions: new Map(), links: new Set(), interactions: new Map(), messages: new Map(),
    buckets: new Map(), nonces: new Map(), files: new Map(), faults: [], complaints: [], log: [], calls: {}, ops: [], uploads: [],
    identifies: 0, resumes: 0, registrations: 0, commands: null, tooFast: 0, acks: [], seen: 0, choices: null, modal: null,
    newId() { // an id carries its time
      const now = BigInt(Date.now() - 1420070400000) << 22n;
      return String(this.nextId = this.nextId < now ? now : this.nextId + 1n);
    },
  };
}

// --- messages, checked as strictly as Discord does ---

function checkButtons(world, components) {
  if (!Array.isArray(components) || components.length > 5) throw bad('components', 'at most 5 rows');
  const ids = new Set();
  for (const row of components) {
    if (row.type !== 1 || !row.components?.length || row.components.length > 5) throw bad('components.0', 'bad row');
    for (const b of row.components) {
      if (b.type === 3) {
        if (row.components.length > 1 || !b.custom_id || b.custom_id.length > 100) throw bad('components.0', 'a menu alone in its row');
        if (!b.options?.length || b.options.length > 25) throw bad('components.0.options', '1 to 25 options');
        if (new Set(b.options.map((o) => o.value)).size !== b.options.length) throw bad('components.0.options', 'values');
        for (const o of b.options) if (!o.label || o.label.length > 100 || !o.value || o.value.length > 100) throw bad('components.0.options', 'option');
        if (ids.has(b.custom_id)) throw bad('components.0.custom_id', 'duplicate');
        ids.add(b.custom_id);
        continue;
      }
      if (!b.label || b.label.length > 80) throw bad('components.0.label', 'label');
      if (b.style === 5 ? !/^https?:\/\//.test(b.url ?? '') || b.custom_id : !b.custom_id || b.custom_id.length > 100)
        throw bad('components.0.custom_id', 'custom_id or url');
      if (b.custom_id && ids.has(b.custom_id)) throw bad('components.0.custom_id', 'duplicate');
      ids.add(b.custom_id);
    }
  }
}

function bad(path, message) {
  const errors = {};
  let at = errors;
  for (const p of path.split('.')) at = at[p] = {};
  at._errors = [{ code: 'BASE_TYPE', message }];
  return new Refusal(400, 50035, 'Invalid Form Body', { errors });
}

function fillMessage(world, m, json, files) {
  if (json.content !== undefined) {
    if (json.content.length > 2000) throw bad('content', 'too long');
    m.content = json.content;
  }
  if (json.components !== undefined) { checkButtons(world, json.components); m.components = json.components; }
  if (!json.allowed_mentions || json.allowed_mentions.parse?.length) world.complaints.push('message without allowed_mentions');
  if (json.attachments !== undefined || files.length) {
    const kept = (json.attachments ?? []).filter((a) => typeof a.id !== 'number' && m.attachments.some((x) => x.id === a.id));
    m.attachments = kept;
    for (const f of files) {
      if (f.bytes.length > world.uploadLimit) { world.tooLarge++; throw new Refusal(413, 40005, 'Request entity too large'); }
      const a = { id: world.newId(), filename: f.filename, size: f.bytes.length, content_type: f.type };
      m.attachments.push(a);
      world.uploads.push({ ...a, message: m.id });
    }
  }
  if (!m.content && !m.attachments.length) throw new Refusal(400, 50006, 'Cannot send an empty message');
  m.pings = json.allowed_mentions?.users?.filter((u) => m.content?.includes(`<@${u}>`)) ?? [];
}

function newMessage(world, channel, flags = 0) {
  const m = { id: world.newId(), channel_id: channel, flags, content: '', components: [], attachments: [], edits: 0 };
  world.messages.set(m.id, m);
  return m;
}

// --- REST ---

function interactionByToken(world, token) {
  const i = [...world.interactions.values()].find((x) => x.token === token);
  if (!i) throw new Refusal(404, 10015, 'Unknown Webhook');
  if (Date.now() - i.born > world.tokenMs) throw new Refusal(401, 50027, 'Invalid Webhook Token');
  if (!i.acked) throw new Refusal(404, 10015, 'Unknown Webhook');
  return i;
}

function callback(world, id, token, json) {
  const i = world.interactions.get(id);
  if (!i || i.token !== token || Date.now() - i.born > world.ackMs) throw new Refusal(404, 10062, 'Unknown interaction');
  if (i.acked) throw new Refusal(400, 40060, 'Interaction has already been acknowledged.');
  const allowed = { 2: [4, 5, 9], 3: [4, 5, 6, 7, 9], 4: [8], 5: [4, 5, 6, 7] }[i.type];
  if (!allowed.includes(json.type)) throw bad('type', 'not for this interaction');
  i.acked = json.type;
  world.acks.push(Date.now() - i.born);
  if (json.type === 5) i.original = newMessage(world, i.channel, json.data?.flags ?? 0).id;
  if (json.type === 8) {
    if (json.data.choices.length > 25 || json.data.choices.some((c) => !c.name || c.name.length > 100)) throw bad('choices', 'choices');
    world.choices = json.data.choices;
  }
  if (json.type === 9) {
    const d = json.data;
    if (!d.title || d.title.length > 45 || d.custom_id.length > 100 || d.components[0].label.length > 45) throw bad('title', 'modal');
    world.modal = d;
  }
}

function checkCommands(world, list) {
  const locales = 'id da de en-GB en-US es-ES es-419 fr hr it lt hu nl no pl pt-BR ro fi sv-SE vi tr cs el bg ru uk hi th zh-CN ja zh-TW ko'.split(' ');
  const names = new Set();
  for (const [n, c] of list.entries()) {
    for (const named of c.type === 1 ? [c, ...c.options ?? []] : [])
      for (const [l, text] of Object.entries(named.name_localizations ?? {})) {
        if (!/^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(text)) throw bad(`${n}.name_localizations.${l}`, `bad name ${text}`);
        if (names.has(`${l} ${named === c ? '' : n} ${text}`)) throw bad(`${n}.name_localizations.${l}`, `twice ${text}`);
        names.add(`${l} ${named === c ? '' : n} ${text}`);
      }
    const texts = [...Object.keys(c.description_localizations ?? {}), ...Object.keys(c.name_localizations ?? {})];
    for (const l of texts)
      if (!locales.includes(l) && (l !== 'ar' || world.noArabic)) throw bad(`${n}.description_localizations.${l}`, 'unknown locale');
    if (!c.name || (c.type === 1 && !/^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(c.name))) throw bad(`${n}.name`, 'bad name');
    if (c.type === 1 && (!c.description || c.description.length > 100)) throw bad(`${n}.description`, 'bad description');
    if (c.type === 3 && (c.description || c.options?.length)) throw bad(`${n}.description`, 'none for a menu');
    let optional = false;
    if ((c.options ?? []).length > 25 || new Set((c.options ?? []).map((o) => o.name)).size !== (c.options ?? []).length) throw bad(`${n}.options`, 'options');
    for (const o of c.options ?? []) {
      if (!/^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(o.name)) throw bad(`${n}.options`, 'bad name');
      if (o.choices && (!o.choices.length || o.choices.length > 25 || o.choices.some((x) => !x.name || x.name.length > 100))) throw bad(`${n}.options`, 'choices');
      if (!o.description || o.description.length > 100) throw bad(`${n}.options`, 'bad description');
      if (o.required && optional) throw bad(`${n}.options`, 'required after optional');
      if (o.autocomplete && o.choices) throw bad(`${n}.options`, 'choices and autocomplete');
      optional ||= !o.required;
    }
    if (names.has(`${c.type}${c.name}`)) throw bad(`${n}.name`, 'duplicate');
    names.add(`${c.type}${c.name}`);
  }
}

function route(world, method, path, json, files, query) {
  const p = path.split('/').slice(1);
  if (path === '/gateway') return { url: world.gatewayUrl };
  if (path === '/gateway/bot')
    return { url: world.gatewayUrl, shards: world.shards, session_start_limit:
      { total: 1000, remaining: world.remaining, reset_after: 14400000, max_concurrency: world.maxConcurrency } };
  if (path === '/applications/@me') return { id: APP, name: 'makebot' };
  if (method === 'PUT' && p[0] === 'applications') {
    checkCommands(world, json);
    world.registrations++;
    world.commands = json;
    world.commandsAt = path;
    return json;
  }
  if (p[0] === 'interactions') { callback(world, p[1], p[2], json); return null; }
  if (p[0] === 'webhooks') return webhook(world, method, p, json, files);
  if (path === '/users/@me/channels') return { id: `99${json.recipient_id}`, type: 1 };
  if (p[0] === 'channels' && p[2] === 'messages') return channel(world, method, p, json, files, query);
  throw new Refusal(404, 0, '404: Not Found');
}

function webhook(world, method, p, json, files) {
  const i = interactionByToken(world, p[2]);
  if (p[1] !== APP) throw new Refusal(404, 10015, 'Unknown Webhook');
  if (method === 'POST' && p.length === 3) {
    if (!world.botHere && ++i.followups > 5) throw new Refusal(400, 40094, 'follow-up limit');
    // The first follow-up of a deferred answer takes its place, flags and all.
    const m = i.acked === 5 && world.messages.get(i.original)?.edits === 0 && !world.messages.get(i.original).content
      ? world.messages.get(i.original) : newMessage(world, i.channel, json.flags ?? 0);
    fillMessage(world, m, json, files);
    return m;
  }
  const id = p[4] === '@original' ? i.original : p[4];
  const m = world.messages.get(id);
  if (!m) throw new Refusal(404, 10008, 'Unknown Message');
  if (method === 'DELETE') { world.messages.delete(id); return null; }
  fillMessage(world, m, json, files);
  m.edits++;
  return m;
}

function channel(world, method, p, json, files, query) {
  const dm = p[1].startsWith('99') || p[1] === places.dm.channel;
  if (dm && world.dmClosed) throw new Refusal(403, 50007, 'Cannot send messages to this user');
  if (!dm && (world.noAccess || !world.botHere)) throw new Refusal(403, 50001, 'Missing Access');
  if (method === 'GET')
    return [...world.messages.values()].filter((m) => m.channel_id === p[1] && !(m.flags & EPHEMERAL) &&
      BigInt(m.id) > BigInt(query.get('after') ?? 0)).slice(-Number(query.get('limit') ?? 50)).reverse();
  if (method === 'DELETE') { world.messages.delete(p[3]); return null; }
  if (method === 'PATCH') {
    const m = world.messages.get(p[3]);
    if (!m || m.flags & EPHEMERAL) throw new Refusal(404, 10008, 'Unknown Message');
    fillMessage(world, m, json, files);
    m.edits++;
    return m;
  }
  if (json.nonce !== undefined && String(json.nonce).length > 25) throw bad('nonce', 'too long');
  const known = json.enforce_nonce && world.nonces.get(`${p[1]} ${json.nonce}`);
  if (known && Date.now() - known.born < world.nonceMs && world.messages.has(known.id)) return world.messages.get(known.id);
  const m = newMessage(world, p[1]);
  fillMessage(world, m, json, files);
  if (json.nonce !== undefined) world.nonces.set(`${p[1]} ${json.nonce}`, { id: m.id, born: Date.now() });
  return m;
}

function limit(world, method, path, headers) {
  const free = path.startsWith('/interactions') || path.startsWith('/gateway');
  const p = path.split('/');
  const key = `${method} ${p[1]} ${p[2]} ${p[1] === 'webhooks' ? p[3] : ''}`;
  const now = Date.now();
  let b = world.buckets.get(key);
  if (!b || now >= b.reset) world.buckets.set(key, b = { left: world.bucketLimit, reset: now + world.bucketMs });
  if (free) return;
  const after = Math.max(b.reset - now, 0) / 1000;
  Object.assign(headers, { 'X-RateLimit-Limit': world.bucketLimit, 'X-RateLimit-Remaining': Math.max(b.left - 1, 0),
    'X-RateLimit-Reset': (b.reset / 1000).toFixed(3), 'X-RateLimit-Reset-After': after.toFixed(3),
    'X-RateLimit-Bucket': createHash('md5').update(`${method} ${p[1]} ${p.length}`).digest('hex').slice(0, 16) });
  if (b.left-- > 0) return;
  world.tooFast++;
  headers['X-RateLimit-Scope'] = 'user';
  throw new Refusal(429, undefined, 'You are being rate limited.', { retry_after: after, global: false });
}

function takeFault(world, line) {
  const f = world.faults.find((x) => line.includes(x.match) && (x.skip ?? 0) <= 0 && (x.times ?? 1) > 0);
  for (const x of world.faults) if (line.includes(x.match) && (x.skip ?? 0) > 0) x.skip--;
  if (f) f.times = (f.times ?? 1) - 1;
  return f;
}

function rest(world, req, res, body) {
  const method = req.method;
  const path = decodeURIComponent(req.url.replace(/^\/api\/v10/, '').replace(/\?.*/, ''));
  const line = `${method} ${path}`;
  const headers = { 'Content-Type': 'application/json' };
  const answer = (status, value) => {
    if (status === 204) delete headers['Content-Type'];
    res.writeHead(status, headers);
    res.end(value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));
  };
  world.calls[method] = (world.calls[method] ?? 0) + 1;
  world.log.push(line.replace(/[A-Za-z0-9_-]{40,}/, 'TOKEN'));
  if (!/^DiscordBot \(.+, .+\)$/.test(req.headers['user-agent'] ?? '')) world.complaints.push(`user agent of ${line}`);
  const open = /^\/(interactions|webhooks)\//.test(path) || path === '/gateway';
  if (open && req.headers.authorization) world.complaints.push(`needless token with ${line}`);
  try {
    if (cutHere(world, `before ${line.slice(0, 60)}`)) return req.socket.destroy();
    const fault = takeFault(world, line);
    if (fault?.reset) return req.socket.destroy();
    if (fault && !fault.lost) { Object.assign(headers, fault.headers); return answer(fault.status, fault.html ?? fault.body ?? {}); }
    if (!open && req.headers.authorization !== `Bot ${world.token}`) throw new Refusal(401, 0, '401: Unauthorized');
    limit(world, method, path, headers);
    let json = {};
    let files = [];
    const type = req.headers['content-type'] ?? '';
    if (type.startsWith('multipart/')) {
      const form = parseMultipart(body, type);
      json = JSON.parse(form.fields.payload_json ?? '{}');
      files = Object.entries(form.files).map(([name, f]) => ({ ...f, name }));
      for (const f of files) if (!/^files\[\d\]$/.test(f.name)) world.complaints.push(`part ${f.name}`);
    } else if (body.length) {
      if (!type.startsWith('application/json')) throw bad('_', 'content type');
      json = JSON.parse(body.toString());
    }
    const result = route(world, method, path, json, files, new URL(req.url, 'http://x').searchParams);
    if (fault?.lost || cutHere(world, `after ${line.slice(0, 60)}`)) return req.socket.destroy(); // done, and nobody hears of it
    if (method === 'DELETE' || result === null) return answer(204);
    answer(200, result);
  } catch (e) {
    if (!(e instanceof Refusal)) { world.complaints.push(`${line}: ${e.message}`); return answer(500, { message: e.message, code: 0 }); }
    if (e.status === 400) world.complaints.push(`${line}: ${e.code} ${e.message} ${JSON.stringify(e.extra)}`);
    answer(e.status, { message: e.message, code: e.code, ...e.extra });
  }
}

// --- people ---

function interact(world, type, c, data, message) {
  const place = places[c.where ?? 'guild'];
  const id = c.id ?? world.newId();
  const user = { id: c.user ?? USER, username: 'asha', global_name: 'Asha', discriminator: '0' };
  const token = `aW50ZXJhY3Rpb246${randomBytes(60).toString('hex')}`;
  const d = { id, application_id: APP, type, version: 1, token, channel_id: place.channel, locale: c.locale ?? 'en-US',
    context: place.context, app_permissions: '274877942784', channel: { id: place.channel, type: c.where === 'thread' ? 11 : place.context === 0 ? 0 : 1 }, attachment_size_limit: c.limit ?? 10485760, entitlements: [],
    authorizing_integration_owners: world.botHere ? { 0: place.context === 0 ? GUILD : '0' } : { 1: user.id }, data };
  if (place.context === 0) Object.assign(d, { guild_id: GUILD, member: { user, roles: [], permissions: c.manager ? '32' : c.moderator ? '8192' : '1024' } });
  else d.user = user;
  if (message) d.message = message;
  const i = { id, token, type, channel: c.channel ?? place.channel, born: Date.now(), acked: 0, followups: 0, original: message?.id };
  if (c.channel) d.channel_id = c.channel;
  world.interactions.set(id, i);
  world.last = d;
  for (let n = 0; n < (c.times ?? 1); n++) dispatch(world, 'INTERACTION_CREATE', d);
  return { id, token };
}

function dispatch(world, t, d) {
  world.seen++;
  const session = [...world.sessions.values()].at(-1);
  if (!session) { (world.early ??= []).push([t, d]); return; }
  session.dispatch(t, d);
}

const control = {
  command(world, c) {
    const type = c.target ? 3 : 1;
    const options = Object.entries(c.options ?? {}).map(([name, value]) =>
      ({ name, value, type: typeof value === 'number' ? 4 : c.resolved?.attachments?.[value] ? 11 : 3 }));
    return interact(world, 2, c, { id: '1200000000000000100', name: c.name, type, options,
      ...(c.target && { target_id: c.target }), ...(c.resolved && { resolved: c.resolved }) });
  },
  press(world, c) {
    const m = world.messages.get(c.message);
    // `option`: the label of an option of a menu
    const menu = m?.components.flatMap((r) => r.components).find((b) => b.options?.some((o) => o.label === c.option));
    if (menu) c = { ...c, custom_id: menu.custom_id, values: [menu.options.find((o) => o.label === c.option).value] };
    const button = m?.components.flatMap((r) => r.components).find((b) => b.label === c.label);
    const custom_id = c.custom_id ?? button?.custom_id;
    if (!custom_id) throw new Error(`no such button on ${c.message}: ${JSON.stringify(m)}`);
    return interact(world, 3, { ...c, channel: m?.channel_id }, { custom_id, component_type: c.values ? 3 : 2, id: 2, ...(c.values && { values: c.values }) },
      m ?? { id: '1', flags: 0 });
  },
  modal(world, c) {
    return interact(world, 5, c, { custom_id: c.custom_id,
      components: [{ type: 18, id: 1, component: { type: 4, id: 2, custom_id: 'text', value: c.text } }] });
  },
  complete(world, c) {
    return interact(world, 4, c, { id: '1', name: c.name, type: 1, options: [{ name: c.option, type: 3, value: c.typed, focused: true }] });
  },
  gateway(world, c) {
    for (const link of world.links) link.misbehave(c);
    return {};
  },
  fault(world, c) { world.faults.push(c); return {}; },
  set(world, c) { Object.assign(world, c); return {}; },
  file(world, c) { world.files.set(c.path, Buffer.from(c.base64, 'base64')); return {}; },
  forget(world) { world.sessions.clear(); world.interactions.clear(); return {}; },
  burst(world, c) {
    // `ms`: spread over so long; `users`: so many people
    for (let i = 0; i < c.count; i++) {
      const one = { ...c, user: c.users ? String(720000 + i % c.users) : c.user, options: { topic: `number ${i}` } };
      if (c.ms) setTimeout(() => control.command(world, one), c.ms * i / c.count); else control.command(world, one);
    }
    return {};
  },
  state(world) {
    const pick = ({ complaints, log, calls, ops, identifies, resumes, registrations, tooFast, uploads, acks, choices, modal, commands, commandsAt, seen, steps, cutWas }) =>
      ({ complaints, log, calls, ops, identifies, resumes, registrations, tooFast, uploads, acks, choices, modal, commands, commandsAt, seen, steps, cutWas });
    return { ...pick(world), messages: [...world.messages.values()], links: world.links.size, tooLarge: world.tooLarge,
      unanswered: [...world.interactions.values()].filter((i) => !i.acked).length };
  },
};

export function startServer(world, port = 0) {
  const server = createServer((req, res) => {
    const parts = [];
    req.on('data', (b) => parts.push(b));
    req.on('end', () => {
      const body = Buffer.concat(parts);
      const m = /^\/control\/(\w+)$/.exec(req.url);
      const file = world.files.get(req.url); // what people attached, as the CDN serves it
      if (file) { if (req.headers.authorization) world.complaints.push('token sent to the CDN'); return res.end(file); }
      if (!m) return rest(world, req, res, body);
      try {
        const value = control[m[1]](world, body.length ? JSON.parse(body.toString()) : {});
        res.end(JSON.stringify(value));
      } catch (e) { res.writeHead(400); res.end(JSON.stringify({ error: String(e.stack) })); }
    });
  });
  server.on('upgrade', (req, socket, head) => {
    if (world.refuseUpgrade > 0) { world.refuseUpgrade--; socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'); return; }
    world.links.add(new Link(world, req, socket, head));
  });
  return new Promise((done) => server.listen(port, '127.0.0.1', () => {
    world.gatewayUrl = `ws://127.0.0.1:${server.address().port}`;
    done(server);
  }));
}

if (process.argv[1] && import.meta.url === `file://${process.argv[1]}`) {
  const at = process.argv.indexOf('--token');
  const world = createWorld(at > 0 ? { token: process.argv[at + 1] } : {});
  const server = await startServer(world);
  console.log(JSON.stringify({ port: server.address().port }));
  process.stdin.on('end', () => process.exit(0)).resume();
}
