// multipart/form-data as the Bot API reads it: fields and files of one request body.
export function parseMultipart(body, contentType) {
  const m = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType);
  if (!m) throw new Error('no boundary');
  const boundary = Buffer.from(`--${m[1] ?? m[2]}`);
  const fields = {};
  const files = {};
  let at = body.indexOf(boundary);
  if (at < 0) throw new Error('no first boundary');
  for (;;) {
    at += boundary.length;
    if (body.subarray(at, at + 2).toString() === '--') return { fields, files };
    if (body.subarray(at, at + 2).toString() !== '\r\n') throw new Error('bad boundary line');
    const headEnd = body.indexOf('\r\n\r\n', at);
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), boundary]), headEnd + 2);
    if (headEnd < 0 || next < 0) throw new Error('part without end');
    const head = body.subarray(at + 2, headEnd).toString('utf8');
    const bytes = body.subarray(headEnd + 4, next);
    const name = /[; ]name="([^"]*)"/i.exec(head)?.[1];
    const filename = /filename="?([^"\r\n;]*)"?/i.exec(head)?.[1];
    if (name === undefined) throw new Error('part without name');
    if (filename === undefined) fields[name] = bytes.toString('utf8');
    else files[name] = { filename, type: /content-type:\s*([^\r\n]+)/i.exec(head)?.[1] ?? '', bytes };
    at = next + 2;
  }
}
