#!/usr/bin/env node
// Fakes of Pexels, Pixabay and the hosts of their clips, with faults on demand. Plain Node.
//
//   node stock.mjs [--port N] [--clip FILE.mp4] [--photo FILE.jpg]   prints {"port":N}
//
// GET  /v1/videos/search, /v1/search      Pexels; /videos/search too unless world.onlyCurrent
// GET  /api/videos/                       Pixabay
// GET  /clip/<name>.mp4, /photo/<name>    files, with Range, If-Range and ETag
// POST /control/videos  [...]             what Pexels has: {term?, orientation?, ...raw fields}; term "" fits all
// POST /control/hits    [...]             what Pixabay has
// POST /control/photos  [...]             Pexels' photos
// POST /control/keys    {pexels: [...], pixabay: [...]}: keys that work; empty: every key does
// POST /control/fault   {on: search|clip, times?, skip?, kind, ...}; kinds see `serveFault`, `serveClip`
//                       world.hidden: there are no clips, only photos
// POST /control/set     {...}             fields of the world
// GET  /control/state
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

export function createWorld({ clip, photo } = {}) {
  return {
    clip: clip ? readFileSync(clip) : makeClip(60_000),
    photo: photo ? readFileSync(photo) : Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(400, 7)]),
    videos: [], hits: [], photos: [], keys: { pexels: [], pixabay: [] }, faults: [], onlyCurrent: false, onlyOld: false,
    limit: 20000, used: 0, pixabayLeft: 99, hidden: false, calls: [], clipCalls: [], clipsNow: 0, clipsMost: 0, complaints: [], noTag: false, changes: 0, chunk: 4096, pauseMs: 0,
  };
}

const box = (type, ...parts) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
};
// Boxes in the right order and of the right length, nothing to look at inside.
export const makeClip = (size) => {
  const ftyp = box('ftyp', Buffer.from('isom\0\0\0\0isommp42', 'latin1'));
  const moov = box('moov', Buffer.alloc(64));
  const body = Buffer.alloc(Math.max(size - ftyp.length - moov.length - 8, 0));
  for (let i = 0; i < body.length; i++) body[i] = (i * 31 + (i >> 8)) & 255;
  return Buffer.concat([ftyp, moov, box('mdat', body)]);
};

function takeFault(world, on) {
  const i = world.faults.findIndex((f) => f.on === on);
  if (i < 0) return null;
  const f = world.faults[i];
  if (f.skip > 0) { f.skip--; return null; }
  if (--f.times <= 0) world.faults.splice(i, 1);
  return f;
}

