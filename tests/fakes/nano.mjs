#!/usr/bin/env node
// Fake Nano nodes (RPC and WebSocket) over one ledger that obeys the network's rules, with faults on
// demand. Plain Node; nano.test.mjs proves it honest with public packages.
//
//   node nano.mjs [--port N] [--send HEX16] [--receive HEX16]        prints {"port":N}
//
// POST /            node "main"; POST /n/NAME: another node that sees the same ledger, with faults and
//                   settings of its own. Thresholds are a private network's unless given.
// GET  / upgrade    its WebSocket, same paths
// POST /mcp         the MCP reader on the same ledger (nano_mcp.mjs)
// POST /control/pay      {to, amount, from?=1, confirm?=true, quiet?} or a list of them: sends from
//                        payer `from`; answers the hash, or the list of hashes. quiet: no WebSocket message
// POST /control/flood    {to, count, amount, from?, confirm?}: that many sends of the same amount
// POST /control/confirm  {hash}   POST /control/drop {hash}: an unconfirmed block is forgotten
// POST /control/fork     {hash, to?, amount?, confirm?}: an unconfirmed send loses against another one
// POST /control/change   {from}: the payer's next block only changes its representative
// POST /control/payer    {from}: its address   POST /control/pocket {from}: it receives all that waits for it
// POST /control/mark     {hash, legacy?, pruned?}: a block of before 2018; a block whose amount is lost
// POST /control/fault    {node?, on: ACTION|any|ws|frame|upgrade, kind, times?=1, skip?=0, has?, ...}, times -1: always, has: only requests with
//                        this text; kinds
//                        see `breakReply`, `sendHint` (ws: what goes out) and `onFrame` (frame: what comes in)
// POST /control/node     {node?, ...settings}: key, network, networkId, countCap, accountCap, noOffset, noUpdate, noWork, listCap,
//                        lag: true|false (true: it sees nothing newer than now)
// POST /control/set      {autoConfirm, confirmMs, confirmWhenAsked, checkSignatures}
// POST /control/restart  {node?}: every connection is cut   POST /control/reset: a new ledger, nothing set
// POST /control/account  {account}: what the ledger has: balance, waiting, blocks
// GET  /control/state
import { createServer } from 'node:http';
import { acceptUpgrade, Peer, refuseUpgrade } from './azure_ws.mjs';
import { address, keyOf, NONE } from './nano_crypto.mjs';
import { Ledger } from './nano_ledger.mjs';
import { serveMcp } from './nano_mcp.mjs';
import { answer, contents } from './nano_rpc.mjs';

const BODY_MAX = 32 << 20;
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export function createWorld(options = {}) {
  const world = {
    peers: new Set(),
    confirmSoon(hash) {
      if (!world.autoConfirm) return;
      if (world.confirmMs > 0) setTimeout(() => world.ledger.confirm(hash), world.confirmMs).unref();
      else setImmediate(() => world.ledger.confirm(hash));
    },
  };
  renew(world, options);
  return world;
}

function renew(world, options) {
  const ledger = new Ledger(options);
  ledger.onConfirmed = (entry) => { if (world.ledger === ledger) tellAll(world, entry); };
  Object.assign(world, {
    options, ledger, faults: [], calls: {}, log: [], processed: [], asked: [], complaints: [], mcpCalls: [],
    autoConfirm: true, confirmMs: 0, confirmWhenAsked: true, quiet: new Set(), faces: new Map(),
  });
}

const faceOf = (world, name) => {
  if (!world.faces.has(name)) world.faces.set(name, { name });
  return world.faces.get(name);
};
const complain = (world, text) => { if (world.complaints.length < 50) world.complaints.push(text); };

function viewOf(world, name) {
  const face = faceOf(world, name);
  const until = face.seesUntil ?? Infinity;
  const all = () => [...world.ledger.blocks.values()].filter((e) => world.ledger.sees(e, until));
  return {
    world, face, until, ledger: world.ledger, complain: (text) => complain(world, text),
    seenBlocks: () => (until === Infinity ? world.ledger.blocks.size : all().length),
    seenCemented: () => (until === Infinity ? world.ledger.cemented : all().filter((e) => world.ledger.isConfirmed(e, until)).length),
  };
}

function takeFault(world, name, on, text = '') {
  for (const f of world.faults) {
    if (f.times === 0 || (f.node ?? 'main') !== name || (f.on !== on && f.on !== 'any')) continue;
    if (f.on === 'any' && (on === 'ws' || on === 'upgrade')) continue;
    if (f.has && !text.includes(f.has)) continue;
    if (f.skip > 0) { f.skip--; continue; }
    if (f.times > 0) f.times--;
    return f;
  }
  return null;
}

// --- RPC ---

