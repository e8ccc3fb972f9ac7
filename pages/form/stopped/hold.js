// What a stopped submit may become: saved for later, or sent after all with the tokens of the day.

const CARD = /card.?(num|no|nr)|kreditkarte|kartennummer|(^|[^a-z])(cvv|cvc|cvn|csc)\d*($|[^a-z])/i;

let busy = false;

/** Why the server would not keep a form, as far as the page can tell. @param {HTMLFormElement} form */
const isSecret = (form) => {
  const held = [...below(document)].filter((/** @type {any} */ el) => el.localName === 'input' && formOf(el) === form).map((el) => /** @type {HTMLInputElement} */ (el));
  return held.some((el) => el.type === 'password' || SECRET_HINT.test(attribute(el, 'autocomplete') || '')
    || (el.type !== 'hidden' && (CARD.test(words(el)) || isCard(el.value))));
};

/** Sends it after all, as the visitor pressed it. @param {HTMLFormElement} form @param {any} by @param {boolean} silent */
const letGo = async (form, by, silent) => {
  if (stale.has(form) && !(await freshen())) return;
  sentOff(form);
  if (silent) return nativeSubmit.call(form);
  passing.add(form);
  const presses = by instanceof HTMLElement && by.isConnected && /** @type {any} */ (by).form === form;
  HTMLFormElement.prototype.requestSubmit.call(form, presses ? by : null);
  passing.delete(form);
};

/** What is done instead of sending. @param {HTMLFormElement} form @param {any} by @param {boolean} silent */
const onStopped = async (form, by, silent) => {
  if (im.mode !== 'closed') return letGo(form, by, silent);
  if (busy) return;
  busy = true;
  const goal = goalOf(form, by);
  const now = await Promise.race([
    ask(goal ? goal.pathname : location.pathname),
    new Promise((/** @type {(none: null) => void} */ give) => { setTimeout(give, 3000, null); }),
  ]);
  busy = false;
  // What we last heard may be half a minute old, and the form may go elsewhere.
  if (now && !isShut(now)) {
    if (goal?.pathname === location.pathname) hear(now);
    return letGo(form, by, silent);
  }
  return refuse(form, by, now || im.told);
};

/** Says that it was not sent, and what can be done. @param {HTMLFormElement} form @param {any} by @param {State | null} [now] */
const refuse = async (form, by, now) => {
  await speak();
  const service = now?.service || document.title;
  const lines = [closedUntil(service, now?.ends_at)];
  const why = isSecret(form) ? 'secret' : now && now.keeps === false ? 'not_here' : '';
  if (why) lines.push(text(why, { service }));
  lines.push(text(load(draftKey(keyOf(form))) ? 'on_device' : 'on_page'));
  const offers = !why && posts(form, by) && !im.how;
  if (offers) lines.push(text('save_note', { service }));
  interrupt(lines, offers ? (tell) => hold(form, by, tell) : null);
};

/** The body as the form would send it. @param {HTMLFormElement} form @param {any} by */
const bodyOf = (form, by) => {
  const presses = by?.isConnected && by.form === form && by.type !== 'image';
  const data = presses ? new FormData(form, by) : new FormData(form);
  const kind = (asked(form, by, 'enctype') || '').toLowerCase();
  if (kind === 'multipart/form-data') return data;
  /** @type {[string, string][]} */
  const pairs = [...data].map(([name, value]) => [name, typeof value === 'string' ? value.replace(/\r?\n|\r/g, '\r\n') : value.name]);
  if (kind !== 'text/plain') return new URLSearchParams(pairs);
  return new Blob([pairs.map(([name, value]) => `${name}=${value}\r\n`).join('')], { type: 'text/plain' });
};

/** Hands it to the vault, files too. @param {HTMLFormElement} form @param {any} by @param {(key: string) => void} tell */
const hold = async (form, by, tell) => {
  const goal = goalOf(form, by);
  if (!goal) return;
  // In another encoding only the browser itself can send it; what it sends is kept as well.
  if (document.characterSet !== 'UTF-8') return nativeSubmit.call(form);
  const headers = { 'intermission-form': goal.pathname + goal.search, 'intermission-page': location.pathname + location.search, accept: 'application/json' };
  let answer, said;
  try {
    answer = await fetch('/.intermission/v1/hold', { method: 'POST', body: bodyOf(form, by), headers });
    said = await answer.json();
  } catch {
    return tell('failed');
  }
  if (answer.status === 201 && said.id) {
    im.leaving = true;
    finished(form);
    return location.assign('/.intermission/s/' + encodeURIComponent(said.id));
  }
  if (said.reason === 'open') {
    shut();
    await look();
    return letGo(form, by, false);
  }
  const why = { size: 'too_large', secret: 'secret', quota: 'quota', policy: 'not_here', type: 'not_here' };
  tell(/** @type {any} */ (why)[said.reason] || 'failed');
};

/** The page as it is served now, without running anything of it. @returns {Promise<XMLHttpRequest>} */
const pageNow = () => new Promise((done) => {
  const asking = new XMLHttpRequest();
  asking.open('GET', location.href);
  asking.responseType = 'document';
  asking.timeout = ASK_MS;
  asking.onloadend = () => done(asking);
  asking.send();
});

/** Takes the tokens of the forms that wait from the page as it is served now; nothing but the tokens, since
 * another field may say which version was edited. Whether the forms may be sent. */
const freshen = async () => {
  const names = im.told?.csrf || [];
  const waiting = [...stale].filter((form) => form.isConnected);
  stale.clear();
  const meta = document.querySelector('meta[name=csrf-token]');
  const tokens = (/** @type {HTMLFormElement} */ form) => [...form.querySelectorAll('input')].filter((el) => el.type === 'hidden' && names.includes(el.name));
  if (im.how || !waiting.some((form) => tokens(form).length) && !(meta && waiting.length)) return true;
  const answer = await pageNow(), page = answer.responseXML;
  if (answer.status !== 200 || !page) return true;
  const live = [...page.forms];
  let lost = new URL(answer.responseURL).pathname !== location.pathname;
  for (const form of waiting) {
    const twin = live.find((other) => keyOf(other, page) === keyOf(form));
    for (const el of tokens(form)) {
      const fresh = twin?.querySelector(`input[name="${CSS.escape(el.name)}"]`)?.getAttribute('value');
      if (!fresh) lost ||= !!page.querySelector('input[type=password]');
      else if (fresh !== el.value) el.value = fresh;
    }
  }
  const fresh = page.querySelector('meta[name=csrf-token]')?.getAttribute('content');
  if (meta && fresh && !lost) meta.setAttribute('content', fresh);
  if (!lost) return true;
  // Said once: whoever presses again means it.
  await speak();
  tellIn('state', text('sign_in', { service: im.told?.service || '' }), [dismiss('state')]);
  return false;
};

/** @typedef {typeof theLast} Stopped */
const theLast = { onStopped, refuse, freshen };