const complain = (world, text) => { world.complaints.push(text); };
const json = (res, code, body, headers = {}) => {
  const text = JSON.stringify(body);
  res.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
};
const plain = (res, code, text, headers = {}) => {
  res.writeHead(code, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
};

// True: the fault was the answer.
async function serveFault(world, req, res) {
  const f = takeFault(world, 'search');
  if (!f) return false;
  if (f.kind === 'slow') { await new Promise((r) => setTimeout(r, f.ms)); return false; }
  if (f.kind === 'reset') { req.socket.resetAndDestroy(); return true; }
  if (f.kind === 'html') { res.writeHead(f.code ?? 200, { 'Content-Type': 'text/html' }); res.end('<html>Just a moment...</html>'); return true; }
  if (f.kind === 'empty') { res.writeHead(200, { 'Content-Length': 0 }); res.end(); return true; }
  if (f.kind === 'junk') { res.writeHead(200, { 'Content-Type': 'application/json' }); res.end(f.body); return true; }
  plain(res, f.code ?? 500, f.body ?? '', f.retry_after === undefined ? {} : { 'Retry-After': String(f.retry_after) });
  return true;
}

// The real service finds by meaning; here an item says by which term it is found.
const found = (list, term, orientation) => list
  .filter((v) => (v.term === undefined || v.term === '' || v.term === term) && (!orientation || !v.orientation || v.orientation === orientation))
  .map(({ term: _t, orientation: _o, ...raw }) => raw);

const fill = (world, base, items) => JSON.parse(JSON.stringify(items).replaceAll('{base}', base));

const LOCALES = ('en-US pt-BR es-ES ca-ES de-DE it-IT fr-FR sv-SE id-ID pl-PL ja-JP zh-TW zh-CN ko-KR th-TH nl-NL hu-HU vi-VN cs-CZ '
  + 'da-DK fi-FI uk-UA el-GR ro-RO nb-NO sk-SK tr-TR ru-RU').split(' ');
const LANGS = 'cs da de en es fr id it hu nl no pl pt ro sk fi sv tr vi th bg ru el ja ko zh'.split(' ');

async function servePexels(world, req, res, url, kind) {
  const key = req.headers.authorization ?? '';
  const q = url.searchParams;
  world.calls.push({ service: 'pexels', kind, path: url.pathname, key, query: q.get('query'), orientation: q.get('orientation'), locale: q.get('locale') ?? '-' });
  if (key.startsWith('Bearer')) complain(world, 'Pexels wants the bare key');
  if (!q.get('query')) complain(world, 'Pexels: no query');
  if (Number(q.get('per_page') ?? 15) > 80) complain(world, 'Pexels: per_page over 80');
  if (q.has('locale') && !LOCALES.includes(q.get('locale'))) complain(world, `Pexels: locale ${q.get('locale')}`);
  if (q.has('orientation') && !['landscape', 'portrait', 'square'].includes(q.get('orientation'))) complain(world, `Pexels: orientation ${q.get('orientation')}`);
  if (world.keys.pexels.length && !world.keys.pexels.includes(key)) return json(res, 401, { status: 401, code: 'Unauthorized' });
  if (await serveFault(world, req, res)) return undefined;
  const list = found(kind === 'photos' ? world.photos : world.hidden ? [] : world.videos, q.get('query'), q.get('orientation'));
  world.used++;
  return json(res, 200, { page: 1, per_page: 40, total_results: list.length, url: 'https://www.pexels.com/', [kind]: fill(world, `http://${req.headers.host}`, list) }, {
    'X-Ratelimit-Limit': String(world.limit), 'X-Ratelimit-Remaining': String(Math.max(world.limit - world.used, 0)),
    'X-Ratelimit-Reset': String(Math.floor(Date.now() / 1000) + 86400),
  });
}

async function servePixabay(world, req, res, url) {
  const q = url.searchParams;
  world.calls.push({ service: 'pixabay', path: url.pathname, key: q.get('key'), query: q.get('q') });
  if ((q.get('q') ?? '').length > 100) complain(world, 'Pixabay: q over 100');
  if (q.has('lang') && !LANGS.includes(q.get('lang'))) complain(world, `Pixabay: lang ${q.get('lang')}`);
  if (q.has('orientation')) complain(world, 'Pixabay has no orientation for videos');
  if (q.get('video_type') !== 'film' || q.get('safesearch') !== 'true') complain(world, 'Pixabay: drawings, or not for everybody');
  if (!(Number(q.get('per_page')) >= 3 && Number(q.get('per_page')) <= 200)) complain(world, 'Pixabay: per_page');
  const bad = world.keys.pixabay.length ? !world.keys.pixabay.includes(q.get('key')) : !q.get('key');
  if (bad) return plain(res, 400, '[ERROR 400] Invalid or missing API key (https://pixabay.com/api/docs/).');
  if (await serveFault(world, req, res)) return undefined;
  const list = world.hidden ? [] : found(world.hits, q.get('q'));
  return json(res, 200, { total: list.length, totalHits: list.length, hits: fill(world, `http://${req.headers.host}`, list) }, {
    'X-RateLimit-Limit': '100', 'X-RateLimit-Remaining': String(world.pixabayLeft), 'X-RateLimit-Reset': '60',
  });
}

const drained = (res) => new Promise((resolve) => {
  const done = () => { res.off('drain', done); res.off('close', done); resolve(); };
  res.on('drain', done);
  res.on('close', done);
});

// A film that says nothing about its length and does not end.
async function serveEndless(res, bytes, type) {
  res.writeHead(200, { 'Content-Type': type });
  res.write(bytes.subarray(0, 4096));
  for (const more = Buffer.alloc(1 << 20); !res.destroyed;) if (!res.write(more)) await drained(res);
}

async function serveClip(world, req, res, url, bytes, type) {
  const fault = takeFault(world, 'clip');
  const range = /^bytes=(\d+)-$/.exec(req.headers.range ?? '');
  world.clipsMost = Math.max(world.clipsMost, ++world.clipsNow);
  let open = true;
  const over = () => { if (open) world.clipsNow--; open = false; };
  res.on('close', over);
  world.clipCalls.push({ path: url.pathname, range: req.headers.range ?? null, ifRange: req.headers['if-range'] ?? null });
  if (req.headers.authorization) complain(world, 'the key went to the clip host');
  if (fault?.kind === 'redirect') { res.writeHead(302, { Location: fault.to.replaceAll('{base}', `http://${req.headers.host}`), 'Content-Length': 0 }); return res.end(); }
  if (fault?.kind === 'html') { res.writeHead(200, { 'Content-Type': fault.type ?? 'text/html' }); return res.end('<!doctype html><html><body>Access denied, please log in to go on</body></html>'); }
  if (fault?.kind === 'playlist') { res.writeHead(200, { 'Content-Type': fault.type ?? 'application/vnd.apple.mpegurl' }); return res.end('#EXTM3U\n#EXT-X-VERSION:3\n/etc/passwd\n'); }
  if (fault?.kind === 'status') return plain(res, fault.code, 'no');
  if (fault?.kind === 'short') bytes = bytes.subarray(0, Math.floor(bytes.length / 2)); // whole as HTTP, cut as a film
  if (fault?.kind === 'slow') await new Promise((r) => setTimeout(r, fault.ms));
  if (fault?.kind === 'endless') return serveEndless(res, bytes, type);
  if (fault?.kind === 'huge') { res.writeHead(200, { 'Content-Type': type, 'Content-Length': 400 * 1024 * 1024 }); return res.write(bytes.subarray(0, 4096)); }
  if (fault?.kind === 'changed') world.changes++;
  const tag = `"${createHash('sha1').update(bytes).update(String(world.changes)).digest('hex')}"`;
  const headers = { 'Content-Type': type, 'Accept-Ranges': 'bytes', ...(world.noTag ? {} : { ETag: tag }) };
  let from = 0;
  if (range && (!req.headers['if-range'] || req.headers['if-range'] === tag) && fault?.kind !== 'whole') {
    from = Number(range[1]);
    if (from >= bytes.length) { res.writeHead(416, { 'Content-Range': `bytes */${bytes.length}`, 'Content-Length': 0 }); return res.end(); }
    const said = fault?.kind === 'wrongrange' ? from + 7 : from;
    res.writeHead(206, { ...headers, 'Content-Range': `bytes ${said}-${bytes.length - 1}/${bytes.length}`, 'Content-Length': bytes.length - from });
  } else {
    res.writeHead(200, { ...headers, 'Content-Length': bytes.length });
  }
  const cutAt = fault?.kind === 'cut' ? from + fault.after : Infinity;
  for (let at = from; at < bytes.length; at += world.chunk) {
    const end = Math.min(at + world.chunk, bytes.length, cutAt);
    if (end === bytes.length) over(); // whoever has it all may ask for the next at once
    if (!res.write(bytes.subarray(at, end))) await drained(res);
    if (end >= cutAt) { await new Promise((r) => setTimeout(r, 20)); return req.socket.destroy(); }
    if (world.pauseMs) await new Promise((r) => setTimeout(r, world.pauseMs));
    if (res.destroyed) return undefined;
  }
  return res.end();
}

export const control = {
  videos: (world, q) => { world.videos = q; return true; },
  hits: (world, q) => { world.hits = q; return true; },
  photos: (world, q) => { world.photos = q; return true; },
  keys: (world, q) => { Object.assign(world.keys, q); return true; },
  fault: (world, q) => { world.faults.push({ times: 1, skip: 0, ...q }); return true; },
  set: (world, q) => { Object.assign(world, q); return true; },
  reset: (world) => { Object.assign(world, createWorld(), { clip: world.clip, photo: world.photo, clipsNow: world.clipsNow }); return true; },
  state: (world) => ({ calls: world.calls, clipCalls: world.clipCalls, clipsMost: world.clipsMost, complaints: world.complaints, faults: world.faults.length, clipBytes: world.clip.length }),
};

async function readBody(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function serve(world, req, res) {
  const url = new URL(req.url, 'http://localhost');
  const path = url.pathname;
  const c = /^\/control\/(\w+)$/.exec(path);
  if (c) {
    const body = await readBody(req);
    return json(res, 200, control[c[1]](world, body ? JSON.parse(body) : {}) ?? true);
  }
  if (path.startsWith('/clip/')) return serveClip(world, req, res, url, world.clip, 'video/mp4');
  if (path.startsWith('/photo/')) return serveClip(world, req, res, url, world.photo, 'image/jpeg');
  if ((path === '/v1/videos/search' && !world.onlyOld) || (path === '/videos/search' && !world.onlyCurrent)) return servePexels(world, req, res, url, 'videos');
  if (path === '/v1/search') return servePexels(world, req, res, url, 'photos');
  if (path === '/api/videos/') return servePixabay(world, req, res, url);
  return plain(res, 404, 'Not Found');
}

export function createFake(options) {
  const world = createWorld(options);
  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    serve(world, req, res).catch((e) => { if (!res.headersSent) plain(res, 500, `fake: ${e.stack}`); else res.destroy(); });
  });
  return { world, server };
}

function option(name) {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : undefined;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const { server } = createFake({ clip: option('clip'), photo: option('photo') });
  server.listen(Number(option('port') ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
}