function send(res, status, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  if (res.destroyed) return;
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), Connection: 'close', ...headers });
  res.end(text);
}

// {"*": x} means every key that is there.
function patch(target, change) {
  if (change === null || typeof change !== 'object' || Array.isArray(change) || typeof target !== 'object' || target === null) return change;
  const out = { ...target };
  for (const [k, v] of Object.entries(change)) {
    for (const key of k === '*' ? Object.keys(target) : [k]) {
      if (v === '(gone)') delete out[key];
      else out[key] = patch(out[key], v);
    }
  }
  return out;
}

function toNumbers(v) {
  if (Array.isArray(v)) return v.map(toNumbers);
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, toNumbers(x)]));
  return typeof v === 'string' && /^[0-9]+$/.test(v) ? Number(v) : v === 'true' ? true : v === 'false' ? false : v;
}

const page = '<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Sorry, you have been blocked</h1></body></html>';

// A reply as a broken, hostile or overloaded node would give it. `real` does what was asked for.
async function breakReply(fault, req, res, real) {
  switch (fault.kind) {
    case 'status': return send(res, fault.code, fault.body ?? '{"error":"no"}', fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) });
    case 'html': return send(res, fault.code ?? 200, page, { 'Content-Type': 'text/html' });
    case 'text': return send(res, 200, fault.text);
    case 'reply': return send(res, 200, fault.reply);
    case 'error': return send(res, 200, { error: fault.error ?? 'Internal server error in RPC' });
    case 'stall': await sleep(fault.ms ?? 60_000); return res.destroy();
    case 'late': await sleep(fault.ms ?? 500); return send(res, 200, real());
    case 'close': return req.socket.resetAndDestroy();
    case 'lose': real(); return req.socket.resetAndDestroy(); // done, and the answer is lost
    case 'cut': { const t = JSON.stringify(real()); res.writeHead(200, { 'Content-Length': t.length }); res.write(t.slice(0, t.length / 2)); await sleep(20); return req.socket.destroy(); }
    case 'half': { const t = JSON.stringify(real()); return send(res, 200, t.slice(0, t.length / 2)); }
    case 'huge': return send(res, 200, `{"blocks":{"x":"${'A'.repeat(fault.bytes ?? 40 << 20)}"}}`);
    case 'deep': return send(res, 200, `${'{"blocks":'.repeat(fault.depth ?? 5000)}1${'}'.repeat(fault.depth ?? 5000)}`);
    case 'headers': return send(res, 200, real(), fault.headers);
    case 'numbers': return send(res, 200, toNumbers(real()));
    case 'hide': return send(res, 200, { ...real(), blocks: '' });
    case 'patch': return send(res, 200, patch(real(), fault.patch));
    default: throw new Error(`no such fault: ${fault.kind}`);
  }
}

function allowed(face, req, text) {
  if (!face.key) return true;
  if (req.headers.authorization === face.key || (face.header && req.headers[face.header] === face.key)) return true;
  return text.includes(`"key":"${face.key}"`);
}

async function serveRpc(world, name, req, res, text) {
  let action = '';
  try { action = String(JSON.parse(text).action); } catch { complain(world, 'a request is not JSON'); }
  const view = viewOf(world, name);
  world.calls[`${name} ${action}`] = (world.calls[`${name} ${action}`] ?? 0) + 1;
  if (world.log.length < 2000) world.log.push({ node: name, action, text: text.slice(0, 400), auth: req.headers.authorization ?? null });
  if (text.includes('"key":') && !view.face.key) complain(world, `a key went to ${name}, which wants none`);
  if (req.headers['content-type'] !== 'application/json') complain(world, `content type ${req.headers['content-type']}`);
  if (!allowed(view.face, req, text)) return send(res, 401, { error: 'Unauthorized' });
  const fault = takeFault(world, name, action, text);
  const real = () => answer(view, text);
  return fault ? breakReply(fault, req, res, real) : send(res, 200, real());
}

// --- WebSocket ---

function hint(entry, wantsBlock) {
  return JSON.stringify({
    topic: 'confirmation', time: String(Date.now()),
    message: {
      account: entry.block.account, amount: entry.amount.toString(), hash: entry.hash, confirmation_type: 'active_quorum',
      ...(wantsBlock ? { block: { ...contents(entry), subtype: entry.subtype } } : {}), election_info: { duration: '310', tally: '90000' },
    },
  });
}

