// The server's reading of parse_mode=HTML: returns the plain text and its entities, or throws the
// text of the refusal. Strict on purpose: what the real server refuses is refused here.
const kinds = {
  b: 'bold', strong: 'bold', i: 'italic', em: 'italic', u: 'underline', ins: 'underline',
  s: 'strikethrough', strike: 'strikethrough', del: 'strikethrough', code: 'code', pre: 'pre',
  a: 'text_link', blockquote: 'blockquote', 'tg-spoiler': 'spoiler', span: 'spoiler',
};
const named = { lt: '<', gt: '>', amp: '&', quot: '"' };

function refuse(what, at) {
  throw new Error(`Bad Request: can't parse entities: ${what} at byte offset ${at}`);
}

export function parseHtml(html) {
  let text = '';
  const open = [];
  const entities = [];
  let i = 0;
  while (i < html.length) {
    const c = html[i];
    const byte = Buffer.byteLength(html.slice(0, i));
    if (c === '&') {
      const m = /^&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/i.exec(html.slice(i, i + 12));
      if (m && m[3] === undefined) {
        text += String.fromCodePoint(m[1] ? Number(m[1]) : parseInt(m[2], 16));
        i += m[0].length;
      } else if (m && named[m[3]] !== undefined) {
        text += named[m[3]];
        i += m[0].length;
      } else {
        text += c;
        i++;
      }
    } else if (c === '<') {
      const end = html.indexOf('>', i);
      if (end < 0) refuse('Unclosed start tag', byte);
      const m = /^(\/?)([a-z-]+)([^]*)$/i.exec(html.slice(i + 1, end));
      if (!m || !kinds[m[2].toLowerCase()]) refuse(`Unsupported start tag "${m ? m[2] : ''}"`, byte);
      const name = m[2].toLowerCase();
      if (m[1]) {
        const top = open.pop();
        if (!top || top.name !== name) refuse(`Unexpected end tag "${name}"`, byte);
        if (text.length > top.offset)
          entities.push({ type: kinds[name], offset: top.offset, length: text.length - top.offset,
                          ...(top.url ? { url: top.url } : {}) });
      } else {
        open.push({ name, offset: text.length, url: /href="([^"]*)"/.exec(m[3])?.[1] });
      }
      i = end + 1;
    } else if (c === '>') {
      refuse('Unexpected ">"', byte); // stricter than the real server: our texts must be escaped
    } else {
      text += c;
      i++;
    }
  }
  if (open.length) refuse(`Can't find end tag corresponding to start tag "${open.at(-1).name}"`, html.length);
  return { text, entities: entities.sort((x, y) => x.offset - y.offset) };
}