function sendHint(world, peer, text) {
  const fault = takeFault(world, peer.face.name, 'ws');
  if (!fault) return peer.text(text);
  if (fault.kind === 'lose') return undefined;
  if (fault.kind === 'repeat') { for (let i = 0; i < (fault.count ?? 3); i++) peer.text(text); return undefined; }
  if (fault.kind === 'late') { setTimeout(() => peer.text(text), fault.ms ?? 300).unref(); return undefined; } // and so out of order
  if (fault.kind === 'text') return peer.text(fault.text);
  if (fault.kind === 'patch') return peer.text(JSON.stringify(patch(JSON.parse(text), fault.patch)));
  if (fault.kind === 'huge') return peer.text(`{"topic":"confirmation","x":"${'A'.repeat(fault.bytes ?? 9 << 20)}"}`);
  if (fault.kind === 'cut') return peer.cut();
  throw new Error(`no such fault: ${fault.kind}`);
}

function tellAll(world, entry) {
  if (world.quiet.has(entry.hash)) return;
  for (const peer of world.peers) {
    if (peer.deaf || !peer.filter || peer.face.seesUntil !== undefined) continue;
    if (peer.filter !== 'all' && !peer.filter.has(entry.block.account) && !peer.filter.has(entry.to ?? contents(entry).link_as_account)) continue;
    sendHint(world, peer, hint(entry, peer.wantsBlock));
  }
}

function accountsOf(world, list) {
  const out = new Set();
  for (const a of list ?? []) { const key = keyOf(a); if (key) out.add(address(key)); else complain(world, `WebSocket: not an address: ${a}`); }
  return out;
}

function onFrame(world, peer, bytes) {
  if (peer.deaf) return;
  const fault = takeFault(world, peer.face.name, 'frame');
  if (fault?.kind === 'mute') return; // not even an acknowledgement
  if (fault?.kind === 'deaf') { peer.deaf = true; return; }
  let q;
  try { q = JSON.parse(bytes.toString()); } catch { peer.deaf = true; complain(world, 'WebSocket: not JSON'); return; }
  peer.frames.push(q.action);
  const ack = (name) => { if (q.ack === true || q.ack === 'true' || name === 'pong') peer.text(JSON.stringify({ ack: name, time: String(Date.now()), ...(q.id ? { id: q.id } : {}) })); };
  if (q.action === 'ping') return ack('pong');
  if (q.topic !== 'confirmation') return undefined; // the node stays silent about what it does not know
  const options = q.options ?? {};
  if (q.action === 'subscribe') {
    if (!q.options?.accounts) complain(world, 'WebSocket: a subscription without accounts gets the whole network');
    if (peer.face.listCap && options.accounts?.length > peer.face.listCap) return undefined;
    peer.filter = options.accounts ? accountsOf(world, options.accounts) : 'all';
    peer.wantsBlock = options.include_block !== false && options.include_block !== 'false';
    return ack('subscribe');
  }
  if (q.action === 'update' && !peer.face.noUpdate && peer.filter instanceof Set) {
    for (const a of accountsOf(world, options.accounts_add)) peer.filter.add(a);
    for (const a of accountsOf(world, options.accounts_del)) peer.filter.delete(a);
    return ack('update');
  }
  if (q.action === 'unsubscribe') { peer.filter = null; return ack('unsubscribe'); }
  return undefined;
}

function nameOf(path) {
  const found = /^\/n\/([a-z0-9]+)\/?$/.exec(path);
  return found ? found[1] : path === '/' ? 'main' : null;
}

function onUpgrade(world, req, socket, head) {
  const name = nameOf(req.url);
  const fault = name ? takeFault(world, name, 'upgrade') : { kind: 'status', code: 404 };
  world.calls[`${name} upgrade`] = (world.calls[`${name} upgrade`] ?? 0) + 1;
  socket.on('error', () => {});
  if (fault?.kind === 'status') return refuseUpgrade(socket, fault.code);
  if (fault?.kind === 'stall') return undefined;
  acceptUpgrade(req, socket);
  const peer = new Peer(socket, head, {
    onMessage: (bytes) => onFrame(world, peer, bytes),
    onEnd: () => world.peers.delete(peer),
    onFault: (text) => complain(world, text),
  });
  Object.assign(peer, { face: faceOf(world, name), filter: null, wantsBlock: true, deaf: false, frames: [] });
  world.peers.add(peer);
  return undefined;
}

// --- control ---

function payOne(world, { to, amount, from = 1, confirm = true, quiet = false }) {
  const entry = world.ledger.pay(from, to, BigInt(amount));
  if (quiet) world.quiet.add(entry.hash);
  if (confirm) world.ledger.confirm(entry.hash);
  return entry.hash;
}

function fork(world, { hash, to, amount, confirm = true }) {
  const old = world.ledger.find(hash);
  if (!old || old.confirmedAt !== null) return { error: 'only an unconfirmed send can lose' };
  const from = [...world.ledger.payers].find(([, a]) => a === old.block.account)[0];
  world.ledger.rollback(hash);
  const entry = world.ledger.send(from, to ?? world.ledger.genesis.block.account, BigInt(amount ?? old.amount));
  if (confirm) world.ledger.confirm(entry.hash);
  return { hash: entry.hash };
}

export const control = {
  pay: (world, q) => (Array.isArray(q) ? q.map((one) => payOne(world, one)) : { hash: payOne(world, q) }),
  flood: (world, q) => Array.from({ length: q.count }, () => payOne(world, q)).length,
  confirm: (world, q) => world.ledger.confirm(q.hash),
  drop: (world, q) => world.ledger.rollback(q.hash),
  fork,
  change(world, { from = 1 }) {
    const balance = BigInt(world.ledger.frontier(world.ledger.payer(from)).block.balance);
    const entry = world.ledger.put(world.ledger.next(from, balance, NONE), 'change', 0n);
    world.ledger.confirm(entry.hash);
    return { hash: entry.hash };
  },
  payer: (world, { from }) => ({ account: world.ledger.payer(from) }),
  // A wallet that receives by itself.
  pocket(world, { from }) {
    const all = world.ledger.receivables(world.ledger.payer(from));
    for (const send of all) world.ledger.confirm(world.ledger.receive(from, send).hash);
    return { count: all.length };
  },
  mark(world, { hash, ...marks }) { Object.assign(world.ledger.find(hash), marks); return true; },
  fault: (world, q) => { world.faults.push({ times: 1, skip: 0, ...q }); return true; },
  reset(world) { for (const p of [...world.peers]) p.cut(); renew(world, world.options); return true; },
  clear: (world) => { world.faults.length = 0; return true; },
  node(world, { node = 'main', lag, ...settings }) {
    const face = Object.assign(faceOf(world, node), settings);
    if (lag === true) face.seesUntil = world.ledger.tick;
    if (lag === false) delete face.seesUntil;
    return true;
  },
  set(world, { checkSignatures, ...q }) {
    if (checkSignatures !== undefined) world.ledger.checkSignatures = checkSignatures;
    Object.assign(world, q);
    return true;
  },
  restart(world, { node }) { for (const p of [...world.peers]) if (!node || p.face.name === node) p.cut(); return true; },
  account(world, { account }) {
    const who = address(keyOf(account));
    const chain = world.ledger.chain(who);
    return {
      balance: chain.at(-1)?.block.balance ?? '0', frontier: chain.at(-1)?.hash ?? null,
      waiting: world.ledger.receivables(who).map((e) => ({ hash: e.hash, amount: e.amount.toString(), confirmed: e.confirmedAt !== null })),
      blocks: chain.map((e) => ({ hash: e.hash, subtype: e.subtype, amount: e.amount.toString(), link: e.block.link, confirmed: e.confirmedAt !== null })),
    };
  },
  state: (world) => ({
    calls: world.calls, log: world.log, processed: world.processed, asked: world.asked, complaints: world.complaints, faults: world.faults.filter((f) => f.times !== 0).length,
    blocks: world.ledger.blocks.size, genesis: world.ledger.genesis.hash, mcpCalls: world.mcpCalls,
    peers: [...world.peers].map((p) => ({ node: p.face.name, accounts: p.filter instanceof Set ? p.filter.size : p.filter, frames: p.frames })),
  }),
};

async function readBody(req) {
  const chunks = [];
  let n = 0;
  for await (const chunk of req) { n += chunk.length; if (n > BODY_MAX) throw new Error('body too large'); chunks.push(chunk); }
  return Buffer.concat(chunks).toString();
}

async function serve(world, req, res) {
  const path = new URL(req.url, 'http://localhost').pathname;
  const text = await readBody(req);
  const c = /^\/control\/(\w+)$/.exec(path);
  if (c) return send(res, 200, control[c[1]](world, text ? JSON.parse(text) : {}) ?? true, { Connection: 'keep-alive' });
  if (path === '/mcp' || path.startsWith('/mcp/')) return serveMcp(world, takeFault(world, 'mcp', 'call'), req, res, text, breakReply);
  const name = nameOf(path);
  if (!name || req.method !== 'POST') return send(res, 404, 'Not Found', { 'Content-Type': 'text/plain' });
  return serveRpc(world, name, req, res, text);
}

export function createFake(options) {
  const world = createWorld(options);
  const server = createServer((req, res) => {
    serve(world, req, res).catch((e) => { if (!res.headersSent) send(res, 500, `fake: ${e.stack}`); else res.destroy(); });
  });
  server.on('upgrade', (req, socket, head) => onUpgrade(world, req, socket, head));
  return { world, server };
}

function option(name) {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : undefined;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const { server } = createFake({ send: option('send'), receive: option('receive') });
  server.listen(Number(option('port') ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
}
